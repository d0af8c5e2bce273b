import type { Answer, Failure } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { problemFrom, type Problem } from '../../errors.js'
import { recallStack } from '../../stacks/stack-memory.js'
import { dropMark, isOutdated, pendingMarks, recordMark, recordMarkMade } from '../pending-marks.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import { filesIn, worsen, type StackDraft } from './backup-result.js'

/** A loss of fewer files than this, and of fewer bytes, is ordinary in a small stack, whatever share of it that is. */
export const shrinkFloor = { files: 20, bytes: 1024 * 1024 } as const

/**
 * Compares a new snapshot with the stack's last good one: far fewer files or bytes means an unmounted disk or a wiped
 * folder more often than a tidy-up. Files and bytes are judged separately, and a loss below {@link shrinkFloor} does not count.
 * A snapshot without any file of the stack has failed, whatever came before.
 */
export function guardAgainstShrinking(run: Run, draft: StackDraft, key: string, acceptShrink: boolean): void {
  if (draft.snapshot === null) return
  const files = filesIn(draft.snapshot) - draft.ownFiles
  if (files <= 0) {
    worsen(draft, 'failed')
    draft.marks.add('partial')
    draft.problems.push({ severity: 'error', code: 'empty-snapshot', message: 'the snapshot holds no file of the stack', fix: `See whether ${draft.directory} is mounted`, stack: draft.name })
    return
  }
  const last = recallStack(run.state.stacks, key)?.lastGood
  if (last === null || last === undefined || acceptShrink) return
  const percent = run.configuration.stack(draft.name).shrinkGuardPercent
  const hasShrunk = (before: number, now: number, floor: number): boolean => now * 100 < before * percent && before - now >= floor
  if (!hasShrunk(last.files, files, shrinkFloor.files) && !hasShrunk(last.bytes, draft.snapshot.bytesProcessed, shrinkFloor.bytes)) return
  worsen(draft, 'partial')
  draft.marks.add('shrunk')
  draft.problems.push({
    severity: 'error',
    code: 'shrunk',
    message: `the stack has shrunk from ${counted(last.files, 'file')} (${last.bytes} bytes) to ${files} (${draft.snapshot.bytesProcessed} bytes)`,
    fix: `If that is right, run: stackbk backup ${draft.name} --accept-shrink`,
    stack: draft.name,
  })
}

/**
 * Records the marks of a snapshot in the state folder, before the repository shows them: from then on they count, whatever
 * happens to this run. Returns whether that worked.
 */
export function recordMarks(run: Run, repository: OpenRepository, draft: StackDraft): boolean {
  if (draft.snapshot === null || draft.marks.size === 0) return true
  try {
    recordMark(run.state.marks, { snapshotId: draft.snapshot.id, repositoryId: repository.repository.id, marks: [...draft.marks] })
    return true
  } catch (error) {
    run.log('error', 'the marks of a snapshot could not be recorded', { stack: draft.name, reason: String(error) })
    return false
  }
}

/**
 * Adds its marks to the snapshot, outside any window. The engine gives it a new ID by that: the one reported from then on.
 * Marks that cannot be made now stay recorded, count, and are made by the next run. Notes the snapshot as seen in any case.
 */
export async function markSnapshot(run: Run, repository: OpenRepository, draft: StackDraft): Promise<void> {
  if (draft.snapshot === null) return
  const old = draft.snapshot.id
  if (draft.marks.size > 0) {
    const isRecorded = recordMarks(run, repository, draft)
    const tagged = await tagWithRecord(repository, old, [...draft.marks])
    if (tagged.ok) {
      draft.snapshot = { ...draft.snapshot, id: tagged.value.id }
      dropMark(run.state.marks, old)
    } else draft.problems.push(notMarked(draft, tagged.failure, isRecorded))
  }
  repository.record.noteSeen([draft.snapshot.id])
}

function notMarked(draft: StackDraft, failure: Failure, isRecorded: boolean): Problem {
  const problem = problemFrom(failure, { code: 'not-marked', stack: draft.name })
  if (!isRecorded) return problem
  const [which, marks] = [draft.snapshot?.id.slice(0, 8) ?? '', [...draft.marks].join(', ')]
  return { ...problem, severity: 'warning', message: `the repository does not show yet that the snapshot ${which} is ${marks}: ${problem.message}`, fix: 'Nothing needs to be done: it counts as marked on this host, and the next backup makes the mark' }
}

