import { dirname } from 'node:path'

import type { Answer, Engine, RebuildReport, RestoreResult, Runtime } from '@stackbk/contract'

import { problemFrom, type Problem } from '../../errors.js'
import { bootId } from '../../host/boot.js'
import type { Run } from '../run.js'
import { mountPointOf } from '../../host/mounts.js'
import { removeTree } from '../../host/remove-tree.js'
import { isAlive } from '../../stacks/running.js'
import { extractShares, stagedPath } from './extraction.js'
import { fileMoves, joinMoves } from './file-moves.js'
import { recordNotInSnapshot } from './kept-aside.js'
import { changeFolders, crossDeviceFix, isCrossDevice, placeAll } from './moves.js'
import { cleanUp, finish, giveBack, overwriteAndRebuild, rebuild, settle, startFromJournal, undo, type Rebuilt } from './outcome.js'
import { Recovery } from './recovery.js'
import type { RecoveryPlan } from './plan.js'
import { markMoreThanSnapshot } from './old-volumes.js'
import { changesOf } from './preview.js'
import { movedFromOf, type RecoveredStack } from './recover-result.js'
import type { RecoveryRecord } from './record.js'
import { placeOf } from './relocation.js'
import { tellWhoNeedsRestart } from './restarts.js'
import { extractFor } from './volume-extraction.js'

export interface RecoverStackContext {
  readonly run: Run
  readonly runtime: Runtime
  readonly engine: Engine
  /** Its folder, where it is not the configured one. */
  readonly repository: string | null
  readonly services: readonly string[]
  readonly noStart: boolean
  /** Nothing is kept of what is there, which is written over. */
  readonly overwrite: boolean
  readonly allowHostVolumes: boolean
  readonly createExternal: boolean
}

/** A stack whose files are on their way out of the snapshot, with nothing of it touched. */
export interface BegunRecovery {
  readonly plan: RecoveryPlan
  readonly recovery: Recovery
  /** Ends by itself, with nothing left, when the run's signal comes. Never rejects. */
  readonly extracted: Promise<Answer<RestoreResult>>
}

/** The first half, which may go on beside another stack's second one. */
export function beginRecovery(plan: RecoveryPlan, context: RecoverStackContext): BegunRecovery {
  const recovery = new Recovery(context.run, context.runtime, firstRecord(plan, context))
  context.run.log('info', 'recovering', { stack: plan.name, snapshot: plan.snapshot.id, present: plan.present })
  return { plan, recovery, extracted: context.overwrite ? Promise.resolve({ ok: true, value: { files: 0, bytes: 0 } }) : extract(recovery, plan, context) }
}

/**
 * Brings one stack back, whose files come out of the snapshot while what is there still runs: then stop, exchange, make, start,
 * wait. What was there is kept until the new one is up, and comes back if that does not happen. Never throws.
 */
export async function recoverStack({ plan, recovery, extracted: extracting }: BegunRecovery, context: RecoverStackContext): Promise<RecoveredStack> {
  const report = (status: RecoveredStack['status'], more: Partial<RecoveredStack> = {}): RecoveredStack => ({
    name: plan.name, directory: plan.directory, ...movedFromOf(plan), snapshotId: plan.snapshot.id, files: 0, bytes: 0, started: false, healthy: false, changes: null, ...more, status, problems: [...plan.problems, ...recovery.problems],
  })
  const extracted = await extracting
  if (!extracted.ok) {
    recovery.problems.push(problemFrom(extracted.failure, { stack: plan.name }))
    return report('failed')
  }
  const rebuilt = await exchange(recovery, plan, context)
  // The engine counts the folders above a part too, or all of its snapshot.
  const { files, bytes } = plan.part ?? rebuilt.overwritten ?? extracted.value
  const isStarted = rebuilt.report !== null && (plan.part !== null || hasRun(plan))
  const figures = { files, bytes, started: !context.noStart && isStarted, changes: changesMade(recovery, plan) }
  if (rebuilt.failure === null && (rebuilt.report === null || rebuilt.report.isUp || context.noStart)) {
    tellOf(recovery, plan, rebuilt.report)
    return report(isFlawless(recovery) ? 'ok' : 'partial', { ...figures, healthy: figures.started })
  }
  return report('failed', { files, bytes })
}

