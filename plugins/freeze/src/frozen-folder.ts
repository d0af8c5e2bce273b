import { lstatSync, mkdirSync, readdirSync, rmdirSync, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, normalize } from 'node:path'

import { answered, failed, frozenFolderName, type Answer } from '@stackbk/contract'
import { files, type FileFacts } from '@stackbk/tool-runner/files'

import type { MountTable } from './mounts.js'

/** What one call of `freeze` makes at the root of one mount: `ROOT/.stackbk-frozen/LABEL.METHOD`. */
export interface FrozenFolder {
  readonly path: string
  readonly label: string
}

const longestLabel = 200
const labelPattern = /^[A-Za-z0-9._-]+$/

export function labelProblem(label: string): string | null {
  return labelPattern.test(label) && label.length <= longestLabel ? null : `'${label}' cannot be part of a folder's name`
}

/** The new, empty folder. Whoever else has made one of this name made something that is not ours to fill. */
export function makeFrozenFolder(root: string, label: string, method: string): Answer<string> {
  const hidden = join(root, frozenFolderName)
  const path = join(hidden, `${label}.${method}`)
  const triesAgainstRemoval = 10
  for (let attempt = 1; ; attempt += 1) {
    try {
      try {
        mkdirSync(hidden, 0o700)
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
      }
      const problem = hiddenFolderProblem(hidden)
      if (problem !== null) return failed({ kind: 'guard', message: `the copy cannot be put into ${hidden}: ${problem}`, fix: `Look what ${hidden} is, and remove it` })
      mkdirSync(path, 0o700)
      return answered(path)
    } catch (error) {
      // Another stackbk, on another engine, may remove the empty hidden folder at any time.
      if (codeOf(error) === 'ENOENT' && attempt < triesAgainstRemoval) continue
      return failed({ kind: 'failed', message: `making the folder ${path} failed: ${(error as Error).message}` })
    }
  }
}

/** All of a method's folders at the root of a mount. */
export function frozenFoldersAt(root: string, method: string): readonly FrozenFolder[] {
  const hidden = join(root, frozenFolderName)
  if (hiddenFolderProblem(hidden) !== null) return []
  const ending = `.${method}`
  return readdirSync(hidden)
    .filter((name) => name.endsWith(ending) && labelProblem(name.slice(0, -ending.length)) === null && isOwnFolder(lstatSync(join(hidden, name), { throwIfNoEntry: false })))
    .map((name) => ({ path: join(hidden, name), label: name.slice(0, -ending.length) }))
}

/** The roots of the file systems that these paths lie on, or would lie on if they were there; each folder once. */
export function rootsFor(paths: readonly string[], mounts: MountTable): readonly string[] {
  const devices = new Set(paths.map((path) => mounts.of(realPathSoFar(path))?.device))
  const seen = new Set<string>()
  return mounts.visible
    .filter(({ device }) => devices.has(device))
    .map(({ point }) => point)
    .filter((point) => {
      const stats = factsOf(point)
      if (stats?.kind !== 'directory' || seen.has(`${stats.dev}:${stats.ino}`)) return false
      seen.add(`${stats.dev}:${stats.ino}`)
      return true
    })
}

/** Whether a path is a folder that a freezer of ours made, and may be removed with all that is in it. */
export type Ownership = { readonly is: 'ours' } | { readonly is: 'gone' } | { readonly is: 'foreign'; readonly reason: string }

export function ownership(path: string, method: string): Ownership {
  const hidden = dirname(path)
  const ending = `.${method}`
  const name = basename(path)
  const foreign = (reason: string): Ownership => ({ is: 'foreign', reason })
  if (!isAbsolute(path) || normalize(path) !== path || basename(hidden) !== frozenFolderName) return foreign('it does not lie in a folder of ours')
  if (!name.endsWith(ending) || labelProblem(name.slice(0, -ending.length)) !== null) return foreign('it does not have a name of ours')
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return { is: 'gone' }
  const problem = hiddenFolderProblem(hidden)
  if (problem !== null) return foreign(problem)
  if (!isOwnFolder(stats)) return foreign('it is not a folder of this user')
  return files.realPathNow(path) === path ? { is: 'ours' } : foreign('a symbolic link leads to it')
}

/** Removes the emptied folder, and the hidden one if it held nothing else. Both stay removed after a power cut. */
export async function removeFrozenFolder(path: string): Promise<Answer<void>> {
  const hidden = dirname(path)
  try {
    unlessCode(['ENOENT'], () => rmdirSync(path))
    removeHiddenFolderIfEmpty(hidden)
    const root = await open(dirname(hidden), 'r')
    try {
      await root.sync()
    } finally {
      await root.close()
    }
    return answered(undefined)
  } catch (error) {
    return failed({ kind: 'failed', message: `removing the folder ${path} failed: ${(error as Error).message}` })
  }
}

/** Where that cannot be, it stays: an empty folder does no harm. */
export function removeHiddenFolderIfEmpty(hidden: string): void {
  if (hiddenFolderProblem(hidden) === null) unlessCode(['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EROFS', 'EBUSY'], () => rmdirSync(hidden))
}

/** Only this user may be able to put anything there: what lies there is removed without a further question. */
function hiddenFolderProblem(hidden: string): string | null {
  const stats = lstatSync(hidden, { throwIfNoEntry: false })
  if (stats === undefined) return 'it is not there'
  if (!isOwnFolder(stats)) return 'it is not a folder of this user'
  return (stats.mode & 0o077) === 0 ? null : 'others may use it'
}

function isOwnFolder(stats: Stats | undefined): boolean {
  return stats?.isDirectory() === true && stats.uid === process.geteuid?.()
}

function factsOf(path: string): FileFacts | null {
  try {
    return files.statNow(path)
  } catch {
    return null
  }
}

function realPathSoFar(path: string): string {
  try {
    return files.realPathNow(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPathSoFar(parent), basename(path))
  }
}

function unlessCode(codes: readonly string[], work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!codes.includes(codeOf(error))) throw error
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? ''
}
