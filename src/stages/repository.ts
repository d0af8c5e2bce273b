import { existsSync, rmSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'

import { answered, type Answer, type Engine, type Repository, type Snapshot } from '@stackbk/contract'

import { errorFrom, StackbkError } from '../errors.js'
import { ensureMachineId } from '../host/machine-id.js'
import { realPathSoFar } from '../host/mounts.js'
import { longestTimerMs } from '../host/timer.js'
import { adviseTool, repositoryKey, toolCommands } from './advice.js'
import { withPendingMarks } from './pending-marks.js'
import { isDiskGone, knownRepository, readConfigDigest, rememberRepository, SnapshotRecord, type KnownRepository } from './repository-memory.js'
import { markerName } from './restore/target.js'
import type { LockSubject, Run } from './run.js'

/** A repository that opens, with what it holds and what this host remembers of it. */
export interface OpenRepository {
  readonly engine: Engine
  readonly repository: Repository
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[]
  readonly record: SnapshotRecord
  /** It was made by this run. */
  readonly isNew: boolean
}

/** What a run that changes a repository locks: its folder by one name, whether it is there yet or not. */
export function repositoryLock(engine: Engine): LockSubject {
  const { path, display } = engine.location()
  return { kind: 'repository', id: path === null ? display : realPathSoFar(path) }
}

/** What a run that starts and stops stacks locks besides the engine: their folder, whatever path leads to it. */
export function stacksLock(run: Run): LockSubject {
  return { kind: 'stacks', id: realPathSoFar(run.configuration.docker.stacksDirectory) }
}

/**
 * Opens the configured repository. One that is missing is made where `mayInit` allows it, and never where one was known: a
 * disk that is not mounted must not become an empty repository. Nor is what lies below the mount point of such a disk taken for
 * the known one, nor another repository at its place.
 *
 * Throws `repository-missing` (10), `repository-locked` (11), `wrong-password` (12), or as the engine says.
 *
 * @param options.accept takes what is there, whatever was known before, and makes one where `mayInit` allows it
 * @param options.look one that was begun earlier, with {@link beginLook}
 * @returns `null` in a dry run for a repository that the real run would make
 */
export async function openRepository(run: Run, options: { readonly mayInit: boolean; readonly accept?: boolean; readonly look?: Promise<RepositoryLook> }): Promise<OpenRepository | null> {
  const engine = await run.engine()
  const location = engine.location()
  const known = knownRepository(run.state.repositories, location.display)
  const { repository, snapshots, configDigest } = await (options.look ?? beginLook(run, engine))
  const isAccepted = options.accept === true
  const refusal = isAccepted ? null : refusalOf(engine, known, repository, run.command)
  if (refusal !== null) throw refusal

  if (!repository.ok) {
    if (repository.failure.kind !== 'repository-missing') throw errorFrom(repository.failure)
    if (location.path !== null && existsSync(join(location.path, markerName))) throw stillRestored(location.path)
    if (known !== null && !isAccepted) throw missingButKnown(location.display, known.lastSeenAt, options.mayInit)
    if (!options.mayInit) throw errorFrom({ fix: `Run: stackbk backup (with AUTO_INIT=true it makes the repository), or correct ${repositoryKey(run)}`, ...repository.failure })
    return run.dryRun ? null : await makeRepository(run, engine)
  }
  if (!snapshots.ok) throw errorFrom(snapshots.failure)

  const record = new SnapshotRecord(run.state.repositories, repository.value.id)
  if (!run.dryRun) {
    ensureMachineId(run.state)
    if (known !== null && known.repositoryId !== null && known.repositoryId !== repository.value.id) {
      run.log('warning', 'another repository is at the place of the known one', { location: location.display, known: known.repositoryId, found: repository.value.id })
      run.reporter.warning(`${location.display} holds another repository than before (${repository.value.id.slice(0, 10)} instead of ${known.repositoryId.slice(0, 10)})`)
    }
    rememberRepository(run.state.repositories, location.display, repository.value, { configDigest })
    // It is at work from now on: a restore that was cut short after its last file must not go on here.
    if (repository.value.path !== null) rmSync(join(repository.value.path, markerName), { force: true })
    record.settle(snapshots.value.map((snapshot) => snapshot.id))
    noteOtherHosts(run, record, snapshots.value)
  }
  if (!run.dryRun && repository.value.path !== null) await removeOldLocks(run, engine)
  return { engine, repository: repository.value, snapshots: snapshots.value, record, isNew: false }
}

/** Records which snapshots other hosts have made: only those may they forget without a proof of this host. */
function noteOtherHosts(run: Run, record: SnapshotRecord, snapshots: readonly Snapshot[]): void {
  const others = snapshots.filter(({ host }) => host !== run.configuration.backup.hostname)
  for (const host of new Set(others.map((snapshot) => snapshot.host))) record.noteOwner(others.filter((snapshot) => snapshot.host === host).map(({ id }) => id), host)
}

/** Looks into the configured repository, and notes and changes nothing. Throws as {@link withinSilence}. */
export function beginLook(run: Run, engine: Engine): Promise<RepositoryLook> {
  const known = knownRepository(run.state.repositories, engine.location().display)
  return withinSilence(run, engine, (signal) => lookInto(engine, known, { signal, marks: run.state.marks }))
}

/** What a look into a repository has come to. */
export interface RepositoryLook {
  readonly repository: Answer<Repository>
  readonly snapshots: Answer<readonly Snapshot[]>
  /** Of the file that holds its ID, as it was before; `null` where that cannot be read here. */
  readonly configDigest: string | null
}

/**
 * Which repository is there, and its snapshots. To open it costs the engine half a second of one processor, whatever for: if
 * the file that holds the ID is the one that it was, the ID is the known one, and the list of snapshots shows that it opens.
 */
export async function lookInto(engine: Engine, known: KnownRepository | null, { signal, marks }: { readonly signal: AbortSignal; /** The folder of marks that are recorded. */ readonly marks: string }): Promise<RepositoryLook> {
  const { display, path } = engine.location()
  const configDigest = path === null ? null : await readConfigDigest(engine.layout?.(), path)
  const isKnown = configDigest !== null && known?.configDigest === configDigest
  const [opened, listed] = await Promise.all([isKnown ? null : engine.open({ signal }), engine.snapshots({}, { signal })])
  const snapshots = listed.ok ? answered(withPendingMarks(listed.value, marks)) : listed
  if (opened !== null) return { repository: opened, snapshots, configDigest }
  // Why it does not open, in the words for that.
  if (!snapshots.ok || path === null || typeof known?.repositoryId !== 'string') return { repository: await engine.open({ signal }), snapshots, configDigest }
  return { repository: answered({ id: known.repositoryId, location: display, path: await realpath(path) }), snapshots, configDigest }
}

/**
 * What opens a repository answers soon. If it says nothing for as long as a tool may be silent, it hangs: a dead disk, a
 * password command that waits for somebody. Throws `tool-not-answering` (4) then.
 */
export async function withinSilence<T>(run: Run, engine: Engine, look: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limitMs = Math.min(run.configuration.backup.stallTimeoutMs, longestTimerMs)
  const limit = AbortSignal.timeout(limitMs)
  const answer = await look(AbortSignal.any([run.signal, limit]))
  if (!limit.aborted || run.signal.aborted) return answer
  throw new StackbkError({
    kind: 'tool-not-answering',
    message: `the repository ${engine.location().display} did not answer within ${limitMs / 1000} s`,
    detail: 'its disk may hang, or the command that gives the password may wait for somebody',
    fix: adviseTool('See whether this ends: ', toolCommands(engine, null).list, 'See whether the tool itself answers, with the same repository and password'),
  })
}

/** An engine renews its lock every few minutes while it lives. */
const deadLockAgeMs = 30 * 60_000

/** A lock that a killed engine left goes, also where its run lived on (killed for want of memory): it would stop every later night. */
async function removeOldLocks(run: Run, engine: Engine): Promise<void> {
  const report = await engine.removeStaleLocks({ leastAgeMs: deadLockAgeMs, signal: run.signal })
  if (report.ok && report.value.removed > 0) run.log('warning', 'removed locks of engines that are gone', { removed: report.value.removed })
}

async function makeRepository(run: Run, engine: Engine): Promise<OpenRepository> {
  ensureMachineId(run.state)
  const made = await engine.init({ signal: run.signal })
  if (!made.ok) throw errorFrom(made.failure)
  const display = engine.location().display
  rememberRepository(run.state.repositories, display, made.value)
  run.log('info', 'repository made', { location: display, id: made.value.id })
  run.reporter.notice(`Made a new repository at ${display}. Keep its password somewhere else than on this host.`)
  return { engine, repository: made.value, snapshots: [], record: new SnapshotRecord(run.state.repositories, made.value.id), isNew: true }
}

const acceptFlag = '--accept-repository'
const acceptingCommands: readonly string[] = ['backup', 'sync', 'recover']

/**
 * Returns why what is at the place of the known repository is not taken for it: its disk is not mounted there, or it is another
 * repository than those that were used there. `null` if nothing is against it.
 *
 * @param repository what was found there
 * @param command the one that is running, for its way out
 */
export function refusalOf(engine: Engine, known: KnownRepository | null, repository: Answer<Repository>, command: string): StackbkError | null {
  if (known === null) return null
  const { display, path } = engine.location()
  const accept = `run once: stackbk ${acceptingCommands.includes(command) ? command : 'backup'} ${acceptFlag}`
  if (path !== null && isDiskGone(known, path)) {
    return new StackbkError({
      kind: 'repository-missing',
      message: `the disk of the repository ${display} is not mounted`,
      detail: `nothing was read or written there: on ${known.lastSeenAt} the repository was on the file system mounted at ${known.mountPoint}`,
      fix: `Mount ${known.mountPoint}. If the repository was moved on purpose, ${accept}`,
    })
  }
  if (!repository.ok || known.repositoryId === null || [known.repositoryId, ...(known.otherIds ?? [])].includes(repository.value.id)) return null
  return new StackbkError({
    kind: 'repository-missing',
    code: 'repository-changed',
    message: `${display} holds another repository than before (${repository.value.id.slice(0, 10)} instead of ${known.repositoryId.slice(0, 10)})`,
    detail: `nothing was written there: the known one was last used on ${known.lastSeenAt}`,
    fix: `Mount the right disk or correct the location of the repository. If this one is to be used from now on, ${accept}`,
  })
}

function stillRestored(path: string): StackbkError {
  return new StackbkError({
    kind: 'repository-missing',
    code: 'restore-unfinished',
    message: `${path} holds a restore that was cut short, and is no repository yet`,
    fix: 'Go on with it: stackbk restore; or remove the folder',
  })
}

function missingButKnown(location: string, lastSeenAt: string, mayInit: boolean): StackbkError {
  return new StackbkError({
    kind: 'repository-missing',
    message: `the repository at ${location} is gone`,
    detail: `It was last seen there on ${lastSeenAt}. No new one is made in its place.`,
    fix: `Mount its disk, or bring it back from the cloud with: stackbk restore${mayInit ? `. To make a new one in its place, run once: stackbk backup ${acceptFlag}` : ''}`,
  })
}
