import { mkdtempSync, readdirSync, rmSync, existsSync } from 'node:fs'
import { join } from 'node:path'

import type { Answer, LayoutGroup, Transport } from '@stackbk/contract'

import { counted } from '../counted.js'
import { ensureFolder } from '../host/state-folder.js'
import { checkContents } from './restore/content-check.js'
import type { Run } from './run.js'
import type { CopiedFile } from './sync/file-list.js'
import { asked } from './sync/transfer.js'

/** So much of the remote is fetched at once to be compared, and removed before the next part. Bytes. */
const batchBytes = 512 * 1024 * 1024

/** A file on the remote whose name may say what it holds. */
export interface NamedFile {
  readonly group: LayoutGroup
  readonly file: CopiedFile
}

export interface RemoteContents {
  readonly checked: readonly NamedFile[]
  /** Of those the ones that do not hold what their names say. */
  readonly rotten: readonly NamedFile[]
}

/**
 * Fetches these files of the remote, part by part, and compares them with their names. Needs no password, and room for one
 * part. `onPart` gets each part as it was compared. Fails as the transport does.
 */
export async function compareRemote(
  run: Run,
  transport: Transport,
  files: readonly NamedFile[],
  options: { readonly remoteFolder?: string; readonly onPart?: (part: RemoteContents) => void } = {},
): Promise<Answer<RemoteContents>> {
  const all = { checked: [] as NamedFile[], rotten: [] as NamedFile[] }
  if (files.length === 0) return { ok: true, value: all }
  const totalBytes = files.reduce((sum, { file }) => sum + file.size, 0)
  const title = `reading ${counted(files.length, 'file')} of the remote`
  let bytesBefore = 0
  return withScratch(run, async (folder) => {
    for (const batch of batches(files)) {
      const came = await asked(run, () =>
        transport.download({
          files: batch.map(({ file }) => file.path),
          localRoot: folder,
          ...(options.remoteFolder === undefined ? {} : { remoteFolder: options.remoteFolder }),
          whenSameSize: 'replace',
          stallTimeoutMs: run.configuration.backup.stallTimeoutMs,
          signal: run.signal,
          onProgress: (progress) => run.reporter.step(title, { ...progress, bytesDone: bytesBefore + (progress.bytesDone ?? 0), bytesTotal: totalBytes, filesDone: all.checked.length + (progress.filesDone ?? 0), filesTotal: files.length }),
        }),
      )
      if (!came.ok) return came
      const { corrupt } = await checkContents(folder, batch.map(({ group, file }) => ({ group, files: [file] })), { signal: run.signal })
      const wrong = new Set(corrupt)
      const part = { checked: batch, rotten: batch.filter(({ file }) => wrong.has(file.path)) }
      all.checked.push(...part.checked)
      all.rotten.push(...part.rotten)
      options.onPart?.(part)
      bytesBefore += batch.reduce((sum, { file }) => sum + file.size, 0)
      for (const { file } of batch) rmSync(join(folder, file.path), { force: true })
    }
    return { ok: true, value: all }
  })
}

/** A folder for files of the remote, gone afterwards; with it go those of processes that were killed. */
export async function withScratch<T>(run: Run, work: (folder: string) => Promise<T>): Promise<T> {
  ensureFolder(run.state.cache)
  for (const name of readdirSync(run.state.cache)) {
    const pid = /^remote-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && pid !== String(process.pid) && !existsSync(`/proc/${pid}`)) rmSync(join(run.state.cache, name), { recursive: true, force: true })
  }
  const folder = mkdtempSync(join(run.state.cache, `remote-${process.pid}-`))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function batches(files: readonly NamedFile[]): NamedFile[][] {
  const all: NamedFile[][] = []
  let size = Number.POSITIVE_INFINITY
  for (const entry of files) {
    if (size + entry.file.size > batchBytes) {
      all.push([])
      size = 0
    }
    all.at(-1)?.push(entry)
    size += entry.file.size
  }
  return all
}
