import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { CheckResult, Engine, Transport } from '@stackbk/contract'

import { errorFrom, exitCodes, problemFrom, StackbkError, type Problem } from '../errors.js'
import { writeFileAtomically } from '../host/atomic-write.js'
import { ensureFolder } from '../host/state-folder.js'
import { openRepository, repositoryLock } from './repository.js'
import { checkContents } from './restore/content-check.js'
import { concluded, type Outcome, type ResultHeader } from './result.js'
import { replayJournal } from './resume.js'
import type { Run } from './run.js'
import { probe } from './sync.js'
import { frozenList, groupFiles, type CopiedFile, type FileList } from './sync/file-list.js'
import { asked } from './sync/transfer.js'

/** So much of the remote is fetched at once to be compared, and removed before the next part. Bytes. */
const batchBytes = 512 * 1024 * 1024

export interface CorruptFile {
  readonly file: string
  readonly where: 'local' | 'remote'
  readonly healed: boolean
}

export interface VerifyBody {
  /** What was looked at, such as `structure`, `data 5 %`, `remote 100 %`. */
  readonly depth: string
  /** Files compared with their names. */
  readonly checked: number
  readonly corrupt: readonly CorruptFile[]
}

export type VerifyResult = ResultHeader & VerifyBody

export interface VerifyChoices {
  /** Share of the data to read, in percent; undefined: none of the local one, all of the remote's. */
  readonly percent: number | undefined
  readonly cloud: boolean
  readonly repair: boolean
}

/** Checks the repository with the engine, or the remote's files by their names; mends what the other side has sound. */
export async function verify(run: Run, choices: VerifyChoices): Promise<Outcome<VerifyResult>> {
  const engine = await run.engine()
  if (choices.repair) {
    await run.lock(repositoryLock(engine))
    await replayJournal(run)
  }
  return choices.cloud ? await verifyRemote(run, engine, choices) : await verifyLocal(run, engine, choices)
}

async function verifyLocal(run: Run, engine: Engine, choices: VerifyChoices): Promise<Outcome<VerifyResult>> {
  const ready = await engine.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  const keys = await openOrMend(run, engine, choices.repair)
  run.reporter.step('checking the repository')
  const percent = choices.percent ?? 0
  const check = await engine.check({ readDataPercent: percent, signal: run.signal })
  if (!check.ok) throw errorFrom(check.failure)
  const depth = percent === 0 ? 'structure' : `data ${percent} %`
  if (check.value.isSound && !choices.repair) return concluded(run, { depth, checked: 0, corrupt: [] }, { status: 'ok', problems: [] })

  const { path } = engine.location()
  const list = path === null ? [] : await frozenList(path, engine.layout())
  run.reporter.step('comparing every file with its name')
  const found = path === null ? { filesChecked: 0, corrupt: [] } : await checkContents(path, list, { signal: run.signal })
  const corrupt: CorruptFile[] = [...keys.map((file): CorruptFile => ({ file, where: 'local', healed: true })), ...found.corrupt.map((file): CorruptFile => ({ file, where: 'local', healed: false }))]
  const mended = path !== null && choices.repair ? await mendLocal(run, engine, path, { list, corrupt, check: check.value }) : { corrupt, check: check.value }
  const { errors } = mended.check
  const isSound = mended.check.isSound && mended.corrupt.every((file) => file.healed)
  const problems: Problem[] = isSound ? [] : [{ severity: 'error', code: 'repository-damaged', message: `the repository does not pass its check: ${errors.at(-1) ?? `${mended.corrupt.length} files are rotten`}`, fix: choices.repair ? 'See what is lost with: restic check --read-data' : 'Run: stackbk verify --repair' }]
  return concluded(run, { depth, checked: found.filesChecked, corrupt: mended.corrupt }, { status: isSound ? 'ok' : 'failed', problems, codes: [isSound ? 0 : exitCodes.ofKind('corrupt')] })
}

