import type { Answer, NeighbourEnd, SnapshotResult, UpReport } from '@stackbk/contract'

import { exitCodes, problemFrom, type Problem } from '../../errors.js'
import { watchLimitName } from '../../host/inotify-watches.js'
import { worsen, type StackDraft } from './backup-result.js'
import { killedContainers } from './killed-containers.js'
import { describeLost, isAnythingLost } from './lost-sources.js'
import type { StackPlan } from './stack-plan.js'
import type { WindowResult } from './stack-window.js'
import { ignoreLabel, named, type WriterVerdict } from './writers.js'

/** Without it a snapshot has the data, and not what makes a stack of it. `reason`: null where it was written. */
export function judgeCapsule(draft: StackDraft, folder: string, reason: string | null): void {
  if (reason === null || draft.snapshot === null) return
  worsen(draft, 'partial')
  draft.marks.add('partial')
  draft.problems.push({
    severity: 'error',
    code: 'capsule-not-written',
    message: `the snapshot does not say what the stack was made of, since that could not be written: ${reason}`,
    fix: `Free space in ${folder}, and run the backup again`,
    stack: draft.name,
  })
}

/** A part of the stack's data could not even be named, or read. */
export function judgeWhole(draft: StackDraft, plan: StackPlan): void {
  if (!plan.isIncomplete) return
  worsen(draft, 'partial')
  if (draft.snapshot !== null) draft.marks.add('partial')
}

export function judgeStop(draft: StackDraft, result: WindowResult, plan: Pick<StackPlan, 'state'>): void {
  if (!result.stop.ok && result.stop.failure.kind !== 'cancelled') {
    draft.problems.push(problemFrom(result.stop.failure, { code: 'stop-failed', stack: draft.name }))
    markLive(draft, 'not stopped as a whole')
  } else if (result.stop.ok && result.stop.value.length > 0) {
    markLive(draft, `${result.stop.value.join(', ')} still ran`, 'Look into why: docker ps')
  }
  draft.problems.push(...killedContainers(draft.name, result.ended, plan.state))
}

/** A stack that was down for as long as it may has no snapshot of this run, and runs: that is a part of what was asked. */
export function giveUp(draft: StackDraft, maxDowntimeMs: number): void {
  worsen(draft, 'partial')
  draft.problems.push({
    severity: 'error',
    code: 'max-downtime',
    message: `the snapshot was given up after ${maxDowntimeMs / 1000} s, the longest that the stack may be down`,
    fix: 'Raise MAX_DOWNTIME, or use a quicker STOP_MODE',
    stack: draft.name,
  })
}

/** A snapshot that was given up and came about all the same has read the stack while it was running again. */
export function judgeLate(draft: StackDraft, late: Answer<SnapshotResult>): void {
  if (!late.ok) return
  const { isComplete: _isComplete, unreadable: _unreadable, ...figures } = late.value
  draft.snapshot = figures
  draft.quiet = false
  draft.marks.add('partial')
  draft.marks.add('live')
}

/** Some of the files may stand in the snapshot as they were while the stack ran. */
export function judgeSuspects(draft: StackDraft, problems: readonly Problem[]): void {
  if (problems.length === 0) return
  worsen(draft, 'partial')
  draft.marks.add('partial')
  draft.problems.push(...problems)
}

export function judgeSnapshot(draft: StackDraft, snapshot: WindowResult['snapshot']): void {
  if (snapshot === null || (!snapshot.ok && snapshot.failure.kind === 'cancelled')) {
    worsen(draft, 'failed')
    draft.problems.push({ severity: 'error', code: 'interrupted', message: 'no snapshot was made, because the run was interrupted', fix: 'Run the backup again', stack: draft.name })
    return
  }
  if (!snapshot.ok) {
    worsen(draft, 'failed')
    draft.problems.push(problemFrom(snapshot.failure, { code: 'snapshot-failed', stack: draft.name }))
    draft.codes.add(exitCodes.ofKind(snapshot.failure.kind))
    return
  }
  const { isComplete, unreadable, ...figures } = snapshot.value
  draft.snapshot = figures
  if (isComplete) return
  worsen(draft, 'partial')
  draft.marks.add('partial')
  draft.problems.push({
    severity: 'error',
    code: 'snapshot-incomplete',
    message: `${unreadable.length} or more files could not be read: ${unreadable.slice(0, 3).join('; ')}`,
    fix: 'Make them readable, or name them in EXCLUDE',
    stack: draft.name,
  })
}

export function judgeQuiet(draft: StackDraft, result: Pick<WindowResult, 'stop' | 'disturbedBy' | 'couldNotWatch'>, verdict: WriterVerdict): void {
  const wasStopped = result.stop.ok && result.stop.value.length === 0
  draft.quiet = wasStopped && result.disturbedBy.length === 0 && !result.couldNotWatch && isAtRest(verdict)
  if (draft.snapshot === null || draft.quiet || !wasStopped) return
  if (result.couldNotWatch) markLive(draft, "the engine's events broke off, so it is not known what ran", 'Run the backup again')
  if (result.disturbedBy.length > 0) markLive(draft, `${result.disturbedBy.join(', ')} used its data`, otherUsersFix(draft.name))
  if (!isAtRest(verdict)) judgeWriters(draft, verdict)
}

