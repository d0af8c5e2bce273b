import { join } from 'node:path'

import { files as fileSystem } from '@stackbk/tool-runner/files'
import { type Answer, type ContainerState, type PreparedSnapshot, type Runtime, type Snapshot, type SnapshotRequest, type Source, type StackState, type Watch } from '@stackbk/contract'

import { exitCodes, problemFrom, type Problem } from '../../errors.js'
import type { Stack } from '../../stacks/identity.js'
import { isAlive, runningServices } from '../../stacks/running.js'
import { ownFolderPatterns } from '../own-folders.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import { emptyDraft, worsen, type StackDraft } from './backup-result.js'
import { writeCapsule } from './capsule-file.js'
import { literalPattern } from './excludes.js'
import { chooseFreezer, readyToFreeze, releaseFrozen, settleBefore, type ChosenFreezer } from './freezing.js'
import { beforeReading, hasLivingWriters } from './living-writers.js'
import { giveUp, judgeCapsule, judgeLate, judgeNeighbours, judgeQuiet, judgeSnapshot, judgeStart, judgeStop, judgeSuspects, judgeWhole, markLive } from './judging.js'
import type { ReservedPlace } from './reserved-places.js'
import { lastGoodSnapshot, stackTags } from './stack-snapshots.js'
import { planStack, type RequestedStopMode, type StackPlan } from './stack-plan.js'
import { seenBy, snapshotInWindow, type WindowResult } from './stack-window.js'
import { decideWarmPass, renewSuspects, takeWarmPass, warmRequest, withWarmPass, type WarmPass } from './warm-pass.js'
import { possibleWriters, WriterCheck, type WriterVerdict } from './writers.js'

/** How often a stack is looked at again because it changed between the plan and the stop. */
const planAttempts = 3

/** A stack of which everything is known and whose snapshot waits behind an open repository. Nothing has been touched. */
export interface ReadyStack {
  readonly plan: StackPlan
  /** What the snapshot is asked for; of the same stack also while a warm pass waits. */
  readonly request: SnapshotRequest
  readonly prepared: PreparedSnapshot
  /** Why the snapshot will lack the capsule; null where it will not. */
  readonly whyNoCapsule: string | null
  /** `prepared` is the warm pass: the snapshot itself is prepared after it. */
  readonly isWarmPass: boolean
  /** The warm pass that went before. */
  readonly warm: WarmPass | null
  readonly freezer: ChosenFreezer | null
  readonly watch: Watch | null
  readonly draft: StackDraft
  /** The compose files as they were before the plan was made. */
  readonly files: string
  readonly startedAt: number
}

export interface StackBackupContext {
  readonly run: Run
  readonly runtime: Runtime
  readonly repository: OpenRepository
  readonly stopMode: RequestedStopMode | undefined
  /** Places that no snapshot takes along. */
  readonly reserved: readonly ReservedPlace[]
  /** What the first look of the run saw, for a stack that cannot be looked at later. */
  readonly firstLook: ReadonlyMap<string, StackState>
}

/**
 * Plans one stack and opens the repository for it. Never throws: what fails is in the plan's problems or comes with `ready`.
 *
 * @param warm the warm pass that went before; `undefined` when that is still to be decided
 */
export async function prepareStack(stack: Stack, context: StackBackupContext, warm?: WarmPass | null): Promise<ReadyStack> {
  const { run, runtime, repository } = context
  const startedAt = performance.now()
  run.reporter.stackPhase(stack.name, 'preparing')
  const state = await lookAt(stack, context)
  const files = filesOf(state)
  const plan = await planStack(stack, state, { runtime, configuration: run.configuration, engine: repository.engine, stopMode: context.stopMode, reserved: context.reserved, signal: run.signal })
  const freezing = await chooseFreezer(run, plan, repository)
  // What is frozen is read with the stack running again: there is nothing to be gained by reading it before.
  const warming = warm === undefined && freezing.chosen === null ? await decideWarmPass(run, plan, repository) : { isWanted: false, problems: [] }
  const { paths: ownPaths, reason: whyNoCapsule } = writeCapsule(run, plan, [])
  const lastGood = lastGoodSnapshot(repository.snapshots, stack.name, run.configuration.backup.hostname)
  const request: SnapshotRequest = {
    paths: [...plan.paths, ...ownPaths],
    tags: stackTags(stack.name),
    host: run.configuration.backup.hostname,
    parent: warm?.suspects != null ? warm.snapshot.id : (lastGood?.id ?? null),
    excludes: [...plan.excludes, ...ownFolderPatterns, ...plan.unansweredPaths.map(literalPattern)],
    ...(plan.excludePaths.length === 0 ? {} : { excludePaths: plan.excludePaths }),
    ...expectedFrom(lastGood),
    ...(run.configuration.backup.backupTimeoutMs === null ? {} : { timeoutMs: run.configuration.backup.backupTimeoutMs }),
    stallTimeoutMs: run.configuration.backup.stallTimeoutMs,
  }
  const draft = draftOf(plan, ownPaths.length, [...freezing.problems, ...warming.problems])
  draft.warmSnapshot = warm?.snapshot.id ?? null
  draft.possibleWriters = possibleWriters(plan, run.configuration).map(({ name }) => name)
  const common = { plan, request, whyNoCapsule, warm: warm ?? null, freezer: freezing.chosen, draft, files, startedAt }
  if (warming.isWanted) return { ...common, prepared: repository.engine.prepare(warmRequest(run, request, plan)), isWarmPass: true, watch: null }
  const prepared = repository.engine.prepare(request)
  // Without it the snapshot is marked; with an error of it the prepared one would wait for ever.
  const watch = isSensitive(plan) ? await runtime.watch(plan.state).catch(() => null) : null
  return { ...common, prepared, isWarmPass: false, watch: watch?.ok ? watch.value : null }
}

