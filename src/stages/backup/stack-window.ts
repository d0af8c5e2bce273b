import { setTimeout as delay } from 'node:timers/promises'

import type { Answer, ContainerEnd, FrozenCopy, Log, NeighbourEnd, PreparedSnapshot, Progress, ReadingTime, Runtime, SnapshotResult, UpReport, Watch, WatchReport } from '@stackbk/contract'

import { bootId } from '../../host/boot.js'
import { longestTimerMs } from '../../host/timer.js'
import type { Journal, JournalEntry } from '../../stacks/journal.js'
import { stackKey } from '../../stacks/identity.js'
import type { StackPhase } from '../reporter.js'
import { findLostSources, isAnythingLost, type LostSources, nothingLost, placesAtStop, wasRebootedSince } from './lost-sources.js'
import type { StackPlan } from './stack-plan.js'
import type { StartedWriter } from './writers.js'

/** The engine's events may arrive a little after what they tell of is already visible. */
const eventsLimitMs = 2_000
const pollMs = 10

/**
 * How long a snapshot that is given up for lack of time may take to end: restic needs a moment for its lock. One that is stuck
 * in the kernel, with its disk, ends when it can, and the stack does not wait for that.
 */
const givingUpMs = 2_000

/** How often an engine that went away is asked whether it is back. */
const engineAwayPollMs = 500

export interface WindowContext {
  readonly runtime: Runtime
  readonly journal: Journal
  readonly runId: string
  readonly graceSeconds: number
  readonly healthTimeoutMs: number
  /** Ends the stop and the snapshot; never the start. */
  readonly signal: AbortSignal
  /** Past it the snapshot is given up and the stack started; null: no limit. */
  readonly maxDowntimeMs: number | null
  readonly log: Log
  readonly onPhase: (phase: StackPhase, progress?: Progress) => void
  /** Makes a still copy of all that the snapshot will hold, to be read when the stack runs again; null: the stack is read in the window. */
  readonly freeze: ((signal: AbortSignal) => Promise<Answer<FrozenCopy>>) | null
  /** The stop is over, nothing is read yet: the last moment to write what the snapshot should hold of it. */
  readonly onStopped: (ended: readonly ContainerEnd[]) => void | Promise<void>
  /**
   * Called when the snapshot is over and the start begins, in the same moment and before a container can run: the watch for other
   * writers ends with it. From here on something else may be prepared.
   */
  readonly onStarting: () => void
}

type Watchers = Pick<WindowContext, 'log' | 'onPhase' | 'onStarting'>

/** What happened between the stop and the confirmed start of one stack. */
export interface WindowResult {
  readonly stop: Answer<readonly string[]>
  readonly ended: readonly ContainerEnd[]
  /** `null` when nothing was to be frozen. Where it worked, no snapshot was tried. */
  readonly frozen: Answer<FrozenCopy> | null
  /** `null` when no snapshot was tried, because the run was interrupted before. */
  readonly snapshot: Answer<SnapshotResult> | null
  /** A snapshot that was given up and had not ended when the stack was started; what comes of it is no snapshot of a quiet stack. */
  readonly late: Promise<Answer<SnapshotResult>> | null
  /** The snapshot was given up because the stack had been down for as long as it may. */
  readonly isOverBudget: boolean
  /** Why the stack was not started; nothing when it was. */
  readonly lost: LostSources
  readonly start: Answer<void>
  readonly up: Answer<UpReport>
  readonly downtimeMs: number | null
  readonly readyMs: number | null
  /** Containers of the stack that ran while it was read, and whether that could be seen at all. */
  readonly disturbedBy: readonly string[]
  /** Containers of elsewhere that were started while the stack was read, and can write to its data. */
  readonly startedWriters: readonly StartedWriter[]
  /** What the stop did to containers of other projects. */
  readonly neighboursEnded: readonly NeighbourEnd[]
  readonly couldNotWatch: boolean
}

/**
 * The window in which a stack is down: journal, stop, snapshot, start, confirmation, in this order and nothing else. Whatever
 * fails in between, the start is reached; the journal's entry goes only when the stack is confirmed up.
 *
 * Throws only when the journal cannot be written, which is before anything is touched.
 */
