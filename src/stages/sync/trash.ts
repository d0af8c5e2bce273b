import type { Answer, Transport } from '@stackbk/contract'

import type { Run } from '../run.js'
import type { CopiedFile } from './file-list.js'
import { asked } from './transfer.js'

/** Where files wait that the copy no longer needs, in a folder for each day. Never taken for part of a repository. */
export const trashFolder = '.stackbk-trash'

const dayMs = 24 * 60 * 60 * 1000

/** Puts files aside on the remote instead of deleting them; each is out of the copy in one step. */
export async function moveToTrash(run: Run, transport: Transport, paths: readonly string[]): Promise<Answer<void>> {
  const folder = `${trashFolder}/${run.startedAt.toISOString().slice(0, 10)}`
  const moveAll = transport.moveAll?.bind(transport)
  if (moveAll !== undefined) return asked(run, () => moveAll(paths, { from: '', to: folder, signal: run.signal }))
  for (const path of paths) {
    const moved = await asked(run, () => transport.move(path, `${folder}/${path}`, { signal: run.signal }))
    if (!moved.ok) return moved
  }
  return { ok: true, value: undefined }
}

/** Of the remote's files, those that have lain in the trash for longer than so many days; with 0, all that lie there. */
export function expiredTrash(files: readonly CopiedFile[], days: number, now: Date): readonly string[] {
  const oldest = new Date(now.getTime() - days * dayMs).toISOString().slice(0, 10)
  return files
    .filter(({ path }) => path.startsWith(`${trashFolder}/`))
    .map(({ path }) => path)
    .filter((path) => days === 0 || (path.split('/')[1] ?? '') < oldest)
}
