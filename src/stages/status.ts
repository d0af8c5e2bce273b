import { failed, type Engine, type Failure, type Snapshot, type StackCondition, type StackState } from '@stackbk/contract'

import { exitCodes, problemFrom, StackbkError, type Problem } from '../errors.js'
import { readDirlist, type ListedStack } from '../stacks/dirlist.js'
import { stackKey } from '../stacks/identity.js'
import { recallStack, stackMemories } from '../stacks/stack-memory.js'
import { lastGoodSnapshot, ledgerTag, marksOf, newestSnapshot, stackOf } from './backup/stack-snapshots.js'
import { datedInFutureProblem, isDatedInFuture } from './dated-in-future.js'
import { datedTooEarlyProblem, madeAfter } from './dated-too-early.js'
import { lastDrill, lastDrillOfEach, type LastDrill, type StackDrill } from './drill/record.js'
import { readRuns } from './history.js'
import { gatherKit } from './kit/contents.js'
import { hasChanged, kitRecord } from './kit/record.js'
import { type LastFailure, lastFailures } from './last-failures.js'
import { anyRepositoryKnown, knownRepository } from './repository-memory.js'
import { lookInto, refusalOf, type RepositoryLook } from './repository.js'
import { repositoryBytes } from './repository-size.js'
import { concluded, type Outcome, type ResultHeader } from './result.js'
import type { Run } from './run.js'
import { earliest, type ScheduledExtra, schedulesOf } from './schedule/installed.js'
import { KnownRemotes } from './sync/known-remotes.js'
import { TimeLimit } from './time-limit.js'

export interface StackStatusReport {
  readonly name: string
  readonly enabled: boolean
  readonly state: StackCondition | 'unavailable'
  /** The last good one. */
  readonly lastSnapshot: { readonly id: string; readonly time: string } | null
  readonly ageMs: number | null
  /** The newest one, with its marks: none for a good one. `null` where there is none, or the snapshots could not be listed. */
  readonly newestSnapshot: { readonly id: string; readonly time: string; readonly ageMs: number; readonly marks: readonly string[] } | null
  readonly lastDowntimeMs: number | null
  readonly lastReadyMs: number | null
  readonly overdue: boolean
}

export interface StatusBody {
  readonly stacks: readonly StackStatusReport[]
  readonly repository: { readonly path: string; readonly id: string | null; readonly bytes: number | null; readonly snapshots: number | null; readonly reachable: boolean }
  readonly cloud: { readonly remote: string; readonly lastSync: string | null; readonly ageMs: number | null; /** `null` if the snapshots could not be listed. */ readonly behindSnapshots: number | null; readonly overdue: boolean; /** Where the last sync went, if that was another remote than the configured one. Absent otherwise. */ readonly lastRemote?: string } | null
  /** The last backup, the last backup of a stack and the last sync to the configured remote, if they failed. Absent if none did. */
  readonly failures?: readonly LastFailure[]
  readonly lastDrill: LastDrill | null
  /** The last drill of each stack that is listed, the latest first. Absent: none was drilled. */
  readonly drills?: readonly StackDrill[]
  /** The last disaster kit that this host wrote. `outdated`: what it holds has changed since; `null` where that cannot be told now. */
  readonly kit: { readonly file: string; readonly writtenAt: string; readonly checkedAt: string | null; readonly outdated: boolean | null } | null
  /** The next scheduled run with this configuration. ISO 8601 UTC; `null` where none is scheduled. */
  readonly nextRun: string | null
  /** A verify or a drill that is scheduled. Absent: none is. */
  readonly scheduled?: readonly ScheduledExtra[]
}

export type StatusResult = ResultHeader & StatusBody

/** A part that does not answer within this time is reported as such, and the others are shown. */
const answerLimitMs = 60_000

/**
 * Per stack and for the cloud: what is there, how old, whether overdue. Changes nothing.
 *
 * @param limitMs how long an engine, a repository or a disk may take to answer
 */
export async function status(opened: Run, limitMs = answerLimitMs): Promise<Outcome<StatusResult>> {
  const limit = new TimeLimit(limitMs, opened.signal)
  try {
    return await report({ ...opened, signal: limit.signal }, limit)
  } finally {
    limit.end()
  }
}