export async function snapshotInWindow(plan: StackPlan, prepared: PreparedSnapshot, watch: Watch | null, context: WindowContext): Promise<WindowResult> {
  const { runtime, journal } = context
  const { log, onPhase } = unfailing(context)
  const entry = await entryFor(plan, context)
  journal.write(entry)
  const since = new Date()
  const spent = new AbortController()
  // Not `AbortSignal.timeout`, with which Node would end, and leave the stack down, where nothing else is waited for.
  const timer = context.maxDowntimeMs === null ? undefined : setTimeout(() => spent.abort(), Math.min(context.maxDowntimeMs, longestTimerMs))
  const budget = timer === undefined ? null : spent.signal
  const signal = budget === null ? context.signal : AbortSignal.any([context.signal, budget])

  let stop: Answer<readonly string[]> = notReached('the stop')
  let ended: readonly ContainerEnd[] = []
  let frozen: Answer<FrozenCopy> | null = null
  let snapshot: Answer<SnapshotResult> | null = null
  let late: Promise<Answer<SnapshotResult>> | null = null
  const reading = { from: 0, until: 0 }
  try {
    onPhase('stopping')
    log('info', 'stopping', { stack: plan.stack.name, mode: plan.mode })
    const evidence = await runtime.stop(plan.state, { mode: plan.mode, graceSeconds: context.graceSeconds, signal })
    stop = evidence.ok ? { ok: true, value: evidence.value.stillRunning } : evidence
    if (evidence.ok) ended = evidence.value.ended
    log('info', 'stopped', { stack: plan.stack.name, ended })

    if (!signal.aborted) {
      await context.onStopped(ended)
      reading.from = Date.now()
      if (context.freeze !== null) {
        onPhase('freezing')
        const { freeze } = context
        frozen = await within(budget, settled(() => freeze(signal)), copyGivenUp)
        reading.until = Date.now()
        log('info', 'frozen', { stack: plan.stack.name, failure: frozen.ok ? null : frozen.failure })
      }
    }
    if (signal.aborted) {
      await within(budget, abandoned(prepared), goneAnyway)
    } else if (frozen?.ok !== true) {
      onPhase('snapshot')
      log('info', 'snapshot begun', { stack: plan.stack.name })
      const taking = prepared.take({ signal, onProgress: (progress) => onPhase('snapshot', progress) })
      snapshot = await within(budget, taking, snapshotGivenUp)
      if (snapshot === snapshotGivenUp) late = settled(() => taking)
      reading.until = Date.now()
      log('info', 'snapshot ended', { stack: plan.stack.name, snapshot: snapshot.ok ? snapshot.value.id : null })
    }
  } catch (error) {
    // A provider that throws against its contract must not keep a stack down.
    const failure = { kind: 'failed', message: 'the window was left by an error', toolOutput: String(error) } as const
    if (snapshot === null) snapshot = { ok: false, failure }
    await within(budget, abandoned(prepared), goneAnyway)
  }

  // It may still end what the stop has left under way, and must not keep a run from ending that is over.
  timer?.unref()
  const isOverBudget = budget?.aborted === true && !context.signal.aborted && snapshot?.ok !== true && frozen?.ok !== true
  const lost = await findLostSources(entry)
  if (isAnythingLost(lost)) {
    log('error', 'not started: sources are not where they were', { stack: plan.stack.name, ...lost })
    return { stop, ended, frozen, snapshot, late, isOverBudget, lost, start: notReached('the start'), up: notReached('the start'), downtimeMs: null, readyMs: null, disturbedBy: [], startedWriters: [], neighboursEnded: [], couldNotWatch: false }
  }
  const { start, up } = await startAndConfirm(entry, since, context)
  return { stop, ended, frozen, snapshot, late, isOverBudget, lost: nothingLost, start, up, ...(await seenBy(watch, plan, reading, { runtime, log, mode: plan.mode, ended })) }
}

const goneAnyway: Answer<void> = { ok: true, value: undefined }

/** Never rejects. */
function abandoned(prepared: PreparedSnapshot): Promise<Answer<void>> {
  return settled(async () => (await prepared.abandon(), goneAnyway))
}

