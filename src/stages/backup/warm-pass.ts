import type { Answer, PreparedSnapshot, SnapshotRequest } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { machineId } from '../../host/machine-id.js'
import { changedSince, holdsAtLeast, placesOfUntimedWrites, renewChangeTimes, settleFiles, type ChangedFile, type Moment } from '../../host/file-times.js'
import { problemFrom, type Problem } from '../../errors.js'
import { stackKey } from '../../stacks/identity.js'
import { recallStack } from '../../stacks/stack-memory.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import type { SnapshotFigures } from './backup-result.js'
import type { StackPlan } from './stack-plan.js'
import { machineTags, taggedMachine } from '../machine-tag.js'
import { lastGoodSnapshot, warmTag } from './stack-snapshots.js'

/**
 * From so much new data on a pass over the live stack pays: reading and storing it takes half a second and more, which is what
 * the pass costs the run. Bytes; for a first backup also files, of which restic stores about 5,000 a second.
 */
const worthwhile = { bytes: 64 * 1024 ** 2, files: 5_000 }

/** What was read while the stack ran, so that less is left to read while it is down. */
export interface WarmPass {
  /** Its snapshot, which goes again at the end of the run. */
  readonly snapshot: SnapshotFigures
  /**
   * Files of which the snapshot may hold something that changed later without a trace; `null` when that cannot be told, and
   * the snapshot must not be built upon.
   */
  readonly suspects: readonly ChangedFile[] | null
}

/** Whether the stack gets a warm pass, and what to say when one was asked for and cannot be. */
export async function decideWarmPass(run: Run, plan: StackPlan, repository: OpenRepository): Promise<{ readonly isWanted: boolean; readonly problems: readonly Problem[] }> {
  const choice = run.configuration.stack(plan.stack.name).warmPass
  if (choice === false || !plan.willStop) return { isWanted: false, problems: [] }
  const untold = placesOfUntimedWrites(plan.paths)
  if (untold.length > 0) {
    const problem: Problem = {
      severity: 'warning',
      code: 'no-warm-pass',
      message: `no warm pass was made: the file system of ${untold.join(', ')} does not tell of every change`,
      fix: 'Set WARM_PASS=auto for this stack',
      stack: plan.stack.name,
    }
    return { isWanted: false, problems: choice === true ? [problem] : [] }
  }
  return { isWanted: choice === true || (await pays(run, plan, repository)), problems: [] }
}

async function pays(run: Run, plan: StackPlan, repository: OpenRepository): Promise<boolean> {
  if (lastGoodSnapshot(repository.snapshots, plan.stack.name, run.configuration.backup.hostname) === undefined) return await holdsAtLeast(plan.paths, worthwhile)
  const memory = recallStack(run.state.stacks, stackKey(plan.stack))
  if (memory?.readsAllNext === true) return await holdsAtLeast(plan.paths, worthwhile)
  const recent = [...(memory?.recentBytesAdded ?? [])].sort((one, other) => one - other)
  return (recent[Math.floor(recent.length / 2)] ?? 0) >= worthwhile.bytes
}

/** The snapshot of the live stack: without the stack's tags, so that it is never taken for one of its own. */
export function warmRequest({ state }: Pick<Run, 'state'>, request: SnapshotRequest, plan: StackPlan): SnapshotRequest {
  return { ...request, paths: plan.paths, tags: [warmTag, ...machineTags(state)] }
}

/** Reads the live stack. Fails as the engine does; the stack is not touched in any case. */
export async function takeWarmPass(run: Run, plan: StackPlan, prepared: PreparedSnapshot): Promise<Answer<WarmPass>> {
  const name = plan.stack.name
  run.reporter.stackPhase(name, 'warm pass')
  run.log('info', 'warm pass begun', { stack: name })
  const moment = await settleFiles(plan.paths, run.exec, run.signal).catch((error: unknown) => String(error))
  const taken = await prepared.take({ signal: run.signal, onProgress: (progress) => run.reporter.stackPhase(name, 'warm pass', progress) })
  if (!taken.ok) return taken
  const { isComplete: _isComplete, unreadable: _unreadable, ...snapshot } = taken.value
  const suspects = typeof moment === 'string' ? moment : await suspectsSince(plan, moment, run.signal)
  run.log('info', 'warm pass ended', { stack: name, snapshot: snapshot.id, bytesAdded: snapshot.bytesAdded, suspects: typeof suspects === 'string' ? suspects : suspects.length })
  return { ok: true, value: { snapshot, suspects: typeof suspects === 'string' ? null : suspects } }
}