async function report(run: Run, limit: TimeLimit): Promise<Outcome<StatusResult>> {
  const { docker } = run.configuration
  const dirlist = readDirlist({ file: docker.dirlist, stacksDirectory: docker.stacksDirectory })
  const engine = await run.engine()
  const location = engine.location()
  const known = knownRepository(run.state.repositories, location.display)
  const [look, found, schedules] = await Promise.all([
    limit.answer(statesOf(run, dirlist.stacks), (failure) => ({ states: new Map<string, StackState>(), problems: [problemFrom(failure)] }), 'the container engine'),
    limit.answer(lookInto(engine, known, { signal: run.signal, marks: run.state.marks }), (failure): RepositoryLook => ({ repository: { ok: false, failure }, snapshots: { ok: false, failure }, configDigest: null }), `the repository ${location.display}`),
    limit.answer(schedulesOf({ exec: run.exec, environment: process.env, signal: run.signal }, run.configuration.file), () => [], 'the schedule'),
  ])
  // What lies there instead of the known repository says nothing about it.
  const refusal = refusalOf(engine, known, found.repository, run.command)
  const failure: Failure | null = refusal === null ? null : { kind: 'repository-missing', message: refusal.message, toolOutput: refusal.detail, fix: refusal.fix }
  const { repository: opened, snapshots } = failure === null ? found : { repository: failed(failure), snapshots: failed(failure) }
  const problems: Problem[] = [...dirlist.problems, ...look.problems]
  const codes: number[] = look.problems.length > 0 ? [exitCodes.ofKind('tool-not-answering')] : []

  // Only a host that never used any repository has one that is still to be created.
  const isNew = !opened.ok && opened.failure.kind === 'repository-missing' && known === null
  const isNotMadeYet = isNew && !anyRepositoryKnown(run.state.repositories) && !dirlist.stacks.some(({ stack }) => stack !== null && (recallStack(run.state.stacks, stackKey(stack))?.lastGood ?? null) !== null)
  if (!opened.ok) {
    const problem = problemFrom(opened.failure, { severity: isNotMadeYet ? 'warning' : 'error', ...(refusal === null ? {} : { code: refusal.code }) })
    problems.push(isNew && !isNotMadeYet ? { ...problem, fix: `Correct the location of the repository in ${run.configuration.file}. If it is right, the next backup creates a new repository there: stackbk backup` } : problem)
    if (!isNotMadeYet) codes.push(exitCodes.ofKind(opened.failure.kind))
  }
  const list = snapshots.ok ? snapshots.value : []
  const now = Date.now()
  const isListed = snapshots.ok || isNotMadeYet
  const repositoryId = opened.ok ? opened.value.id : (known?.repositoryId ?? null)
  // A record that cannot be read leaves open which repository it was.
  const isOfRepository = (id: string): boolean => (known !== null && known.repositoryId === null && !opened.ok ? true : id === repositoryId)
  const stacks = dirlist.stacks.map((listed) => reportFor(run, { listed, states: look.states, snapshots: isListed ? list : null, isOfRepository, now }))
  for (const stack of stacks.filter(({ overdue }) => overdue)) {
    const what = stack.lastSnapshot === null ? (isListed ? 'has no good snapshot' : 'the age of its last good snapshot is unknown, because the repository could not be read') : `has no good snapshot since ${stack.lastSnapshot.time}`
    const { newestSnapshot: newest } = stack
    const isMarked = newest !== null && newest.marks.length > 0
    // What is marked is there all the same, and may be all that there ever is.
    const instead = isMarked ? `; the newest, of ${newest.time}, is marked ${newest.marks.join(', ')}` : ''
    const fix = isMarked ? `See why in the report of: stackbk backup ${stack.name}` : `Run: stackbk backup ${stack.name}`
    problems.push({ severity: 'error', code: 'overdue', message: `${what}${instead}`, fix, stack: stack.name })
  }
  for (const { name, enabled, overdue, newestSnapshot: newest, lastSnapshot } of stacks) {
    if (!enabled || overdue || newest === null || newest.marks.length === 0 || lastSnapshot === null) continue
    problems.push({ severity: 'warning', code: 'newest-marked', message: `its newest snapshot, of ${newest.time}, is marked ${newest.marks.join(', ')}; the last good one is of ${lastSnapshot.time}`, fix: `See why in the report of: stackbk backup ${name}`, stack: name })
  }
  for (const snapshot of list.filter((one) => one.host === run.configuration.backup.hostname && stackOf(one) !== null && isDatedInFuture(one, now))) problems.push(datedInFutureProblem({ ...snapshot, stack: stackOf(snapshot) }))
  const memories = stackMemories(run.state.stacks)
  if (repositoryId !== null) problems.push(...stacks.flatMap(({ name }) => clockProblems(run, name, { snapshots: list, repositoryId, memories })))
  const cloud = await cloudStatus(run, remotesOf(run, repositoryId, location.display), isListed ? list : null, now)
  if (cloud?.lastRemote !== undefined) problems.push({ severity: 'warning', code: 'remote-changed', message: `the last sync copied the repository to ${cloud.lastRemote}, and the configured remote is ${cloud.remote}`, fix: 'Correct the remote in the configuration, or run: stackbk sync (with --allow-new-remote if the new one is still empty)' })
  if (cloud?.overdue) problems.push({ severity: 'error', code: 'cloud-overdue', message: cloud.lastSync === null ? `nothing was copied to ${cloud.remote} yet` : `nothing was copied to ${cloud.remote} since ${cloud.lastSync}`, fix: 'Run: stackbk sync' })
  const failures = lastFailures(readRuns(run.state.history), { remote: cloud?.remote ?? null, stacks: stacks.filter(({ enabled }) => enabled).map(({ name }) => name) })
  for (const failure of failures) problems.push(failureProblem(failure, now))
  const kit = await limit.answer(kitStatus(run, engine), () => kitStatusWithout(run), 'the disaster kit')
  if (kit?.outdated === true) problems.push({ severity: 'warning', code: 'kit-outdated', message: `the disaster kit of ${kit.writtenAt} holds other secrets or settings than this host has now`, fix: `Run: stackbk kit write ${kit.file}` })
  const waiting = run.journal.waiting()
  for (const name of waiting) {
    problems.push({ severity: 'error', code: 'left-stopped', message: 'an interrupted run left it stopped', fix: 'Run: stackbk resume', stack: name })
  }
  const drills = lastDrillOfEach(run.state.lastDrill).filter(({ name }) => stacks.some((stack) => stack.name === name))
  const extras = schedules.flatMap((schedule) => schedule.extras ?? [])
  const body: StatusBody = {
    stacks,
    repository: {
      path: location.display,
      id: repositoryId,
      bytes: opened.ok ? await limit.answer(repositoryBytes(engine), () => null, 'the repository') : null,
      snapshots: snapshots.ok ? list.length : null,
      reachable: opened.ok,
    },
    cloud,
    ...(failures.length === 0 ? {} : { failures }),
    lastDrill: lastDrill(run.state.lastDrill),
    ...(drills.length === 0 ? {} : { drills }),
    kit,
    nextRun: earliest(schedules),
    ...(extras.length === 0 ? {} : { scheduled: extras }),
  }
  const isOverdue = stacks.some(({ overdue }) => overdue) || cloud?.overdue === true || failures.length > 0 || waiting.length > 0
  return concluded(run, body, { status: codes.length > 0 ? 'failed' : isOverdue ? 'partial' : 'ok', problems, codes: [...codes, isOverdue ? 3 : 0] })
}