const snapshotGivenUp = givenUp('the snapshot was given up')
const copyGivenUp = givenUp('the frozen copy was given up')

function givenUp(message: string): { readonly ok: false; readonly failure: { readonly kind: 'timed-out'; readonly message: string } } {
  return { ok: false, failure: { kind: 'timed-out', message } }
}

/** What is under way, or `otherwise` when it has still not ended a moment after the budget was spent. */
async function within<T>(budget: AbortSignal | null, underway: Promise<Answer<T>>, otherwise: Answer<T>): Promise<Answer<T>> {
  if (budget === null) return await underway
  const done = new AbortController()
  const spent = new Promise<void>((resolve) => (budget.aborted ? resolve() : budget.addEventListener('abort', () => resolve(), { once: true, signal: done.signal })))
  try {
    return await Promise.race([underway, spent.then(() => delay(givingUpMs, otherwise, { signal: done.signal }))])
  } finally {
    done.abort()
  }
}

/** Starts what the entry says ran, waits until it is up, and removes the entry if it is. Used by `resume` as well. */
export async function startAndConfirm(
  entry: JournalEntry,
  since: Date,
  context: Pick<WindowContext, 'runtime' | 'log' | 'onPhase' | 'onStarting'> & { readonly journal: Pick<Journal, 'remove'> },
): Promise<{ start: Answer<void>; up: Answer<UpReport> }> {
  const { runtime, journal } = context
  const { log, onPhase, onStarting } = unfailing(context)
  const isAfterReboot = wasRebootedSince(entry)
  const startRequest = { mode: entry.mode, healthTimeoutMs: entry.healthTimeoutMs, ...(isAfterReboot ? { isAfterReboot } : {}) }
  onPhase('starting')
  log('info', 'starting', { stack: entry.name })
  // The start's commands are on their way before anything else may use the processor.
  const starting = settled(() => runtime.start(entry.state, startRequest))
  onStarting()
  let start = await starting
  onPhase('waiting')
  const askUp = (): Promise<Answer<UpReport>> => settled(() => runtime.waitUntilUp(entry.state, { since, timeoutMs: entry.healthTimeoutMs, ...(isAfterReboot ? { isAfterReboot } : {}) }))
  let up = await askUp()
  // An engine that is being restarted (an upgrade at night) comes back, and must not leave the stack down. What fails for
  // another reason is tried once more: a port or a network of the very stack may have been let go a moment too late.
  const deadline = performance.now() + entry.healthTimeoutMs
  const mayComeUp = async (attempt: number): Promise<boolean> => {
    if (up.ok && up.value.isUp) return false
    return isAway(start) || isAway(up) ? comesBack(runtime, deadline) : attempt === 1 && !start.ok
  }
  for (let attempt = 1; await mayComeUp(attempt); attempt++) {
    log('warning', 'it is not up: starting again', { stack: entry.name, start: start.ok ? 'ok' : start.failure })
    start = await settled(() => runtime.start(entry.state, startRequest))
    up = await askUp()
  }
  const isUp = up.ok && up.value.isUp
  log(isUp ? 'info' : 'error', isUp ? 'confirmed up' : 'not up', { stack: entry.name, start: start.ok ? 'ok' : start.failure, up: up.ok ? up.value : up.failure })
  try {
    if (isUp) journal.remove(entry.key)
  } catch (error) {
    // It is up: the next run finds it running and tries again.
    log('error', 'the journal entry could not be removed', { stack: entry.name, reason: String(error) })
  }
  return { start, up }
}

function isAway(answer: Answer<unknown>): boolean {
  return !answer.ok && answer.failure.kind === 'tool-not-answering'
}

/** False when it has not come back by then. */
async function comesBack(runtime: Runtime, deadline: number): Promise<boolean> {
  while (performance.now() < deadline) {
    const ready = await settled(() => runtime.ready())
    if (!isAway(ready)) return ready.ok
    await delay(engineAwayPollMs)
  }
  return false
}