function firstRecord(plan: RecoveryPlan, { run, repository, services, noStart, overwrite, allowHostVolumes, createExternal }: RecoverStackContext): RecoveryRecord {
  const files = plan.held.filter((path) => !plan.volumePaths.includes(path))
  return {
    schemaVersion: 1,
    runId: run.id,
    key: plan.key,
    name: plan.name,
    directory: plan.directory,
    ...(plan.origin === plan.directory ? {} : { origin: plan.origin }),
    ...(plan.relocations.length === 0 ? {} : { relocations: plan.relocations }),
    writtenAt: new Date().toISOString(),
    phase: 'extracting',
    scope: plan.part === null ? 'stack' : 'files',
    snapshotId: plan.snapshot.id,
    repository,
    capsule: plan.part === null ? plan.capsule : null,
    hadPresent: plan.present.length > 0 && !overwrite,
    before: null,
    folders: overwrite ? [] : plan.shares.map(({ folder }) => folder),
    excludes: plan.excludes,
    ...(plan.excludeRoots === undefined ? {} : { excludeRoots: plan.excludeRoots }),
    ...(plan.foreignPaths === undefined || plan.foreignPaths.length === 0 ? {} : { foreignPaths: plan.foreignPaths }),
    ...(plan.readers === undefined ? {} : { readers: plan.readers }),
    ...(plan.subvolumes === undefined || plan.subvolumes.length === 0 ? {} : { subvolumes: plan.subvolumes }),
    overwritten: overwrite ? (plan.part?.paths ?? files) : [],
    moves: [],
    volumeMoves: [],
    newVolumes: [],
    oldContainers: [],
    oldVolumes: [],
    returned: [],
    services,
    noStart,
    allowHostVolumes,
    createExternal,
    healthTimeoutMs: run.configuration.docker.healthTimeoutMs,
  }
}

/** Its files into folders of our own: nothing of the stack is touched, and a failure leaves nothing. */
async function extract(recovery: Recovery, plan: RecoveryPlan, { run, engine }: RecoverStackContext): Promise<Answer<RestoreResult>> {
  try {
    run.reporter.stackPhase(plan.name, 'extracting')
    recovery.note({})
    const came = await extractShares(engine, plan.snapshot.id, plan.shares, { isPart: plan.part !== null, held: plan.snapshot.paths, mountPoints: plan.mountPoints, signal: run.signal, onProgress: (progress) => run.reporter.stackPhase(plan.name, 'extracting', progress) })
    if (came.ok && !run.signal.aborted) return came
    await cleanUp(recovery)
    return came.ok ? { ok: false, failure: { kind: 'cancelled', message: `the recovery of ${plan.name} was interrupted before anything was touched` } } : came
  } catch (error) {
    try {
      await cleanUp(recovery)
    } catch {
      // What is left is on record.
    }
    return { ok: false, failure: { kind: 'failed', message: `the files of ${plan.name} could not be brought out of the snapshot`, toolOutput: error instanceof Error ? error.message : String(error), fix: 'See that there is room, and that you may write there' } }
  }
}