function expectedFrom(earlier: Snapshot | undefined): Pick<SnapshotRequest, 'expected'> {
  if (earlier === undefined || earlier.files === null || earlier.bytes === null) return {}
  return { expected: { files: earlier.files, bytes: earlier.bytes } }
}

/** Gives up what was prepared for a stack that is not backed up after all. */
export async function abandonStack(ready: ReadyStack): Promise<void> {
  await Promise.all([ready.prepared.abandon(), ready.watch?.close()])
}

/** Takes the snapshot of a prepared stack, in a window of its own if it runs, and gives its report. Never throws. */
export async function backUpStack(first: ReadyStack, context: StackBackupContext & { readonly onStarting: () => void }): Promise<StackDraft> {
  try {
    return await takeSnapshot(first, context)
  } catch (error) {
    // A provider that throws against its contract: not in the window, which ends with a start whatever happens in it.
    worsen(first.draft, 'failed')
    first.draft.problems.push({ severity: 'error', code: 'broken-off', message: `an error ended its backup: ${String(error)}`, fix: `See whether all of it runs: stackbk status`, stack: first.plan.stack.name })
    await abandonStack(first).catch(() => {})
    return first.draft
  }
}

async function takeSnapshot(first: ReadyStack, context: StackBackupContext & { readonly onStarting: () => void }): Promise<StackDraft> {
  await settleBefore(context.run, first.plan, first.freezer)
  // What is frozen is settled by that.
  const afterReading = first.freezer === null && hasLivingWriters(first.plan) ? await beforeReading(context.run, first.plan) : null
  const warmed = first.isWarmPass ? await warmedUp(first, context) : first
  const [{ ready, opened }, prepared] = await Promise.all([freshlyPlanned(warmed, context), checkFor(warmed.plan, context)])
  const check = opened.ok ? await refreshedCheck(prepared, ready.plan, context) : prepared
  try {
    await takeOpened({ ready, opened, check }, context)
  } finally {
    await Promise.all([ready.watch?.close(), check?.close()])
  }
  if (ready.draft.snapshot !== null) await afterReading?.()
  ready.draft.durationMs = Math.round(performance.now() - first.startedAt)
  return ready.draft
}

async function takeOpened({ ready, opened, check }: { readonly ready: ReadyStack; readonly opened: Opened; readonly check: WriterCheck | null }, context: StackBackupContext & { readonly onStarting: () => void }): Promise<void> {
  if (!opened.ok) {
    await ready.prepared.abandon()
    ready.draft.problems.push(problemFrom(opened.failure, { stack: ready.plan.stack.name }))
    worsen(ready.draft, 'failed')
    ready.draft.codes.add(exitCodes.ofKind(opened.failure.kind))
    context.onStarting()
  } else if (ready.plan.willStop) {
    await takeStopped(ready, check, context)
  } else {
    await takeAsItIs(ready, check, context)
  }
}

/** `null` where it does not matter who else writes: the stack is read as it runs. */
async function checkFor(plan: StackPlan, { run }: StackBackupContext): Promise<WriterCheck | null> {
  return isSensitive(plan) ? await WriterCheck.of(run, plan) : null
}

/** The same check, or another one where other containers can write to other places by now. */
async function refreshedCheck(check: WriterCheck | null, plan: StackPlan, context: StackBackupContext): Promise<WriterCheck | null> {
  if (isSensitive(plan) && check?.fits(plan) === true) return check
  await check?.close()
  return await checkFor(plan, context)
}