async function entryFor(plan: StackPlan, context: WindowContext): Promise<JournalEntry> {
  return {
    schemaVersion: 1,
    runId: context.runId,
    key: stackKey(plan.stack),
    name: plan.stack.name,
    directory: plan.stack.directory,
    writtenAt: new Date().toISOString(),
    bootId: bootId(),
    mode: plan.mode,
    healthTimeoutMs: context.healthTimeoutMs,
    state: plan.state,
    whyNotDown: plan.whyNotDown,
    ...(await placesAtStop(plan)),
    graceSeconds: context.graceSeconds,
  }
}

interface Asking extends Pick<ReadingTime, 'mode' | 'ended'> {
  readonly runtime: Runtime
  readonly log: Log
}

/**
 * Returns what the engine's events tell of the window, or of the time in which a stack that does not run was read. Where the watch
 * failed or lost events, as it may under load, the containers themselves are asked once more.
 */
export async function seenBy(
  watch: Watch | null,
  plan: StackPlan,
  reading: { readonly from: number; readonly until: number },
  asking: Asking,
): Promise<Pick<WindowResult, 'downtimeMs' | 'readyMs' | 'disturbedBy' | 'startedWriters' | 'neighboursEnded' | 'couldNotWatch'>> {
  const watched = await lastReport(watch, asking.log)
  const report = watched === null || watched.isLossy ? ((await reportAfterwards(plan, reading, asking)) ?? watched) : watched
  if (report === null) return { downtimeMs: null, readyMs: null, disturbedBy: [], startedWriters: [], neighboursEnded: [], couldNotWatch: true }
  const during = report.starts.filter(({ at, isOfStack }) => at > (isOfStack ? reading.from : plan.othersSeenAt) && at < reading.until)
  const since = (moment: number | null): number | null => (report.firstStopAt === null || moment === null ? null : Math.max(0, moment - report.firstStopAt))
  return {
    downtimeMs: since(report.lastStartAt),
    readyMs: since(report.readyAt),
    disturbedBy: [...new Set(during.filter(({ isOfStack }) => isOfStack).map(({ container }) => container))],
    startedWriters: during.filter(({ isOfStack }) => !isOfStack),
    neighboursEnded: report.neighboursEnded ?? [],
    couldNotWatch: report.isLossy,
  }
}

/** `null` where the runtime cannot say it, or nothing was read. */
async function reportAfterwards(plan: StackPlan, reading: { readonly from: number; readonly until: number }, { runtime, log, mode, ended }: Asking): Promise<WatchReport | null> {
  const ranDuring = runtime.ranDuring?.bind(runtime)
  if (ranDuring === undefined || reading.from === 0 || reading.until === 0) return null
  const answer = await settled(() => ranDuring(plan.state, { ...reading, othersFrom: plan.othersSeenAt, mode, ended }))
  log('warning', "the engine's events broke off while the stack was read: its containers were asked instead", { stack: plan.stack.name, isKnown: answer.ok && !answer.value.isLossy, failure: answer.ok ? null : answer.failure })
  return answer.ok ? answer.value : null
}

async function lastReport(watch: Watch | null, log: Log): Promise<WatchReport | null> {
  if (watch === null) return null
  try {
    const deadline = performance.now() + eventsLimitMs
    let report = watch.report()
    while (!report.isLossy && report.firstStopAt !== null && (report.lastStartAt === null || report.readyAt === null) && performance.now() < deadline) {
      await delay(pollMs)
      report = watch.report()
    }
    return report
  } catch (error) {
    log('error', 'what the engine has told could not be read', { reason: String(error) })
    return null
  }
}

/** Those who look on must not keep a stack down: a display or a log that throws is passed over. */
function unfailing({ log, onPhase, onStarting }: Watchers): Watchers {
  return { log: guarded(log), onPhase: guarded(onPhase), onStarting: guarded(onStarting) }
}

function guarded<A extends unknown[]>(call: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      call(...args)
    } catch {
      // See above.
    }
  }
}

function notReached(what: string): { ok: false; failure: { kind: 'failed'; message: string } } {
  return { ok: false, failure: { kind: 'failed', message: `${what} was not reached` } }
}

/** A provider that throws against its contract gives a failure all the same. */
async function settled<T>(ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
  try {
    return await ask()
  } catch (error) {
    return { ok: false, failure: { kind: 'failed', message: 'a plugin failed unexpectedly', toolOutput: String(error) } }
  }
}
