import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import type { Engine, Transport } from '@stackbk/contract'

import { errorFrom, exitCodes, problemFrom, StackbkError, type Problem } from '../../errors.js'
import { ensureFolder } from '../../host/state-folder.js'
import { checkContents } from '../restore/content-check.js'
import { concluded, type Outcome } from '../result.js'
import type { Run } from '../run.js'
import { groupFiles, type CopiedFile, type FileList } from '../sync/file-list.js'
import { probe } from '../sync/probe.js'
import { asked } from '../sync/transfer.js'
import { sendSound } from './healing.js'
import type { CorruptFile, VerifyChoices, VerifyResult } from './verify-result.js'

/** So much of the remote is fetched at once to be compared, and removed before the next part. Bytes. */
const batchBytes = 512 * 1024 * 1024

export async function verifyRemote(run: Run, engine: Engine, choices: VerifyChoices): Promise<Outcome<VerifyResult>> {
  const transport = await run.transport()
  const ready = await transport.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  await probe(run, transport)
  const listed = await asked(run, () => transport.list('', { signal: run.signal }))
  if (!listed.ok) throw errorFrom(listed.failure)
  const { list } = groupFiles(engine.layout(), listed.value)
  if (!list.some(({ group, files }) => group.role === 'config' && files.length > 0)) {
    throw new StackbkError({ kind: 'repository-missing', message: `${transport.location} holds no repository`, fix: 'Run: stackbk sync' })
  }
  const percent = choices.percent ?? 100
  const { checked, rotten } = await readRemote(run, transport, list, percent)
  const path = engine.location().path
  const corrupt: CorruptFile[] = []
  for (const file of rotten) corrupt.push({ file, where: 'remote', healed: choices.repair && path !== null && (await sendSound(run, transport, path, list, file)) })
  const unhealed = corrupt.filter((file) => !file.healed)
  const problems: Problem[] = unhealed.length === 0 ? [] : [{ severity: 'error', code: 'rotten-on-remote', message: `${unhealed.length} files on ${transport.location} do not hold what their names say: ${unhealed.slice(0, 3).map(({ file }) => file).join(', ')}`, fix: choices.repair ? 'The local repository has no sound copy either' : 'Run: stackbk verify --cloud --repair' }]
  if (path !== null) problems.push(...(await configProblems(run, transport, path, list)))
  return concluded(run, { depth: `remote ${percent} %`, checked, corrupt }, { status: unhealed.length === 0 ? 'ok' : 'failed', problems, codes: [unhealed.length === 0 ? 0 : exitCodes.ofKind('corrupt')] })
}

/** `config` has no name to be compared with. Where it differs from the local one, a sync finds out which of the two holds. */
async function configProblems(run: Run, transport: Transport, root: string, list: FileList): Promise<readonly Problem[]> {
  const config = list.find(({ group }) => group.role === 'config')?.files[0]
  if (config === undefined || !existsSync(join(root, config.path))) return []
  const read = await asked(run, () => transport.read(config.path, { signal: run.signal }))
  // What was found before must not be lost for that.
  if (!read.ok) return [problemFrom(read.failure, { severity: 'warning', code: 'config-not-compared' })]
  if (Buffer.from(read.value).equals(readFileSync(join(root, config.path)))) return []
  return [{ severity: 'warning', code: 'config-differs', message: `${config.path} on ${transport.location} is not that of the local repository: it is older, rotten, or of another one`, fix: 'Run: stackbk sync (it tells which, and sends it again where it may)' }]
}

/** Fetches the remote's files, part by part, and compares them with their names. */
async function readRemote(run: Run, transport: Transport, list: FileList, percent: number): Promise<{ checked: number; rotten: string[] }> {
  const named = list.filter(({ group }) => group.nameIs === 'sha256').flatMap(({ group, files }) => files.map((file) => ({ group, file })))
  const wanted = percent >= 100 ? named : named.filter(() => Math.random() * 100 < percent)
  const rotten: string[] = []
  ensureFolder(run.state.cache)
  const folder = mkdtempSync(join(run.state.cache, 'verify-'))
  try {
    for (const batch of batches(wanted)) {
      const came = await asked(run, () => transport.download({ files: batch.map(({ file }) => file.path), localRoot: folder, whenSameSize: 'keep', stallTimeoutMs: run.configuration.backup.stallTimeoutMs, signal: run.signal }))
      if (!came.ok) throw errorFrom(came.failure)
      run.reporter.step(`comparing ${batch.length} files of the remote with their names`)
      const part = batch.map(({ group, file }) => ({ group, files: [file] }))
      rotten.push(...(await checkContents(folder, part, { signal: run.signal })).corrupt)
      for (const { file } of batch) rmSync(join(folder, file.path), { force: true })
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return { checked: wanted.length, rotten }
}

function batches<T extends { readonly file: CopiedFile }>(files: readonly T[]): T[][] {
  const all: T[][] = []
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
