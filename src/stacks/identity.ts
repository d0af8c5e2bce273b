import { createHash } from 'node:crypto'

import { StackbkError } from '../errors.js'

/** A folder with a compose file. The real directory is what it is; the name is what people and snapshots call it. */
export interface Stack {
  /** That of its entry in the stacks folder; for an external one the base name of its path. */
  readonly name: string
  /** Absolute, symbolic links resolved. */
  readonly directory: string
  /** Absolute, as it is entered: may be a symbolic link. */
  readonly entryPath: string
  /** Outside the stacks folder. */
  readonly isExternal: boolean
  /** The base name of the compose file that Compose would take. */
  readonly composeFile: string
}

/** The same for a stack as long as it has this name and this real directory; safe as a file name. */
export function stackKey(stack: Pick<Stack, 'name' | 'directory'>): string {
  const legible = stack.name.replaceAll(/[^A-Za-z0-9._-]/g, '_').replace(/^\./, '_').slice(0, 60)
  return `${legible}-${createHash('sha256').update(stack.directory).digest('hex').slice(0, 12)}`
}

/**
 * Throws (exit 2) where two of the stacks have one name, so that their snapshots could not be told apart, or one real
 * directory, so that one would be stopped while the other is read. Only pairs with one of `concerned` count; default: all.
 */
export function assertDistinct(stacks: readonly Stack[], concerned: readonly Stack[] = stacks): void {
  for (const stack of concerned) {
    const namesake = stacks.find((other) => other.entryPath !== stack.entryPath && other.name === stack.name)
    if (namesake) throw twins(`two enabled stacks are called '${stack.name}'`, stack, namesake)
    const double = stacks.find((other) => other.entryPath !== stack.entryPath && other.directory === stack.directory)
    if (double) throw twins(`the stacks '${stack.name}' and '${double.name}' are the same folder, ${stack.directory}`, stack, double)
  }
}

function twins(message: string, one: Stack, other: Stack): StackbkError {
  return new StackbkError({
    kind: 'usage',
    code: 'stacks-not-distinct',
    message,
    detail: `${one.entryPath} and ${other.entryPath}`,
    fix: 'Disable or rename one of them.',
  })
}