/** Makes the warm pass, and prepares the snapshot itself. A pass that fails costs the stack a longer stop, and no more. */
async function warmedUp(first: ReadyStack, context: StackBackupContext): Promise<ReadyStack> {
  const { plan, prepared } = first
  const opened = await openedOrInterrupted(prepared, context.run.signal)
  const pass: Answer<WarmPass> = opened.ok ? await takeWarmPass(context.run, plan, prepared) : opened
  if (!opened.ok) await prepared.abandon()
  try {
    const ready = await prepareStack(plan.stack, context, pass.ok ? pass.value : null)
    // What keeps the repository shut is told by the snapshot itself.
    if (!pass.ok && opened.ok && pass.failure.kind !== 'cancelled') ready.draft.problems.push(problemFrom(pass.failure, { severity: 'warning', code: 'no-warm-pass', stack: plan.stack.name }))
    return { ...ready, startedAt: first.startedAt }
  } catch (error) {
    first.draft.warmSnapshot = pass.ok ? pass.value.snapshot.id : null
    return { ...first, isWarmPass: false, prepared: neverReady(notPlanned(String(error))) }
  }
}

function neverReady(answer: Extract<Opened, { ok: false }>): PreparedSnapshot {
  return { ready: Promise.resolve(answer), take: () => Promise.resolve(answer), abandon: () => Promise.resolve() }
}

type Opened = Awaited<PreparedSnapshot['ready']>