/** From the stop to the confirmation. What fails is undone where something was there before. */
async function exchange(recovery: Recovery, plan: RecoveryPlan, context: RecoverStackContext): Promise<Rebuilt> {
  const { run } = context
  let rebuilt: Rebuilt = { failure: null, report: null, isFilled: false }
  try {
    await stopPresent(recovery, plan, context)
    if (context.overwrite) {
      await markMoreThanSnapshot(recovery, plan, context.engine)
      rebuilt = await overwriteAndRebuild(recovery, { engine: context.engine, held: plan.held }, run.signal)
    } else {
      assertSameDisks(recovery)
      const planned = fileMoves(plan, await recovery.kept(), recovery.problems)
      recovery.planned.push(planned)
      run.reporter.stackPhase(plan.name, 'placing')
      for (const [folder, paths] of planned.notInSnapshot) recordNotInSnapshot(folder, paths)
      await markMoreThanSnapshot(recovery, plan, context.engine)
      recovery.note({ phase: 'placing', moves: planned.moves, folderChanges: planned.folderChanges })
      placeAll(planned.moves)
      changeFolders(planned.folderChanges, 'after')
      recovery.note({ phase: 'rebuilding' })
      rebuilt = plan.part === null ? await rebuild(recovery, { extractFor: (path, place) => extractFor(recovery, context.engine, { path, place }) }, run.signal) : await startFromJournal(recovery)
    }
    const isUp = rebuilt.failure === null && (rebuilt.report === null || rebuilt.report.isUp || context.noStart)
    if (isUp) {
      await settle(recovery)
      if (context.noStart && recovery.record.hadPresent) await keepAside(recovery)
      else await finish(recovery)
      return rebuilt
    }
  } catch (error) {
    rebuilt = { ...rebuilt, failure: { kind: 'failed', message: `the recovery of ${plan.name} was left by an error`, toolOutput: error instanceof Error ? error.message : String(error), ...(isCrossDevice(error) ? { fix: crossDeviceFix } : {}) } }
  }
  await unwind(recovery, rebuilt)
  return rebuilt.failure === null && rebuilt.report?.isUp === true ? { ...rebuilt, failure: { kind: 'failed', message: '' } } : rebuilt
}

/** Where something waits and where it goes to must be on one file system still: what a container has mounted went with it. */
function assertSameDisks({ record }: Recovery): void {
  const gone = record.folders.find(({ path, mountPoint }) => mountPointOf(path) !== mountPoint)
  if (gone !== undefined) throw new Error(`${gone.mountPoint} is not mounted any more`)
}

function changesMade({ planned, movedAside, keptAside }: Recovery, { present, held, part, relocations }: RecoveryPlan): RecoveredStack['changes'] {
  const { kept, keptCount, notInSnapshot } = joinMoves(planned)
  const removed = [...[...notInSnapshot.values()].flat().map(({ was }) => was), ...movedAside]
  return changesOf({ replaced: present.length === 0 ? [] : (part?.paths ?? held).map((path) => placeOf(relocations, path)), kept, keptCount, removed, keptAside: [...new Set(keptAside)] })
}

/** What runs is noted in the journal and taken down; containers that do not run go too, since their names and labels are in the way. */
async function stopPresent(recovery: Recovery, plan: RecoveryPlan, { run, runtime }: RecoverStackContext): Promise<void> {
  const { state } = plan
  const containers = (state?.projects ?? []).flatMap((project) => project.containers)
  if (state === null || containers.length === 0) return
  run.reporter.stackPhase(plan.name, 'stopping')
  const runs = containers.some(isAlive)
  const isPart = recovery.record.scope === 'files'
  if (isPart && !runs) return
  // Nothing makes the containers again from files that do not resolve.
  const withContainers = plan.preflight?.model.ok === false
  const needsMore = !isPart && (!runs || withContainers || (plan.preflight?.whyNotDown ?? ['it could not be found out']).length > 0)
  const before = needsMore ? await runtime.describe(state, { withContainers, signal: run.signal }) : null
  if (before !== null && !before.ok) throw new Error(before.failure.message)
  recovery.note({ phase: 'stopping', before: before === null ? null : before.value, oldContainers: containers.map(({ id }) => id), oldVolumes: isPart ? [] : [...new Set(containers.flatMap(({ mounts }) => mounts).flatMap((mount) => (mount.isAnonymous ? [mount.name] : [])))] })
  if (runs) {
    run.journal.write({
      schemaVersion: 1,
      runId: run.id,
      key: plan.key,
      name: plan.name,
      directory: plan.directory,
      writtenAt: new Date().toISOString(),
      bootId: bootId(),
      mode: isPart ? 'stop' : 'down',
      healthTimeoutMs: run.configuration.docker.healthTimeoutMs,
      state,
      whyNotDown: plan.preflight?.whyNotDown ?? [],
      // They are exchanged on purpose: where they lie is in the recovery's own record.
      devices: [],
      graceSeconds: run.configuration.stack(plan.name).graceSeconds,
    })
  }
  const stopped = await runtime.stop(state, { mode: isPart ? 'stop' : 'down', graceSeconds: run.configuration.stack(plan.name).graceSeconds, signal: run.signal })
  if (!stopped.ok) throw new Error(problemFrom(stopped.failure).message)
  if (stopped.value.stillRunning.length > 0) throw new Error(`${stopped.value.stillRunning.join(', ')} could not be stopped`)
  // The removal of what is stopped goes on beside: what is made now would meet it.
  const gone = await runtime.inspect([plan.directory], { signal: run.signal })
  if (!gone.ok) throw new Error(problemFrom(gone.failure).message)
}

