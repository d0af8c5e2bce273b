import { existsSync, rmSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

import type { Engine, Failure, Transport } from '@stackbk/contract'

import { counted } from '../counted.js'
import { errorFrom, exitCodes, problemFrom, StackbkError, type Problem } from '../errors.js'
import { writeFileAtomically } from '../host/atomic-write.js'
import { ensureFolder } from '../host/state-folder.js'
import { realPathSoFar } from '../host/mounts.js'
import { freeBytes } from './recover/file-systems.js'
import { assertFits } from './recover/room.js'
import { adviseTool, passwordKey, remoteKeys, repositoryKey, toolCommands } from './advice.js'
import { layoutOf } from './layout.js'
import { withinSilence } from './repository.js'
import { configDigestOf, rememberRepository, SnapshotRecord } from './repository-memory.js'
import { concluded, type Outcome } from './result.js'
import { replayJournal } from './resume.js'
import type { Run } from './run.js'
import { checkContents, type ContentCheck } from './restore/content-check.js'
import { holdsRepository, planMerge } from './restore/merge.js'
import type { RestoreBody, RestoreResult } from './restore/restore-result.js'
import { chooseTarget, markerName, type RestoreMarker, type RestoreTarget } from './restore/target.js'
import { fetchIntact } from './verify/healing.js'
import { probe } from './sync.js'
import { groupFiles, type FileList } from './sync/file-list.js'
import { absentRoles } from './sync/restorable.js'
import { asked, sharedLimit, withRetries, type Tally } from './sync/transfer.js'

export interface RestoreChoices {
  readonly path: string | undefined
  /** Let the engine read all data back as well. */
  readonly readData: boolean
}

/**
 * Stage 3: the repository from the cloud, into a folder that is empty, new, or an earlier try, and proven sound. `config`
 * comes last, so that what is half there is no repository to anybody.
 *
 * Throws before anything is written: `usage`, `busy`, `remote-unreachable`, `repository-missing` (the remote holds none), `guard`.
 */
export async function restore(run: Run, choices: RestoreChoices): Promise<Outcome<RestoreResult>> {
  const engine = await run.engine()
  const layout = layoutOf(run, engine)
  const transport = await run.transport()
  const target = chooseTarget({
    asked: choices.path,
    configured: engine.location().path,
    source: transport.location,
    repositoriesFolder: run.state.repositories,
    isRepository: (path) => holdsRepository(layout, path),
    now: run.startedAt,
  })
  if (layout.copiesAreReadOnly === true && target.path === engine.location().path) throw onlyReadable(run, target.path)
  await run.lock({ kind: 'repository', id: realPathSoFar(target.path) })
  const replay = await replayJournal(run)
  const ready = await transport.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  await probe(run, transport)
  const whole = await repositoryOnRemote(run, transport, engine)
  const merge = target.isMerge ? await planMerge(run, { engine: engine.at(target.path), transport, root: target.path, remote: whole }) : null
  const remote = merge?.wanted ?? whole
  assertFits([{ path: target.path, needed: missingBytes(target.path, remote), free: freeBytes(target.path) }], 'Free space there, or name a folder on another disk: stackbk restore PATH')
  const replayed = { problems: [...replay.problems, ...(merge?.problems ?? [])] }

  if (run.dryRun) return concluded(run, bodyFor(transport, target, remote, { filesChecked: 0, corrupt: [] }, 'skipped', null, []), { status: 'ok', problems: replayed.problems })
  run.reporter.notice(`${target.isMerge ? 'bringing what is missing' : target.isResumed ? 'going on with the restore' : 'restoring'} from ${transport.location} to ${target.path}`)
  beginAt(target, transport)
  if (target.isResumed) await removeOutdated(run, engine, target.path, remote)
  const tally: Tally = { files: 0, bytes: 0, attempts: 0 }
  const problems: Problem[] = [...replayed.problems]
  const limit = sharedLimit(run.configuration.cloud.restoreTimeoutMs)
  const failed = await downloadAll(run, transport, { root: target.path, remote: target.isMerge ? withoutPresent(target.path, remote) : remote, limit }, tally)
  if (failed !== null) {
    const codes = [failed.kind === 'cancelled' ? 1 : exitCodes.ofKind('transfer-failed')]
    const next = [`Run the same command again: it goes on where it was cut short`]
    return concluded(run, bodyFor(transport, target, remote, { filesChecked: 0, corrupt: [] }, 'skipped', null, next), { status: 'failed', problems: [...problems, problemFrom(failed, { code: 'transfer-failed' })], codes })
  }

  run.reporter.step('checking every file')
  const check = await checkAndRepair(run, transport, { root: target.path, remote })
  problems.push(...corruptProblems(engine, target.path, check, transport))
  const opened = check.corrupt.length > 0 ? failedOpening : await openRestored(run, engine, target.path, choices.readData)
  // Until here the same command goes on with this folder, also with the look at what came.
  if (check.corrupt.length === 0 && (opened.status === 'ok' || opened.status === 'skipped') && !run.signal.aborted) rmSync(join(target.path, markerName), { force: true })
  problems.push(...opened.problems)
  const body = bodyFor(transport, target, remote, { filesChecked: check.filesChecked, corrupt: check.corrupt }, check.corrupt.length > 0 ? 'failed' : opened.status, opened.snapshots, nextSteps(run, engine, target.path, opened))
  const isUnproven = body.verification.status === 'failed' || body.verification.status === 'unknown'
  const status = isUnproven ? 'failed' : problems.some((problem) => problem.severity === 'error') ? 'partial' : 'ok'
  return concluded(run, body, { status, problems, codes: [...(check.failure === null ? [] : [exitCodes.ofKind('transfer-failed')]), check.corrupt.length > 0 ? exitCodes.ofKind('corrupt') : status === 'failed' ? 1 : status === 'partial' ? 3 : 0, ...opened.codes] })
}

/** The remote's files, if they are a repository. Throws `repository-missing` (10) if they are not. */
async function repositoryOnRemote(run: Run, transport: Transport, engine: Engine): Promise<FileList> {
  const listed = await asked(run, () => transport.list('', { signal: run.signal }))
  if (!listed.ok) throw errorFrom(listed.failure)
  const { list } = groupFiles(layoutOf(run, engine), listed.value)
  const absent = absentRoles(list)
  if (absent.length === 0) return list
  throw new StackbkError({
    kind: 'repository-missing',
    code: 'remote-not-a-repository',
    message: `${transport.location} holds no repository`,
    detail: listed.value.length === 0 ? 'there is no file' : `it holds ${counted(listed.value.length, 'file')}, and a ${absent[0] ?? ''} is missing`,
    fix: `Correct the place of the copy: ${remoteKeys(run)}`,
  })
}

/** Two repositories of one key that are both written to would break such an engine's encryption, or its tables. */
function onlyReadable(run: Run, path: string): StackbkError {
  return new StackbkError({
    kind: 'usage',
    code: 'copy-read-only',
    message: `a copy of a repository of the engine "${run.configuration.backup.engine}" can only be read, so it cannot take the place of ${path}`,
    fix: 'Restore it to a folder of its own, and recover the stacks from there: stackbk restore PATH, then stackbk recover --all --repository PATH. The next backup makes a new repository',
  })
}

/** What still has to come. A file that is there in full size is not fetched again. */
function missingBytes(root: string, remote: FileList): number {
  const isWhole = (path: string, size: number): boolean => statSync(join(root, path), { throwIfNoEntry: false })?.size === size
  return remote.flatMap(({ files }) => files).reduce((sum, { path, size }) => sum + (isWhole(path, size) ? 0 : size), 0)
}

/** Makes the folder and says in it what it is, before the first file comes. */
function beginAt(target: RestoreTarget, transport: Transport): void {
  if (target.isResumed || target.isMerge) return
  const marker: RestoreMarker = {
    schemaVersion: 1,
    what: 'An unfinished restore of a repository by stackbk. Run the same command again to go on with it, or remove this folder.',
    source: transport.location,
    startedAt: new Date().toISOString(),
  }
  try {
    ensureFolder(target.path)
    writeFileAtomically(join(target.path, markerName), `${JSON.stringify(marker, null, 2)}\n`, { mode: 0o600 })
  } catch (error) {
    throw new StackbkError({
      kind: 'usage',
      code: 'target-unusable',
      message: `${target.path} cannot be written to`,
      detail: error instanceof Error ? error.message : String(error),
      fix: 'Give yourself the right to write there and see that there is room, or name another folder: stackbk restore PATH',
    })
  }
}

/**
 * What an earlier try has fetched and the remote has no more: an old index would name packs that are gone. Where `config` is
 * there already, somebody may have worked with the repository, and nothing is removed.
 */
async function removeOutdated(run: Run, engine: Engine, root: string, remote: FileList): Promise<void> {
  const layout = layoutOf(run, engine)
  if (layout.groups.some(({ role, path }) => role === 'config' && existsSync(join(root, path)))) return
  const there = await readdir(root, { recursive: true })
  const wanted = new Set(remote.flatMap(({ files }) => files.map((file) => file.path)))
  const outdated = groupFiles(layout, there.map((path) => ({ path, size: 0 }))).list.flatMap(({ files }) => files).filter(({ path }) => !wanted.has(path))
  for (const { path } of outdated) rmSync(join(root, path), { force: true })
  if (outdated.length > 0) run.log('info', 'removed what an earlier try had fetched and the remote has no more', { files: outdated.length })
}

/** All groups, `config` last. Files that are there in full size are not fetched again. */
async function downloadAll(run: Run, transport: Transport, { root, remote, limit }: { readonly root: string; readonly remote: FileList; readonly limit: Limit }, tally: Tally): Promise<Parameters<typeof problemFrom>[0] | null> {
  const order = [...remote.filter(({ group }) => group.role !== 'config'), ...remote.filter(({ group }) => group.role === 'config')]
  for (const { group, files } of order) {
    if (files.length === 0) continue
    const title = `downloading ${group.name}: ${counted(files.length, 'file')}`
    run.reporter.step(title)
    const came = await download(run, transport, { root, files: files.map((file) => file.path), whenSameSize: group.nameIs === 'none' ? 'replace' : 'keep', title, limit }, tally)
    if (!came.ok) return came.failure
  }
  return null
}

/** Files of a repository that are there in another size are corrupt, and stay until an intact copy has been compared: see {@link checkAndRepair}. */
function withoutPresent(root: string, list: FileList): FileList {
  return list.map(({ group, files }) => ({ group, files: group.nameIs === 'none' ? files : files.filter(({ path }) => !existsSync(join(root, path))) }))
}

type Limit = ReturnType<typeof sharedLimit>

interface Download {
  readonly root: string
  readonly files: readonly string[]
  readonly whenSameSize: 'keep' | 'replace'
  readonly title: string
  /** What is left of RESTORE_TIMEOUT, which is one for all of it. */
  readonly limit: Limit
}

function download(run: Run, transport: Transport, { root, files, whenSameSize, title, limit }: Download, tally: Tally): ReturnType<typeof withRetries> {
  return withRetries(run, tally, () =>
    transport.download({
      files,
      localRoot: root,
      whenSameSize,
      stallTimeoutMs: run.configuration.backup.stallTimeoutMs,
      ...limit(),
      signal: run.signal,
      onProgress: (progress) => run.reporter.step(title, progress),
    }),
  )
}

interface RepairedCheck extends ContentCheck {
  /** Those that are corrupt on the remote too. */
  readonly corruptThere: readonly string[]
  /** Why others could not be fetched. */
  readonly failure: Failure | null
}

/** A file that is not intact is fetched once more, next to the one that is there, which stays until an intact one takes its place. */
async function checkAndRepair(run: Run, transport: Transport, { root, remote }: { readonly root: string; readonly remote: FileList }): Promise<RepairedCheck> {
  const onFile = (done: number, total: number): void => run.reporter.step('checking every file', { phase: 'check', filesDone: done, filesTotal: total })
  const first = await checkContents(root, remote, { signal: run.signal, onFile })
  if (first.corrupt.length === 0) return { ...first, corruptThere: [], failure: null }
  run.log('warning', 'files are not intact and are fetched again', { files: first.corrupt })
  run.reporter.step('downloading again what is not intact')
  const { healed, corruptThere, failure } = await fetchIntact(run, transport, root, first.corrupt)
  return { filesChecked: first.filesChecked, corrupt: first.corrupt.filter((path) => !healed.has(path)), corruptThere, failure }
}

/** What the remote has corrupt too is lost there; what it did not deliver may still come. */
function corruptProblems(engine: Engine, root: string, { corrupt, corruptThere, failure }: RepairedCheck, transport: Transport): readonly Problem[] {
  const here = corrupt.filter((path) => !corruptThere.includes(path))
  return [
    ...(corruptThere.length === 0 ? [] : [{
      severity: 'error',
      code: 'rotten-on-remote',
      message: `${counted(corruptThere.length, 'file')} ${corruptThere.length === 1 ? 'does not match its checksum' : 'do not match their checksums'}, on the remote too: ${corruptThere.slice(0, 3).join(', ')}`,
      fix: `Use what is intact with the tool itself.${adviseTool(' See what is lost: ', toolCommands(engine, root).check, '')}`,
    } as const]),
    ...(here.length === 0 ? [] : [{
      severity: 'error',
      code: 'corrupt-not-repaired',
      message: `${counted(here.length, 'file')} ${here.length === 1 ? 'is' : 'are'} corrupt here and could not be fetched again from ${transport.location}${failure === null ? '' : ` (${problemFrom(failure).message})`}: ${here.slice(0, 3).join(', ')}. They stay as they are`,
      fix: 'Run the same command again when the remote answers',
    } as const]),
  ]
}

interface Opening {
  readonly status: RestoreBody['verification']['status']
  readonly snapshots: number | null
  readonly problems: readonly Problem[]
  readonly codes: readonly number[]
  readonly hasPassword: boolean
}

const failedOpening: Opening = { status: 'failed', snapshots: null, problems: [], codes: [], hasPassword: true }

/** Opens what came with the engine and lets it check. Without a password this is skipped, and said so. */
async function openRestored(run: Run, configured: Engine, root: string, readData: boolean): Promise<Opening> {
  const engine = configured.at(root)
  await engine.completeCopy?.(root)
  const ready = await engine.ready({ signal: run.signal })
  const opened = ready.ok ? await withinSilence(run, engine, (signal) => engine.open({ signal })) : ready
  if (!opened.ok) {
    if (opened.failure.kind === 'configuration' || opened.failure.kind === 'tool-missing' || opened.failure.kind === 'tool-too-old') {
      return { status: 'skipped', snapshots: null, problems: [problemFrom(opened.failure, { severity: 'warning', code: 'not-opened' })], codes: [], hasPassword: false }
    }
    return { status: unprovenAfter(opened.failure), snapshots: null, problems: [problemFrom(opened.failure)], codes: [exitCodes.ofKind(opened.failure.kind)], hasPassword: true }
  }
  run.reporter.step('checking the repository')
  const [check, snapshots] = await Promise.all([engine.check({ readDataPercent: readData ? 100 : 0, signal: run.signal, onProgress: (progress) => run.reporter.step('checking the repository', progress) }), engine.snapshots({}, { signal: run.signal })])
  const count = snapshots.ok ? snapshots.value.length : null
  if (snapshots.ok) {
    rememberRepository(run.state.repositories, engine.location().display, opened.value, { configDigest: configDigestOf(engine.layout?.(), root) })
    new SnapshotRecord(run.state.repositories, opened.value.id).noteSeen(snapshots.value.map((snapshot) => snapshot.id))
  }
  if (!check.ok) return { status: unprovenAfter(check.failure), snapshots: count, problems: [problemFrom(check.failure, { code: 'verification-not-made' })], codes: [exitCodes.ofKind(check.failure.kind)], hasPassword: true }
  if (check.value.isSound) return { status: 'ok', snapshots: count, problems: [], codes: [], hasPassword: true }
  const problem: Problem = { severity: 'error', code: 'repository-damaged', message: `the repository does not pass its check: ${check.value.errors.at(-1) ?? ''}`, fix: adviseTool('See: ', toolCommands(configured, root).check, 'Run: stackbk verify') }
  return { status: 'failed', snapshots: count, problems: [problem], codes: [exitCodes.ofKind('corrupt')], hasPassword: true }
}

/** What a failure says of the repository itself counts against it. A lock, a limit or a tool that died says only that the check could not be made. */
function unprovenAfter({ kind }: Failure): 'failed' | 'unknown' {
  return kind === 'corrupt' || kind === 'wrong-password' || kind === 'repository-missing' ? 'failed' : 'unknown'
}

function nextSteps(run: Run, engine: Engine, root: string, opened: Opening): readonly string[] {
  if (opened.status === 'failed') return [`Do not use ${root} as it is: see the problems above`]
  if (opened.status === 'unknown') return [`${root} is not verified yet: see the problems above, then run the same command again`]
  const commands = toolCommands(engine, root)
  const steps = [`The repository is in ${root}`]
  const password = passwordKey(run)
  if (!opened.hasPassword) steps.push(`Give its password${password === '' ? '' : ` (${password} in the configuration)`}${adviseTool(', then check it: ', commands.check, '')}`)
  const isReadOnly = engine.layout?.().copiesAreReadOnly === true
  if (isReadOnly) steps.push('Only read from it: backups need a new repository')
  else if (engine.location().path !== root) steps.push(`To go on with it, set ${repositoryKey(run)} to ${root} in ${run.configuration.file}, or move it to ${engine.location().display}`)
  const named = engine.location().path === root ? '' : ` --repository ${root}`
  if (commands.list !== undefined) steps.push(`See what is in it: ${commands.list}`)
  steps.push(`Bring a stack back, up to running containers: stackbk recover NAME${named}; all of them: stackbk recover --all${named}`)
  return steps
}

function bodyFor(transport: Transport, target: RestoreTarget, remote: FileList, check: ContentCheck, status: RestoreBody['verification']['status'], snapshots: number | null, steps: readonly string[]): RestoreBody {
  const files = remote.flatMap((entry) => entry.files)
  return {
    source: transport.location,
    target: target.path,
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    verification: { status, ...check },
    snapshots,
    nextSteps: steps,
  }
}
