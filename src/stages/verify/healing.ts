import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { Transport } from '@stackbk/contract'

import { problemFrom } from '../../errors.js'
import { writeFileAtomically } from '../../host/atomic-write.js'
import { ensureFolder } from '../../host/state-folder.js'
import { checkContents } from '../restore/content-check.js'
import type { Run } from '../run.js'
import { groupFiles, type FileList } from '../sync/file-list.js'
import { asked } from '../sync/transfer.js'

/** Sends one file again if the local one is sound. */
export async function sendSound(run: Run, transport: Transport, root: string, list: FileList, file: string): Promise<boolean> {
  const part = list.map(({ group, files }) => ({ group, files: files.filter(({ path }) => path === file) }))
  try {
    if ((await checkContents(root, part, { signal: run.signal })).corrupt.length > 0) return false
  } catch {
    return false
  }
  const sent = await asked(run, () => transport.upload({ files: [file], localRoot: root, whenSameSize: 'replace', stallTimeoutMs: run.configuration.backup.stallTimeoutMs, signal: run.signal }))
  if (!sent.ok) run.log('error', problemFrom(sent.failure).message, { file })
  return sent.ok
}

/** Fetches sound copies of local files, each compared before it takes its place, in one step. */
export async function fetchSound(run: Run, transport: Transport, root: string, files: readonly string[]): Promise<Set<string>> {
  const healed = new Set<string>()
  if (files.length === 0) return healed
  const engine = await run.engine()
  ensureFolder(run.state.cache)
  const folder = mkdtempSync(join(run.state.cache, 'repair-'))
  try {
    for (const file of files) {
      const came = await asked(run, () => transport.download({ files: [file], localRoot: folder, whenSameSize: 'replace', stallTimeoutMs: run.configuration.backup.stallTimeoutMs, signal: run.signal }))
      if (!came.ok) continue
      const { list } = groupFiles(engine.layout(), [{ path: file, size: 0 }])
      if ((await checkContents(folder, list, { signal: run.signal })).corrupt.length > 0) continue
      mkdirSync(dirname(join(root, file)), { recursive: true, mode: 0o700 })
      writeFileAtomically(join(root, file), readFileSync(join(folder, file)), { mode: 0o400 })
      healed.add(file)
      rmSync(join(folder, file), { force: true })
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return healed
}