async function statesOf(run: Run, listed: readonly ListedStack[]): Promise<{ states: ReadonlyMap<string, StackState>; problems: readonly Problem[] }> {
  const directories = listed.flatMap(({ stack }) => (stack === null ? [] : [stack.directory]))
  const runtime = await run.runtime()
  const ready = await runtime.ready({ signal: run.signal })
  const look = ready.ok ? await runtime.inspect(directories, { signal: run.signal }) : ready
  if (!look.ok) return { states: new Map(), problems: [problemFrom(look.failure)] }
  return { states: new Map(look.value.map((state) => [state.directory, state])), problems: [] }
}

interface StackView {
  readonly listed: ListedStack
  readonly states: ReadonlyMap<string, StackState>
  /** `null`: they could not be listed. */
  readonly snapshots: readonly Snapshot[] | null
  /** What this host recorded of a stack counts only for the repository that is configured. */
  readonly isOfRepository: (id: string) => boolean
  readonly now: number
}

/** Names the last good snapshot that was made with a clock that was behind. The age that is shown is that of the one before it: it is no younger. */
function clockProblems(run: Run, stack: string, known: Omit<Parameters<typeof madeAfter>[1], 'newest'>): readonly Problem[] {
  const newest = lastGoodSnapshot(known.snapshots, stack, run.configuration.backup.hostname)
  const made = newest === undefined ? null : madeAfter(run, { ...known, newest })
  return newest === undefined || made === null ? [] : [datedTooEarlyProblem(stack, { made, newest, outcome: `recover takes ${made.id.slice(0, 8)}`, fix: `Set the clock if it is behind, then run: stackbk backup ${stack}` })]
}

