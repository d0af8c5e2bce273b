import type { Snapshot } from '@stackbk/contract'

import { problemFrom, type Problem } from '../../errors.js'
import type { Dirlist } from '../../stacks/dirlist.js'
import { isDatedInFuture } from '../dated-in-future.js'
import { pendingMarks } from '../pending-marks.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import type { BackupBody, StackDraft } from './backup-result.js'
import { findNamesakeSnapshots } from './namesakes.js'
import { findOtherMachines } from './other-machines.js'
import { retainByPolicy } from './retention-policy.js'
import { stackOf, stackTags } from './stack-snapshots.js'

export interface RetentionEnd {
  readonly report: BackupBody['retention']
  readonly problems: readonly Problem[]
}

const skipped: RetentionEnd = { report: { status: 'skipped', removed: 0 }, problems: [] }

/**
 * Forgets by the policy and frees the space, once a run and with all stacks up again: only snapshots of this host, only of
 * stacks that were backed up well in this run or whose snapshot is live and nothing worse. Each stack and each set of tags has a
 * quota of its own: live snapshots never count against those at rest, and the newest of each kind stays. Snapshots of another folder
 * of the same name have no part in it.
 */
export async function applyRetention(run: Run, repository: OpenRepository, drafts: readonly StackDraft[], dirlist: Dirlist): Promise<RetentionEnd> {
  // By the tags that the repository shows, a snapshot whose mark is still to be made would take the place of a good one.
  const unmarked = new Set(pendingMarks(run.state.marks).filter(({ madeAs }) => madeAs === null).map(({ snapshotId }) => snapshotId))
  const waiting = new Set(repository.snapshots.filter(({ id }) => unmarked.has(id)).flatMap((snapshot) => stackOf(snapshot) ?? []))
  const backedUp = drafts.filter((draft) => mayForget(draft) && !waiting.has(draft.name) && !unmarked.has(draft.snapshot?.id ?? ''))
  if (backedUp.length === 0 || run.signal.aborted) return skipped
  const host = run.configuration.backup.hostname
  // The policy would keep them as the newest, and forget what is really the newest in their stead.
  const ahead = new Map(repository.snapshots.flatMap((snapshot) => (snapshot.host === host && isDatedInFuture(snapshot) ? [[stackOf(snapshot) ?? '', snapshot] as const] : [])))
  const machines = await findOtherMachines(run, repository, backedUp.map(({ name }) => name))
  const good = backedUp.filter(({ name }) => !ahead.has(name) && !machines.stacks.has(name))
  const ofHost = repository.snapshots.filter((snapshot) => snapshot.host === host)
  const namesakes = findNamesakeSnapshots(good, { snapshots: ofHost, dirlist, memories: run.state.stacks })
  const problems = [...machines.problems, ...namesakes.problems, ...backedUp.flatMap(({ name }): Problem[] => {
    const snapshot = ahead.get(name)
    return snapshot === undefined ? [] : [clockBehind(name, snapshot)]
  })]
  if (good.length === 0) return { ...skipped, problems }
  run.reporter.step('retention')
  const names = new Set(good.map((draft) => draft.name))
  const before = ofHost.filter((snapshot) => names.has(stackOf(snapshot) ?? '') && !namesakes.ids.has(snapshot.id)).map((snapshot) => snapshot.id)
  // Every policy keeps the newest of each group, and those of this run are that.
  const made = good.flatMap((draft) => draft.snapshot?.id ?? [])
  const noted = repository.record.willForget(before.filter((id) => !made.includes(id)), made)
  if (!noted.ok) return { report: { status: 'failed', removed: 0 }, problems: [...problems, problemFrom(noted.failure, { code: 'retention-failed' })] }
  const request = {
    policy: run.configuration.backup.retention,
    host,
    tagSets: good.map((draft) => stackTags(draft.name)),
    prune: true,
    dryRun: false,
    signal: run.signal,
  }
  const { engine } = repository
  // An engine goes by host and tags, which are the same for both.
  const retained = engine.retain === undefined || namesakes.ids.size > 0 ? await retainByPolicy(engine, request, namesakes.ids) : await engine.retain(request)
  if (!retained.ok) {
    await settleRecord(repository)
    if (retained.failure.kind === 'cancelled') return { ...skipped, problems }
    return { report: { status: 'failed', removed: 0 }, problems: [...problems, problemFrom(retained.failure, { code: 'retention-failed' })] }
  }
  repository.record.didForget(retained.value.removed)
  run.log('info', 'retention', { removed: retained.value.removed.length, kept: retained.value.kept.length })
  const removed = new Set(retained.value.removed)
  const forgotten = repository.snapshots
    .filter(({ id }) => removed.has(id))
    .map((snapshot) => ({ id: snapshot.id, time: snapshot.time, stack: stackOf(snapshot) }))
    .toSorted((one, other) => one.time.localeCompare(other.time))
  return { report: { status: 'ok', removed: retained.value.removed.length, ...(forgotten.length === 0 ? {} : { forgotten }) }, problems }
}

function clockBehind(stack: string, { id, time }: Snapshot): Problem {
  return {
    severity: 'warning',
    code: 'clock-behind',
    message: `nothing of it was forgotten, because its snapshot ${id.slice(0, 8)} is dated in the future (${time})`,
    fix: `Set the clock if it is behind; if it is right, remove that snapshot: stackbk snapshots forget ${id.slice(0, 8)}`,
    stack,
  }
}

/** A stack that is live every night would grow without bound; what is marked partial or shrunk may be the sign of a loss, and then nothing goes. */
function mayForget({ status, snapshot, verification, marks }: StackDraft): boolean {
  if (snapshot === null || verification === 'failed' || verification === 'unknown') return false
  return status === 'ok' || (status === 'partial' && marks.size === 1 && marks.has('live'))
}

/** What a half-done retention has removed is found out by looking; where even that fails, the next run does. */
async function settleRecord(repository: OpenRepository): Promise<void> {
  const present = await repository.engine.snapshots()
  if (present.ok) repository.record.settle(present.value.map((snapshot) => snapshot.id))
}