export function isAtRest({ changed, doubt }: WriterVerdict): boolean {
  return changed.length === 0 && doubt === null
}

/** Something changed while the stack was read, or it cannot be known that nothing did. */
function judgeWriters(draft: StackDraft, { writers, changed, doubt }: WriterVerdict): void {
  draft.quiet = false
  draft.marks.add('live')
  worsen(draft, 'partial')
  const who = `${writers.join(', ')} can write to its data`
  const message = changed.length > 0 ? `the data changed while it was read: ${named(changed)}; ${who}` : `${who}, and whether anything did while it was read is not known: ${doubt}`
  const fix = doubt?.includes(watchLimitName) === true ? `Raise ${watchLimitName}: a file in /etc/sysctl.d with the line ${watchLimitName}=524288, then sysctl --system. Or: ${otherUsersFix(draft.name)}` : otherUsersFix(draft.name)
  draft.problems.push({ severity: 'error', code: 'not-quiet', message, fix, stack: draft.name })
}

/** A stop can end what was connected to the stack. */
export function judgeNeighbours(draft: StackDraft, ends: readonly NeighbourEnd[]): void {
  for (const { container, project, exitCode, networks, runsAgain } of ends) {
    const who = project === '' ? container : `${container} of the project ${project}`
    const how = exitCode === null ? 'ended' : `ended with exit code ${exitCode}`
    draft.problems.push({
      severity: 'warning',
      code: 'neighbour-ended',
      message: `${who} ${how} while ${draft.name} was stopped: they share the network ${networks.join(', ')}${runsAgain ? '. It was started again, or its restart policy does that' : '. It does not run now, and its restart policy is not known to start it again'}`,
      fix: runsAgain ? '' : `Start it: docker start ${container}. A restart policy starts it by itself: restart: unless-stopped`,
      stack: draft.name,
    })
  }
}

export function judgeStart(draft: StackDraft, result: WindowResult, plan: StackPlan): void {
  if (isAnythingLost(result.lost)) {
    const { what, fix } = describeLost(result.lost, draft.name)
    // No one knows what of the disk had been read when it went: "latest" must not mean a snapshot of the empty folder below it.
    if (draft.snapshot !== null) {
      worsen(draft, 'partial')
      draft.marks.add('partial')
    }
    recordStartFailure(draft, {
      severity: 'error',
      code: 'source-moved',
      message: `NOT STARTED: ${what}`,
      fix,
      stack: draft.name,
    })
    return
  }
  if (result.up.ok && result.up.value.isUp) {
    draft.confirmedAt = new Date()
    if (!result.start.ok) draft.problems.push(problemFrom(result.start.failure, { severity: 'warning', code: 'start-trouble', stack: draft.name }))
    draft.problems.push(...notYetHealthy(draft.name, result.up.value))
    return
  }
  recordStartFailure(draft, {
    severity: 'error',
    code: 'not-up',
    message: `the stack is not up again: ${whyNotUp(result)}`,
    fix: `Look into docker compose logs in ${plan.stack.directory}; then run: stackbk resume`,
    stack: draft.name,
  })
}

function recordStartFailure(draft: StackDraft, problem: Problem): void {
  draft.startFailure = { problem, statusWithout: draft.status }
  worsen(draft, 'failed')
  draft.problems.push(problem)
}

/** The start's failure and what is missing, as one sentence. */
export function whyNotUp({ start, up }: Pick<WindowResult, 'start' | 'up'>): string {
  const missing = up.ok ? up.value.missing.map(({ service, reason }) => `${service}: ${reason}`).join('; ') : up.failure.message
  return start.ok ? missing : [problemFrom(start.failure).message, missing].filter((part) => part !== '').join('; ')
}

/** Services that run, and whose healthchecks had no verdict for as long as is waited for one. */
export function notYetHealthy(stack: string, up: UpReport): readonly Problem[] {
  const services = up.notYetHealthy ?? []
  if (services.length === 0) return []
  return [
    {
      severity: 'warning',
      code: 'not-yet-healthy',
      message: `the stack is up, and not all of it is known to be healthy again: ${services.map(({ service, reason }) => `${service}: ${reason}`).join('; ')}`,
      fix: 'Look later with docker ps, or give the health check a shorter interval',
      stack,
    },
  ]
}

/** The way out where facts cannot settle it. */
export function otherUsersFix(stack: string): string {
  return `Back it up while that is stopped. If that never writes to this stack's data, list it by name or image in IGNORE_WRITERS, in [docker] or [stack:${stack}], or give its container the label ${ignoreLabel}=true`
}

export function markLive(draft: StackDraft, why: string, fix = 'See the other problems of this stack'): void {
  draft.quiet = false
  draft.marks.add('live')
  worsen(draft, 'partial')
  draft.problems.push({ severity: 'error', code: 'not-quiet', message: `the snapshot was made of a running stack: ${why}`, fix, stack: draft.name })
}