function failureProblem({ stage, at, message, stack }: LastFailure, now: number): Problem {
  const ago = `${formatAge(now - Date.parse(at))} ago`
  return { severity: 'error', code: `last-${stage}-failed`, message: `the last ${stage} failed ${ago}: ${message}`, fix: `Run: stackbk ${stage}${stack === undefined ? '' : ` ${stack}`}`, ...(stack === undefined ? {} : { stack }) }
}

function formatAge(ageMs: number): string {
  const minutes = Math.max(0, Math.round(ageMs / 60_000))
  if (minutes < 1) return `${Math.max(0, Math.round(ageMs / 1000))} s`
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

function reportFor(run: Run, { listed, states, snapshots, isOfRepository, now }: StackView): StackStatusReport {
  const memory = listed.stack === null ? null : recallStack(run.state.stacks, stackKey(listed.stack))
  const saved = memory?.lastGood ?? undefined
  const found = snapshots === null ? (saved === undefined || isDatedInFuture(saved, now) || !isOfRepository(saved.repositoryId) ? undefined : saved) : lastGoodSnapshot(snapshots, listed.name, run.configuration.backup.hostname)
  const ageMs = found === undefined ? null : Math.max(0, now - Date.parse(found.time))
  const newest = snapshots === null ? undefined : newestSnapshot(snapshots, listed.name, run.configuration.backup.hostname)
  return {
    name: listed.name,
    enabled: listed.enabled,
    state: listed.stack === null ? 'unavailable' : (states.get(listed.stack.directory)?.condition ?? 'unknown'),
    lastSnapshot: found === undefined ? null : { id: found.id, time: found.time },
    ageMs,
    newestSnapshot: newest === undefined ? null : { id: newest.id, time: newest.time, ageMs: Math.max(0, now - Date.parse(newest.time)), marks: marksOf(newest) },
    lastDowntimeMs: memory?.lastDowntimeMs ?? null,
    lastReadyMs: memory?.lastReadyMs ?? null,
    overdue: listed.enabled && (ageMs === null || ageMs > run.configuration.backup.maxAgeMs),
  }
}

function remotesOf(run: Run, repositoryId: string | null, location: string): KnownRemotes | null {
  return repositoryId === null ? null : new KnownRemotes(run.state.repositories, repositoryId, location)
}

/** `null` where no remote is configured. */
async function cloudStatus(run: Run, remotes: KnownRemotes | null, snapshots: readonly Snapshot[] | null, now: number): Promise<StatusBody['cloud']> {
  let remote: string
  try {
    remote = (await run.transport()).location
  } catch (error) {
    if (error instanceof StackbkError) return null
    throw error
  }
  if (remote === '') return null
  const synced = remotes?.of(remote) ?? null
  // A sync that a wrong clock dated in the future proves nothing.
  const lastSync = synced === null || isDatedInFuture({ time: synced.at }, now) ? null : synced
  const ageMs = lastSync === null ? null : Math.max(0, now - Date.parse(lastSync.at))
  const made = snapshots === null ? null : snapshots.filter((snapshot) => !isDatedInFuture(snapshot, now) && !snapshot.tags.includes(ledgerTag))
  const behind = made === null ? null : lastSync === null ? made.length : made.filter((snapshot) => Date.parse(snapshot.time) > Date.parse(lastSync.at)).length
  const isOld = ageMs === null || ageMs > run.configuration.backup.maxAgeMs
  const last = remotes?.last() ?? null
  return {
    remote,
    lastSync: lastSync?.at ?? null,
    ageMs,
    behindSnapshots: behind,
    overdue: behind === null ? remotes !== null && isOld : behind > 0 && isOld,
    ...(last === null || last.remote === remote ? {} : { lastRemote: last.remote }),
  }
}

function kitStatusWithout(run: Run): StatusBody['kit'] {
  const record = kitRecord(run.state.kit)
  return record === null ? null : { file: record.file, writtenAt: record.writtenAt, checkedAt: record.checkedAt, outdated: null }
}

async function kitStatus(run: Run, engine: Engine): Promise<StatusBody['kit']> {
  const record = kitRecord(run.state.kit)
  if (record === null) return null
  const { file, writtenAt, checkedAt } = record
  try {
    return { file, writtenAt, checkedAt, outdated: hasChanged(record, await gatherKit(run, engine, await run.transport())) }
  } catch (error) {
    if (error instanceof StackbkError) return { file, writtenAt, checkedAt, outdated: null }
    throw error
  }
}
