import { mkdtemp, readFile as readLocalFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { answered, failed, type Answer, type CallOptions } from '@stackbk/contract'

import { addressOf } from './place.js'
import type { Rsync } from './rsync.js'
import { download } from './transfer.js'

/** A file's bytes, or those of a range. rsync knows files only: it comes as a whole, into a folder that goes again. */
export async function readFile(rsync: Rsync, path: string, { range, signal }: { readonly range?: { readonly start: number; readonly end: number } } & CallOptions = {}): Promise<Answer<Uint8Array>> {
  const folder = await mkdtemp(join(tmpdir(), 'stackbk-rsync-'))
  try {
    const come = await download(rsync, null, { files: [path], localRoot: folder, whenSameSize: 'replace', ...(signal === undefined ? {} : { signal }) })
    if (!come.ok) return come.failure.kind === 'not-found' ? failed({ kind: 'not-found', message: `there is no file ${addressOf(rsync.place, path)}` }) : come
    if (!(await stat(join(folder, path))).isFile()) return failed({ kind: 'not-found', message: `there is no file ${addressOf(rsync.place, path)}` })
    const bytes = await readLocalFile(join(folder, path))
    return answered(range === undefined ? bytes : bytes.subarray(range.start, Math.max(range.start, range.end)))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
