import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'

import { done, refuseNames, type Answer, type CallOptions } from '@stackbk/contract'

import { moveAll, removeFiles } from './remove.js'
import type { Rsync } from './rsync.js'
import { download, upload } from './transfer.js'

/** Moves one file. What is not there is none of our business. */
export async function moveFile(rsync: Rsync, from: string, to: string, options: CallOptions = {}): Promise<Answer<void>> {
  const named = refuseNames([from, to])
  if (!named.ok) return named
  if (from === to) return done
  const file = posix.basename(from)
  if (file === posix.basename(to)) return moveAll(rsync, [file], { ...options, from: folderOf(from), to: folderOf(to) })
  return throughThisHost(rsync, from, to, options)
}

/** rsync has no word for another name: the file comes here, goes back under the new one, which appears whole, and the old one is deleted. */
async function throughThisHost(rsync: Rsync, from: string, to: string, { signal }: CallOptions): Promise<Answer<void>> {
  const localRoot = await mkdtemp(join(tmpdir(), 'stackbk-rsync-'))
  const request = { localRoot, whenSameSize: 'replace', ...(signal === undefined ? {} : { signal }) } as const
  try {
    const come = await download(rsync, null, { ...request, files: [from] })
    if (!come.ok) return come.failure.kind === 'not-found' ? done : come
    await mkdir(dirname(join(localRoot, to)), { recursive: true })
    await rename(join(localRoot, from), join(localRoot, to))
    const gone = await upload(rsync, null, { ...request, files: [to] })
    return gone.ok ? await removeFiles(rsync, [from], signal === undefined ? {} : { signal }) : gone
  } finally {
    await rm(localRoot, { recursive: true, force: true })
  }
}

function folderOf(path: string): string {
  return path.includes('/') ? posix.dirname(path) : ''
}
