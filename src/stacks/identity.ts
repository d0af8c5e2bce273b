import { createHash } from 'node:crypto'
import { basename, dirname } from 'node:path'

import { StackbkError } from '../errors.js'

/** A folder with a compose file. The real directory is what it is; the name is what people and snapshots call it. */
export interface Stack {
  /** That of its entry in the stacks folder; for an external one the name that the dirlist gives it, else the base name of its path. */
  readonly name: string
  /** Absolute, symbolic links resolved. */
  readonly directory: string
  /** Absolute, as it is entered: may be a symbolic link. */
  readonly entryPath: string
  /** Outside the stacks folder. */
  readonly isExternal: boolean
  /** The compose file that makes the folder a stack: one of the usual names, or what `COMPOSE_FILE` in its `.env` names first. */
  readonly composeFile: string
}

/** The same for a stack as long as it has this name and this real directory; safe as a file name. */
export function stackKey(stack: Pick<Stack, 'name' | 'directory'>): string {
  const legible = stack.name.replaceAll(/[^A-Za-z0-9._-]/g, '_').replace(/^\./, '_').slice(0, 60)
  return `${legible}-${createHash('sha256').update(stack.directory).digest('hex').slice(0, 12)}`
}

/** Two stacks that cannot both be backed up. */
export interface Clash {
  readonly kind: 'name' | 'directory'
  readonly other: Stack
  readonly message: string
  readonly detail: string
  readonly fix: string
}

/**
 * Returns the stack that has the name of this one, so that their snapshots could not be told apart, and the stack that has its
 * real directory, so that one would be stopped while the other is read.
 */
export function clashesOf(stack: Stack, stacks: readonly Stack[]): readonly Clash[] {
  const others = stacks.filter((other) => other.entryPath !== stack.entryPath)
  const namesake = others.find((other) => other.name === stack.name)
  const byName: Clash[] = namesake === undefined ? [] : [{ kind: 'name', other: namesake, message: `two enabled stacks are called '${stack.name}'`, detail: `${stack.entryPath} and ${namesake.entryPath}`, fix: nameGiving(stack, namesake) }]
  const double = others.find((other) => other.directory === stack.directory)
  const byDirectory: Clash[] = double === undefined ? [] : [{ kind: 'directory', other: double, message: `the stacks '${stack.name}' and '${double.name}' are the same folder, ${stack.directory}`, detail: `${stack.entryPath} and ${double.entryPath}`, fix: 'Disable one of them.' }]
  return [...byName, ...byDirectory]
}

/** Throws (exit 2) for the first of the {@link clashesOf} one of `concerned` with one of the stacks. Default: all. */
export function assertDistinct(stacks: readonly Stack[], concerned: readonly Stack[] = stacks): void {
  for (const stack of concerned) {
    const [clash] = clashesOf(stack, stacks)
    if (clash !== undefined) throw new StackbkError({ kind: 'usage', code: 'stacks-not-distinct', message: clash.message, detail: clash.detail, fix: clash.fix })
  }
}

/** Returns a name for a stack whose own one is taken: that of the folder above, as of `app/docker`. */
export function suggestedName(path: string): string {
  const parent = basename(dirname(path))
  return parent === '' ? basename(path) : parent
}

function nameGiving(one: Stack, other: Stack): string {
  const command = renamingCommand(one) ?? renamingCommand(other)
  return command === null ? 'Disable or rename one of them.' : `Give one of them another name: ${command}`
}

/** Returns the command that gives a stack the name of the folder above; `null` where its folder alone names it, or that changes nothing. */
export function renamingCommand({ isExternal, entryPath, name }: Stack): string | null {
  const suggested = suggestedName(entryPath)
  return isExternal && suggested !== name ? `stackbk dirlist add ${argument(entryPath)} --name ${argument(suggested)}` : null
}

/** Quotes a word for a shell if that is needed. */
function argument(word: string): string {
  return /^[\w/.:,@+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