/**
 * A page of a memory-mapped file that was dirty when it was read may have been written to afterwards without a new time for
 * its file. After {@link settleFiles} only files that changed since can have had one (docs/decisions/warm-pass.md).
 *
 * @returns a sentence when it cannot be told
 */
async function suspectsSince(plan: StackPlan, moment: Moment, signal: AbortSignal): Promise<readonly ChangedFile[] | string> {
  const { files, doubt } = await changedSince(plan.paths, moment, signal)
  if (doubt !== null) return doubt
  // Mounted since the pass was decided on.
  const untold = placesOfUntimedWrites(plan.paths)
  if (untold.length > 0) return `the file system of ${untold.join(', ')} does not tell of every change`
  const own = process.getuid?.() ?? 0
  if (own !== 0 && files.some(({ uid }) => uid !== own)) return 'a file of another user has changed, and cannot be marked'
  return files
}

/** In the window, with nobody writing: makes the engine read again what it may have read half. */
export function renewSuspects(run: Run, plan: StackPlan, warm: WarmPass | null): readonly Problem[] {
  const failures = renewChangeTimes(warm?.suspects ?? [])
  if (failures.length === 0) return []
  run.log('error', 'files could not be marked to be read again', { stack: plan.stack.name, failures: failures.slice(0, 10) })
  return [
    {
      severity: 'error',
      code: 'warm-pass-unsure',
      message: `${counted(failures.length, 'file')} that changed during the warm pass could not be marked to be read again: ${failures.slice(0, 3).join('; ')}`,
      fix: 'Set WARM_PASS=false for this stack',
      stack: plan.stack.name,
    },
  ]
}

/** The figures of both passes as those of one snapshot: what is new is so against the one before. Suspects are read again, and no change for that. */
export function withWarmPass(figures: SnapshotFigures, { snapshot: warm, suspects }: WarmPass): SnapshotFigures {
  if (suspects === null) return { ...figures, bytesAdded: figures.bytesAdded + warm.bytesAdded }
  const all = figures.filesNew + figures.filesChanged + figures.filesUnmodified
  const filesNew = Math.min(all, figures.filesNew + warm.filesNew)
  const changedSince = Math.max(0, figures.filesChanged - suspects.length)
  const filesChanged = Math.min(all - filesNew, changedSince + warm.filesChanged)
  return { ...figures, bytesAdded: figures.bytesAdded + warm.bytesAdded, filesNew, filesChanged, filesUnmodified: all - filesNew - filesChanged }
}

/**
 * Removes the snapshots of warm passes, of this run and of those that were killed before they came so far. What stays is tried
 * again by the next run.
 */
export async function removeWarmSnapshots(run: Run, repository: OpenRepository, made: readonly string[]): Promise<readonly Problem[]> {
  const host = run.configuration.backup.hostname
  const own = machineId(run.state)
  const left = repository.snapshots.filter((snapshot) => snapshot.host === host && snapshot.tags.includes(warmTag) && (taggedMachine(snapshot) ?? own) === own).map(({ id }) => id)
  const ids = [...new Set([...left, ...made])]
  if (ids.length === 0) return []
  const noted = repository.record.willForget(ids)
  if (!noted.ok) return [problemFrom(noted.failure, { severity: 'warning', code: 'warm-snapshot-left' })]
  const forgotten = await repository.engine.forget(ids, { prune: false })
  if (!forgotten.ok) {
    const present = await repository.engine.snapshots()
    if (present.ok) repository.record.settle(present.value.map(({ id }) => id))
    return [problemFrom(forgotten.failure, { severity: 'warning', code: 'warm-snapshot-left' })]
  }
  repository.record.didForget(forgotten.value.removed)
  run.log('info', 'snapshots of warm passes removed', { removed: forgotten.value.removed.length })
  return []
}