/** A repository on a disk that hangs must not keep a signal waiting. */
async function openedOrInterrupted(prepared: PreparedSnapshot, signal: AbortSignal): Promise<Opened> {
  const interrupted = { ok: false, failure: { kind: 'cancelled', message: 'interrupted before anything was touched' } } as const
  if (signal.aborted) return interrupted
  let onAbort = (): void => {}
  const aborted = new Promise<Opened>((resolve) => {
    onAbort = () => resolve(interrupted)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([prepared.ready, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function lookAt(stack: Stack, { runtime, firstLook, run }: StackBackupContext): Promise<StackState> {
  const look = await runtime.inspect([stack.directory], { signal: run.signal })
  const state = look.ok ? look.value[0] : undefined
  if (state !== undefined) return state
  const before = firstLook.get(stack.directory)
  return {
    schemaVersion: 1,
    directory: stack.directory,
    condition: 'unknown',
    failure: look.ok ? null : look.failure,
    projects: before?.projects ?? [],
    dependents: before?.dependents ?? [],
    takenAt: new Date().toISOString(),
  }
}

/**
 * Waits until the repository is open, and looks again: the stack may have changed since it was planned, while another one was
 * being started. What is stopped is what runs now, and what does not run is read as such only if that is still so.
 */
async function freshlyPlanned(first: ReadyStack, context: StackBackupContext): Promise<{ readonly ready: ReadyStack; readonly opened: Opened }> {
  let ready = first
  for (let attempt = 1; ; attempt++) {
    let opened = await openedOrInterrupted(ready.prepared, context.run.signal)
    if (!opened.ok || !isSensitive(ready.plan)) return { ready, opened }
    const again = await lookAgain(ready, context).catch((error: unknown) => String(error))
    if (typeof again === 'string') return { ready, opened: notPlanned(again) }
    const { isSame, hasCondition, plan } = again
    if (context.run.signal.aborted) opened = await openedOrInterrupted(ready.prepared, context.run.signal)
    // What somebody else starts and stops at this very moment is left to him. One that crashes over and over is never the same
    // twice, and runs all the same.
    if (opened.ok && !hasCondition && attempt === planAttempts) return { ready, opened: { ok: false, failure: { kind: 'failed', message: 'somebody else starts or stops it at this moment, so it was left alone', fix: 'Run the backup again' } } }
    if (!opened.ok || isSame || attempt === planAttempts) return { ready: { ...ready, plan }, opened }
    context.run.log('info', 'the stack changed meanwhile: planned again', { stack: plan.stack.name })
    await abandonStack(ready)
    try {
      ready = { ...(await prepareStack(plan.stack, context, ready.warm)), startedAt: first.startedAt }
    } catch (error) {
      return { ready, opened: notPlanned(String(error)) }
    }
  }
}

/** Whether a change since the plan would make the snapshot something else than the report says. */
function isSensitive(plan: StackPlan): boolean {
  return plan.willStop || plan.state.condition === 'stopped' || plan.state.condition === 'not-found'
}

/** A provider that throws against its contract costs this stack its backup, and no other. */
function notPlanned(reason: string): Extract<Opened, { ok: false }> {
  return { ok: false, failure: { kind: 'failed', message: 'an error ended its planning, before anything was touched', toolOutput: reason } }
}

/** Whether all is as it was planned, and the plan with those who use the stack's data by now. */
async function lookAgain({ plan, files }: ReadyStack, context: StackBackupContext): Promise<{ readonly isSame: boolean; readonly hasCondition: boolean; readonly plan: StackPlan }> {
  const othersSeenAt = Date.now()
  const [state, sources] = await Promise.all([lookAt(plan.stack, context), context.runtime.sources(plan.state, { signal: context.run.signal })])
  const isSame = fingerprint(state) === fingerprint(plan.state) && filesOf(plan.state) === files && (!sources.ok || placesOf(sources.value) === placesOf(plan.sources))
  return { isSame, hasCondition: state.condition === plan.state.condition, plan: sources.ok && isSame ? { ...plan, sources: sources.value, othersSeenAt } : plan }
}

function fingerprint(state: StackState): string {
  // One that its own policy starts again and again (a command that ends) is never the same twice, and nothing has changed.
  const now = ({ condition, startedAt, restartCount }: ContainerState): string => ((restartCount ?? 0) > 0 && isAlive({ condition }) && condition !== 'paused' ? 'restarted by its policy' : `${condition} ${startedAt}`)
  const containers = state.projects.flatMap((project) => project.containers.map((container) => `${container.id} ${now(container)}`))
  // One that lives in the network of this stack may have been gone while this was planned: its own backup makes it anew.
  const dependents = state.dependents.map(({ id }) => `dependent ${id}`)
  return [state.condition, ...containers.sort(), ...dependents.sort()].join('\n')
}

function placesOf(sources: readonly Source[]): string {
  return sources.map(({ path, device, canBeRead }) => `${path} ${device} ${canBeRead}`).sort().join('\n')
}

/** What `down` and `up` would make new containers of: an edit since the plan must not be applied by a backup. */
function filesOf(state: StackState): string {
  const files = state.projects.flatMap((project) => [...project.configFiles, ...project.environmentFiles, join(project.workingDirectory, '.env')])
  return files.map((file) => `${file} ${versionOf(file)}`).join('\n')
}

function versionOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = fileSystem.statNow(file)
    return `${ino} ${size} ${mtimeMs}`
  } catch {
    return 'none'
  }
}

async function takeStopped(ready: ReadyStack, check: WriterCheck | null, context: StackBackupContext & { readonly onStarting: () => void }): Promise<void> {
  const { run, runtime } = context
  const { plan, draft, prepared, freezer, warm } = ready
  const name = plan.stack.name
  run.events.hold()
  run.events.add('stack-stopped', { stack: name })
  let result: WindowResult
  try {
    const freeze = freezer === null ? null : readyToFreeze(run, plan, freezer)
    result = await snapshotInWindow(plan, prepared, ready.watch, {
      runtime,
      journal: run.journal,
      runId: run.id,
      graceSeconds: run.configuration.stack(name).graceSeconds,
      healthTimeoutMs: run.configuration.docker.healthTimeoutMs,
      maxDowntimeMs: run.configuration.stack(name).maxDowntimeMs,
      signal: run.signal,
      log: run.log,
      onPhase: (phase, progress) => run.reporter.stackPhase(name, phase, progress),
      freeze,
      onStopped: (ended) => {
        const { reason } = writeCapsule(run, plan, ended)
        // What was written before the stop is in the snapshot all the same.
        if (reason !== null) run.log('warning', 'the snapshot does not say how its containers ended', { stack: name, reason })
        judgeSuspects(draft, renewSuspects(run, plan, warm))
        check?.begin()
      },
      onStarting: () => {
        check?.end()
        context.onStarting()
      },
    })
  } catch (error) {
    await prepared.abandon()
    context.onStarting()
    worsen(draft, 'failed')
    draft.problems.push({
      severity: 'error',
      code: 'journal-not-written',
      message: `nothing was stopped, because what runs could not be noted first: ${error instanceof Error ? error.message : String(error)}`,
      fix: `Free space in ${run.state.root}`,
      stack: name,
    })
    return
  } finally {
    run.events.release()
    run.events.add('stack-started', { stack: name })
  }
  // It may still be about to give up, and keep those out who would have the repository for themselves.
  if (result.isOverBudget) await prepared.abandon()
  draft.stopMode = plan.mode
  draft.stopModeReason = plan.modeReason
  draft.downtimeMs = result.downtimeMs
  draft.readyMs = result.readyMs
  judgeStop(draft, result, plan)
  const snapshot = freezer !== null && result.frozen !== null ? await readFrozen(ready, freezer, result, context) : result.snapshot
  if (result.isOverBudget) giveUp(draft, run.configuration.stack(name).maxDowntimeMs ?? 0)
  else judgeSnapshot(draft, snapshot)
  if (draft.snapshot !== null && warm !== null) draft.snapshot = withWarmPass(draft.snapshot, warm)
  draft.warmPass = warm?.suspects != null
  judgeQuiet(draft, result, draft.snapshot === null ? unread : await verdictOf(check, result.startedWriters))
  judgeNeighbours(draft, result.neighboursEnded)
  judgeWhole(draft, plan)
  judgeCapsule(draft, run.state.root, ready.whyNoCapsule)
  judgeStart(draft, result, plan)
  if (result.late !== null) judgeLate(draft, await result.late)
}

/** With the stack running again: the snapshot of the frozen copy, or that of the window where freezing did not work. */
async function readFrozen(ready: ReadyStack, freezer: ChosenFreezer, result: WindowResult, context: StackBackupContext): Promise<WindowResult['snapshot']> {
  const { run, repository } = context
  const { plan, draft, prepared, request } = ready
  const { frozen } = result
  if (frozen?.ok !== true) {
    // One that was given up may still become a copy: the note of it stays until the next run has looked.
    if (frozen !== null && !result.isOverBudget && frozen.failure.kind !== 'cancelled') draft.problems.push(problemFrom(frozen.failure, { severity: 'warning', code: 'not-frozen', stack: plan.stack.name }))
    return result.snapshot
  }
  draft.frozenBy = freezer.id
  draft.readsAllNext = !freezer.freezer.keepsChangeTimes
  run.reporter.stackPhase(plan.stack.name, 'snapshot')
  try {
    const reading = repository.engine.prepare({ ...request, bindMounts: frozen.value.bindMounts })
    const opened = await openedOrInterrupted(reading, run.signal)
    // Not before: the first one's lock keeps those out who would have the repository for themselves.
    await prepared.abandon()
    const snapshot = opened.ok ? await reading.take({ signal: run.signal, onProgress: (progress) => run.reporter.stackPhase(plan.stack.name, 'snapshot', progress) }) : opened
    if (!opened.ok) await reading.abandon()
    run.log('info', 'snapshot of the frozen copy ended', { stack: plan.stack.name, snapshot: snapshot.ok ? snapshot.value.id : null })
    return snapshot
  } finally {
    draft.problems.push(...(await releaseFrozen(run, plan, freezer, frozen.value)))
  }
}

/** A stack that does not run, or that is read while it runs: because that was asked for, or because it must not be stopped. */
async function takeAsItIs(ready: ReadyStack, check: WriterCheck | null, context: StackBackupContext & { readonly onStarting: () => void }): Promise<void> {
  const { run } = context
  const { plan, draft, prepared } = ready
  run.reporter.stackPhase(plan.stack.name, 'snapshot')
  check?.begin()
  const taking = prepared.take({ signal: run.signal, onProgress: (progress) => run.reporter.stackPhase(plan.stack.name, 'snapshot', progress) })
  context.onStarting()
  judgeSnapshot(draft, await taking)
  check?.end()
  if (isSensitive(plan)) {
    const seen = await seenBy(ready.watch, plan, { from: plan.othersSeenAt, until: Date.now() }, { runtime: context.runtime, log: run.log, mode: 'none', ended: [] })
    judgeQuiet(draft, { ...seen, stop: { ok: true, value: [] } }, await verdictOf(check, seen.startedWriters))
  }
  if (plan.isLiveUnasked) markLive(draft, 'it could not be stopped')
  judgeWhole(draft, plan)
  judgeCapsule(draft, run.state.root, ready.whyNoCapsule)
}

/** There is nothing to judge. */
const unread: WriterVerdict = { writers: [], changed: [], doubt: null }

/** A check that fails against its contract leaves the question open. */
async function verdictOf(check: WriterCheck | null, started: WindowResult['startedWriters']): Promise<WriterVerdict> {
  if (check === null) return unread
  return await check.verdict(started).catch((error: unknown) => ({ writers: started.map(({ container }) => container), changed: [], doubt: String(error) }))
}

function draftOf(plan: StackPlan, ownFiles: number, problems: readonly Problem[]): StackDraft {
  return {
    ...emptyDraft(plan.stack),
    status: 'ok',
    stateBefore: plan.state.condition,
    servicesBefore: runningServices(plan.state),
    problems: [...plan.problems, ...problems],
    before: plan.state,
    ownFiles,
  }
}