/** Not started means not proven: what was there stays, and is named. */
async function keepAside(recovery: Recovery): Promise<void> {
  const { folders, name } = recovery.record
  recovery.complain('warning', 'kept-aside', `what was there of ${name} is kept, since nothing was started: ${folders.map(({ path }) => `${path}/before`).join(', ')}`, `When the stack is as it should be, remove it: rm -r ${folders.map(({ path }) => path).join(' ')}`)
  tellWhoNeedsRestart(recovery)
  for (const folder of folders) await removeTree(dirname(stagedPath(folder, '/x')))
  recovery.run.journal.remove(recovery.record.key)
  recovery.forget()
}

/** It did not come up. Where something was there before, that comes back; else what is in place stays, for a look at it. */
async function unwind(recovery: Recovery, rebuilt: Rebuilt): Promise<void> {
  const { record, problems } = recovery
  const why = rebuilt.failure === null ? (rebuilt.report?.missing ?? []).map(({ service, reason }) => `${service}: ${reason}`).join('; ') : problemFrom(rebuilt.failure).message
  const failed: Problem = { severity: 'error', code: 'not-recovered', message: `${record.name} could not be recovered: ${why}`, fix: rebuilt.failure?.fix ?? '', stack: record.name }
  if (record.overwritten.length > 0 && record.phase !== 'extracting' && record.phase !== 'stopping') {
    problems.unshift({ ...failed, fix: `${failed.fix === '' ? 'Mend that' : failed.fix}; then run: stackbk resume (it goes on), or resume --discard ${record.name} (what is there stays as it is)` })
    return
  }
  const isUntouched = record.phase === 'extracting' || record.phase === 'stopping'
  if (record.hadPresent || isUntouched) {
    const isBack = isUntouched ? await giveBack(recovery) : await undo(recovery)
    problems.unshift({ ...failed, message: isBack ? `${failed.message}. What was there before is back as it was` : failed.message })
    return
  }
  if (!rebuilt.isFilled) {
    problems.unshift({ ...failed, fix: `${failed.fix === '' ? 'Mend that' : failed.fix}; then run: stackbk resume (it goes on with what is there), or resume --discard ${record.name}` })
    return
  }
  problems.unshift({ ...failed, fix: `Its files and volumes are in place. See: docker compose logs, in ${record.directory}; to start it: docker compose up -d` })
  await settle(recovery)
  await finish(recovery)
}

function tellOf(recovery: Recovery, plan: RecoveryPlan, report: RebuildReport | null): void {
  for (const { service, reference, reason } of report?.unprovenImages ?? []) recovery.complain('warning', 'image-not-proven', `the image of ${service}, ${reference}, is not known to be the one that ran: ${reason}`, 'See that its version fits the data')
  for (const { code, message, fix } of report?.warnings ?? []) recovery.complain('warning', code, message, fix)
  const known = new Set([...plan.problems, ...recovery.problems].map(({ message }) => message))
  for (const loss of report?.losses ?? []) if (!known.has(loss)) recovery.complain('warning', 'does-not-come-back', loss, '')
}

/** Warnings alone do not make it less than whole. */
function isFlawless({ problems }: Recovery): boolean {
  return problems.every(({ severity }) => severity === 'warning')
}

function hasRun({ capsule }: RecoveryPlan): boolean {
  return capsule?.projects.some(({ replicas }) => Object.values(replicas).some((count) => count > 0)) ?? false
}
