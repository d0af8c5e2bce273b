import { join } from 'node:path'

import { sha256OfFile } from '../../host/file-digest.js'
import type { FileList } from '../sync/file-list.js'

/** Reading is bound by the disk, hashing by one processor: more at once only makes the disk seek. */
const atOnce = 2

export interface ContentCheck {
  readonly filesChecked: number
  /** Relative paths of files whose SHA-256 is not their name. */
  readonly corrupt: readonly string[]
}

/** Reads every file whose name says what it holds, and compares. Needs no password. Throws when a file cannot be read or the signal comes. */
export async function checkContents(root: string, list: FileList, options: { readonly signal: AbortSignal; readonly onFile?: (done: number, total: number) => void }): Promise<ContentCheck> {
  const waiting = list.filter(({ group }) => group.nameIs === 'sha256').flatMap(({ files }) => files.map((file) => file.path))
  const total = waiting.length
  const corrupt: string[] = []
  let done = 0
  const work = async (): Promise<void> => {
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (!(await matchesItsName(join(root, path), options.signal))) corrupt.push(path)
      options.onFile?.(++done, total)
    }
  }
  const stopAll = (error: unknown): never => {
    // What the others have before them may be hours, and nobody waits for it any more.
    waiting.length = 0
    throw error
  }
  await Promise.all(Array.from({ length: atOnce }, () => work().catch(stopAll)))
  return { filesChecked: total, corrupt: corrupt.sort() }
}

/** What reading says where a sector, or what the file system knows of the file, is damaged. */
const damaged: readonly string[] = ['EIO', 'EBADMSG', 'EUCLEAN']

/** Returns whether a file's SHA-256 is its own name. A file that is not there, or that the disk cannot read any more, does not match. */
export async function matchesItsName(path: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await sha256OfFile(path, signal)) === path.slice(path.lastIndexOf('/') + 1)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || isDamage(error)) return false
    throw error
  }
}

/** Returns whether the error says that the file itself is damaged. Any other one says only that it could not be read now. */
export function isDamage(error: unknown): boolean {
  const { code = '', errno } = error as NodeJS.ErrnoException
  // Node has no name for EUCLEAN (117, "Structure needs cleaning").
  return damaged.includes(code) || errno === -117
}