/** The mark is worth more than the record of the old ID: at the worst a copy keeps the unmarked snapshot until its deletion is allowed. */
async function tagWithRecord({ engine, record }: OpenRepository, id: string, add: readonly string[]): Promise<Answer<{ readonly id: string }>> {
  record.willForget([id])
  const tagged = await engine.tag(id, { add })
  record.didForget(tagged.ok && tagged.value.id !== id ? [id] : [])
  return tagged
}

/**
 * Makes the marks that earlier runs could not make, and drops the records that nothing needs any more. What fails again waits for
 * the next run. Returns the repository with the IDs that its snapshots have now.
 *
 * @param own the IDs of this run's snapshots, whose marks are made by {@link markSnapshot}
 */
export async function makePendingMarks(run: Run, repository: OpenRepository, own: readonly string[]): Promise<OpenRepository> {
  const renamed = new Map<string, string>()
  let isBlocked = false
  for (const mark of pendingMarks(run.state.marks).filter(({ snapshotId }) => !own.includes(snapshotId))) {
    try {
      const isHere = repository.snapshots.some(({ id }) => id === mark.snapshotId)
      if (isOutdated(mark) || (mark.madeAs === null && !isHere && mark.repositoryId === repository.repository.id)) dropMark(run.state.marks, mark.snapshotId)
      if (!isHere || mark.madeAs !== null || isBlocked) continue
      const tagged = await tagWithRecord(repository, mark.snapshotId, mark.marks)
      // Another client that keeps the repository would make each of them wait for as long.
      if (!tagged.ok) isBlocked = true
      run.log(tagged.ok ? 'info' : 'warning', tagged.ok ? 'a mark was made that an earlier run could not make' : 'a mark still cannot be made', { snapshot: mark.snapshotId, marks: mark.marks, failure: tagged.ok ? null : tagged.failure })
      if (!tagged.ok) continue
      renamed.set(mark.snapshotId, tagged.value.id)
      repository.record.noteSeen([tagged.value.id])
      recordMarkMade(run.state.marks, mark, tagged.value.id)
    } catch (error) {
      run.log('warning', 'the record of a mark could not be changed', { snapshot: mark.snapshotId, reason: String(error) })
    }
  }
  if (renamed.size === 0) return repository
  return { ...repository, snapshots: repository.snapshots.map((snapshot) => ({ ...snapshot, id: renamed.get(snapshot.id) ?? snapshot.id })) }
}

/** A snapshot that was found damaged is not the one to go back to, nor to compare the next one with. */
export async function markDamaged(run: Run, repository: OpenRepository, draft: StackDraft): Promise<void> {
  if (draft.marks.has('partial')) return
  draft.marks.add('partial')
  await markSnapshot(run, repository, draft)
}

/** Marks a snapshot of an earlier run as damaged. A mark that cannot be made now counts all the same, and the next run makes it. */
export async function markEarlierDamaged(run: Run, repository: OpenRepository, id: string): Promise<void> {
  try {
    const recorded = pendingMarks(run.state.marks).find(({ snapshotId }) => snapshotId === id)?.marks ?? []
    recordMark(run.state.marks, { snapshotId: id, repositoryId: repository.repository.id, marks: [...new Set([...recorded, 'partial'])] })
    const mark = pendingMarks(run.state.marks).find(({ snapshotId }) => snapshotId === id)
    const tagged = await tagWithRecord(repository, id, mark?.marks ?? ['partial'])
    if (!tagged.ok) return run.log('warning', 'a damaged snapshot could not be marked yet', { snapshot: id, failure: tagged.failure })
    repository.record.noteSeen([tagged.value.id])
    // A copy may hold it under its old ID, without the mark.
    if (mark !== undefined) recordMarkMade(run.state.marks, mark, tagged.value.id)
  } catch (error) {
    run.log('error', 'a damaged snapshot could not be marked', { snapshot: id, reason: String(error) })
  }
}
