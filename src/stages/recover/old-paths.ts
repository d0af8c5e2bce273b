import { basename, join, relative } from 'node:path'

import type { Capsule, Engine } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'
import type { Relocation } from './relocation.js'

/** A stack of which the files are looked through. */
export interface OldPathQuestion {
  readonly name: string
  /** Its folder in the snapshot. */
  readonly origin: string
  /** Its folder on this host. */
  readonly directory: string
  readonly relocations: readonly Relocation[]
  readonly snapshot: { readonly id: string }
}

/**
 * Finds where the files that say how the containers are made name the old folder of a stack that moves, or of another stack that moves
 * in the same run. The containers get the new path; `docker compose up` by these files alone would mount the old one.
 */
export async function oldPathProblems(engine: Engine, { name, origin, directory, relocations, snapshot }: OldPathQuestion, capsule: Capsule, signal: AbortSignal): Promise<readonly Problem[]> {
  if (relocations.length === 0) return []
  const files = capsule.projects.flatMap(({ configFiles, environmentFiles, workingDirectory }) => [...configFiles, ...environmentFiles, join(workingDirectory, '.env')])
  const problems: Problem[] = []
  for (const file of new Set(files.filter((one) => isWithin(one, origin)))) {
    const read = await engine.read(snapshot.id, file, { signal })
    // A file that the snapshot does not hold, such as an .env that never was, says nothing.
    if (!read.ok) continue
    const found = linesNaming(Buffer.from(read.value).toString('utf8'), relocations)
    if (found.length === 0) continue
    const lines = found.map(({ line }) => line)
    const changes = [...new Set(found.flatMap(({ named }) => named))].map(({ from, to }) => `${from} to ${to}`)
    problems.push({
      severity: 'warning',
      code: 'old-path',
      message: `${basename(file)} of ${name} names a folder that moves, in line ${lines.join(', ')}: its containers get the new path, ${changes.map((change) => change.replace(' to ', ' -> ')).join(', ')}`,
      fix: `The file stays as it is. Once the stack is back, change ${changes.join(' and ')} in ${join(directory, relative(origin, file))}`,
      stack: name,
    })
  }
  return problems
}

/** Returns the lines that name one of the old folders, counting from 1, but for comments. */
export function linesNaming(text: string, relocations: readonly Relocation[]): readonly { readonly line: number; readonly named: readonly Relocation[] }[] {
  return text.split('\n').flatMap((content, index) => {
    if (content.trimStart().startsWith('#')) return []
    const named = relocations.filter(({ from }) => namesPath(content, from))
    return named.length === 0 ? [] : [{ line: index + 1, named }]
  })
}

/** A longer name that only begins so is another folder, and so is a path that has this one in its middle. */
function namesPath(content: string, path: string): boolean {
  for (let at = content.indexOf(path); at >= 0; at = content.indexOf(path, at + 1)) {
    const [before, after] = [content[at - 1] ?? ' ', content[at + path.length] ?? ' ']
    if (!/[\w.-]/.test(before) && !/[\w.-]/.test(after)) return true
  }
  return false
}