/** With a rotten key nothing opens, so keys are compared and mended first where that may be. Returns those that were. */
async function openOrMend(run: Run, engine: Engine, mayMend: boolean): Promise<readonly string[]> {
  const open = () => openRepository({ ...run, dryRun: true }, { mayInit: false })
  try {
    await open()
    return []
  } catch (error) {
    const { path } = engine.location()
    if (!mayMend || path === null || !(error instanceof StackbkError) || error.kind !== 'corrupt') throw error
    const keys = (await frozenList(path, engine.layout())).filter(({ group }) => group.role === 'key')
    const { corrupt } = await checkContents(path, keys, { signal: run.signal })
    const transport = await run.transport().catch(() => null)
    if (corrupt.length === 0 || transport === null || !(await transport.ready({ signal: run.signal })).ok) throw error
    const healed = await fetchSound(run, transport, path, corrupt)
    await open()
    return [...healed]
  }
}

async function verifyRemote(run: Run, engine: Engine, choices: VerifyChoices): Promise<Outcome<VerifyResult>> {
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

/** Sends one file again if the local one is sound. */
async function sendSound(run: Run, transport: Transport, root: string, list: FileList, file: string): Promise<boolean> {
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

interface Damage {
  readonly list: FileList
  readonly corrupt: readonly CorruptFile[]
  readonly check: CheckResult
}

/** So often the check is asked for what else is missing: it names no more than some at a time. */
const mostChecks = 10

/** Replaces rotten files by the remote's, then fetches what the check misses by name and the remote has. */
async function mendLocal(run: Run, engine: Engine, root: string, { list, corrupt, check }: Damage): Promise<Pick<Damage, 'corrupt' | 'check'>> {
  if (check.isSound && corrupt.length === 0) return { corrupt, check }
  const transport = await run.transport().catch(() => null)
  if (transport === null || !(await transport.ready({ signal: run.signal })).ok) return { corrupt, check }
  const fetched = await fetchSound(run, transport, root, corrupt.filter((file) => !file.healed).map(({ file }) => file))
  const mended = corrupt.map((file) => ({ ...file, healed: file.healed || fetched.has(file.file) }))
  const listed = await asked(run, () => transport.list('', { signal: run.signal }))
  const here = new Set(list.flatMap(({ files }) => files.map(({ path }) => path)))
  const onlyThere = !listed.ok ? [] : groupFiles(engine.layout(), listed.value).list.filter(({ group }) => group.nameIs === 'sha256').flatMap(({ files }) => files.map(({ path }) => path)).filter((path) => !here.has(path))
  let now = fetched.size === 0 ? check : await checkAgain(run, engine, check)
  for (let checks = 1; !now.isSound && checks < mostChecks; checks++) {
    const missing = onlyThere.filter((path) => isNamed(path, now.errors) && !fetched.has(path))
    const found = await fetchSound(run, transport, root, missing)
    if (found.size === 0) break
    for (const file of found) {
      fetched.add(file)
      mended.push({ file, where: 'local', healed: true })
    }
    now = await checkAgain(run, engine, now)
  }
  return { corrupt: mended, check: now }
}

async function checkAgain(run: Run, engine: Engine, before: CheckResult): Promise<CheckResult> {
  run.reporter.step('checking the repository again')
  const again = await engine.check({ readDataPercent: 0, signal: run.signal })
  return again.ok ? again.value : { isSound: false, errors: [...before.errors, again.failure.message] }
}

/** Whether one of these errors speaks of the file: by its name, or by the beginning of it, as engines write it. */
function isNamed(path: string, errors: readonly string[]): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return errors.some((error) => (error.match(/\b[0-9a-f]{8,64}\b/g) ?? []).some((word) => name.startsWith(word)))
}

/** Fetches sound copies of local files, each compared before it takes its place, in one step. */
async function fetchSound(run: Run, transport: Transport, root: string, files: readonly string[]): Promise<Set<string>> {
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
