import { statSync } from 'node:fs'
import { join } from 'node:path'

import type { PreparedSnapshot, Runtime, Source, StackState, Watch } from '@stackbk/contract'

import { exitCodes, problemFrom } from '../../errors.js'
import type { Stack } from '../../stacks/identity.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import { emptyDraft, worsen, type StackDraft } from './backup-result.js'
import { writeCapsule } from './capsule-file.js'
import { giveUp, judgeQuiet, judgeSnapshot, judgeStart, judgeStop, judgeWhole, markLive, otherUsersFix } from './judging.js'
import { lastGoodSnapshot, stackTags } from './stack-snapshots.js'
import { planStack, runningServices, type RequestedStopMode, type StackPlan } from './stack-plan.js'
import { seenBy, snapshotInWindow, type WindowResult } from './stack-window.js'

/** How often a stack is looked at again because it changed between the plan and the stop. */
const planAttempts = 3

/** A stack of which everything is known and whose snapshot waits behind an open repository. Nothing has been touched. */
export interface ReadyStack {
  readonly plan: StackPlan
  readonly prepared: PreparedSnapshot
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
  /** What the first look of the run saw, for a stack that cannot be looked at later. */
  readonly firstLook: ReadonlyMap<string, StackState>
}

/** Plans one stack and opens the repository for it. Never throws: what fails is in the plan's problems or comes with `ready`. */
export async function prepareStack(stack: Stack, context: StackBackupContext): Promise<ReadyStack> {
  const { run, runtime } = context
  const startedAt = performance.now()
  run.reporter.stackPhase(stack.name, 'preparing')
  const state = await lookAt(stack, context)
  const files = filesOf(state)
  const plan = await planStack(stack, state, { runtime, configuration: run.configuration, stopMode: context.stopMode, signal: run.signal })
  const ownPaths = writeCapsule(run, plan, [])
  const prepared = context.repository.engine.prepare({
    paths: [...plan.paths, ...ownPaths],
    tags: stackTags(stack.name),
    host: run.configuration.backup.hostname,
    parent: lastGoodSnapshot(context.repository.snapshots, stack.name, run.configuration.backup.hostname)?.id ?? null,
    excludes: run.configuration.stack(stack.name).exclude,
    ...(run.configuration.backup.backupTimeoutMs === null ? {} : { timeoutMs: run.configuration.backup.backupTimeoutMs }),
    stallTimeoutMs: run.configuration.backup.stallTimeoutMs,
  })
  const watch = isSensitive(plan) ? await runtime.watch(plan.state) : null
  return { plan, prepared, watch: watch?.ok ? watch.value : null, draft: draftOf(plan, ownPaths.length), files, startedAt }
}

/** Gives up what was prepared for a stack that is not backed up after all. */
export async function abandonStack(ready: ReadyStack): Promise<void> {
  await Promise.all([ready.prepared.abandon(), ready.watch?.close()])
}

/** Takes the snapshot of a prepared stack, in a window of its own if it runs, and gives its report. Never throws. */
export async function backUpStack(first: ReadyStack, context: StackBackupContext & { readonly onStarting: () => void }): Promise<StackDraft> {
  const { ready, opened } = await freshlyPlanned(first, context)
  if (!opened.ok) {
    await ready.prepared.abandon()
    ready.draft.problems.push(problemFrom(opened.failure, { stack: ready.plan.stack.name }))
    worsen(ready.draft, 'failed')
    ready.draft.codes.add(exitCodes.ofKind(opened.failure.kind))
    context.onStarting()
  } else if (ready.plan.willStop) {
    await takeStopped(ready, context)
  } else {
    await takeAsItIs(ready, context)
  }
  await ready.watch?.close()
  ready.draft.durationMs = Math.round(performance.now() - first.startedAt)
  return ready.draft
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
      ready = { ...(await prepareStack(plan.stack, context)), startedAt: first.startedAt }
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
function notPlanned(reason: string): Opened {
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
  const containers = state.projects.flatMap((project) => project.containers.map((container) => `${container.id} ${container.condition} ${container.startedAt}`))
  return [state.condition, ...containers.sort()].join('\n')
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
    const { ino, size, mtimeMs } = statSync(file)
    return `${ino} ${size} ${mtimeMs}`
  } catch {
    return 'none'
  }
}

async function takeStopped(ready: ReadyStack, context: StackBackupContext & { readonly onStarting: () => void }): Promise<void> {
  const { run, runtime } = context
  const { plan, draft, prepared } = ready
  const name = plan.stack.name
  run.events.hold()
  run.events.add('stack-stopped', { stack: name })
  let result: WindowResult
  try {
    result = await snapshotInWindow(plan, prepared, ready.watch, {
      runtime,
      journal: run.journal,
      runId: run.id,
      graceSeconds: run.configuration.docker.graceSeconds,
      healthTimeoutMs: run.configuration.docker.healthTimeoutMs,
      maxDowntimeMs: run.configuration.stack(name).maxDowntimeMs,
      signal: run.signal,
      log: run.log,
      onPhase: (phase, progress) => run.reporter.stackPhase(name, phase, progress),
      onStopped: (ended) => writeCapsule(run, plan, ended),
      onStarting: context.onStarting,
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
  draft.stopMode = plan.mode
  draft.stopModeReason = plan.modeReason
  draft.downtimeMs = result.downtimeMs
  draft.readyMs = result.readyMs
  judgeStop(draft, result)
  if (result.isOverBudget) giveUp(draft, run.configuration.stack(name).maxDowntimeMs ?? 0)
  else judgeSnapshot(draft, result.snapshot)
  judgeQuiet(draft, result)
  judgeWhole(draft, plan)
  judgeStart(draft, result, plan)
}

/** A stack that does not run, or that is read while it runs: because that was asked for, or because it must not be stopped. */
async function takeAsItIs(ready: ReadyStack, context: StackBackupContext & { readonly onStarting: () => void }): Promise<void> {
  const { run } = context
  const { plan, draft, prepared } = ready
  run.reporter.stackPhase(plan.stack.name, 'snapshot')
  const taking = prepared.take({ signal: run.signal, onProgress: (progress) => run.reporter.stackPhase(plan.stack.name, 'snapshot', progress) })
  context.onStarting()
  judgeSnapshot(draft, await taking)
  if (isSensitive(plan)) {
    const { disturbedBy, couldNotWatch } = await seenBy(ready.watch, plan, { from: plan.othersSeenAt, until: Date.now() }, run.log)
    draft.quiet = disturbedBy.length === 0 && !couldNotWatch
    if (disturbedBy.length > 0) markLive(draft, `used by ${disturbedBy.join(', ')} while it was read`, otherUsersFix)
    else if (couldNotWatch) markLive(draft, "the engine's events broke off, so nobody knows what ran", 'Run the backup again')
  }
  if (plan.isLiveUnasked) markLive(draft, 'it could not be stopped')
  judgeWhole(draft, plan)
}

function draftOf(plan: StackPlan, ownFiles: number): StackDraft {
  return {
    ...emptyDraft(plan.stack),
    status: 'ok',
    stateBefore: plan.state.condition,
    servicesBefore: runningServices(plan.state),
    problems: [...plan.problems],
    before: plan.state,
    ownFiles,
  }
}

