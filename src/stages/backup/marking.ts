import { problemFrom } from '../../errors.js'
import { recallStack } from '../../stacks/stack-memory.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import { filesIn, worsen, type StackDraft } from './backup-result.js'

/**
 * Compares a new snapshot with the stack's last good one: far fewer files or bytes means an unmounted disk or a wiped
 * folder more often than a tidy-up. A snapshot without any file of the stack has failed, whatever came before.
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
  if (files * 100 >= last.files * percent && draft.snapshot.bytesProcessed * 100 >= last.bytes * percent) return
  worsen(draft, 'partial')
  draft.marks.add('shrunk')
  draft.problems.push({
    severity: 'error',
    code: 'shrunk',
    message: `the stack has shrunk from ${last.files} files (${last.bytes} bytes) to ${files} (${draft.snapshot.bytesProcessed} bytes)`,
    fix: `If that is right, run: stackbk backup ${draft.name} --accept-shrink`,
    stack: draft.name,
  })
}

/**
 * Adds its marks to the snapshot, outside any window. The engine gives it a new ID by that: the one reported from then on.
 * Notes the snapshot as seen in any case.
 */
export async function markSnapshot(repository: OpenRepository, draft: StackDraft): Promise<void> {
  if (draft.snapshot === null) return
  const old = draft.snapshot.id
  if (draft.marks.size > 0) {
    // The mark is worth more than the note: at the worst a copy keeps the unmarked one until somebody allows its deletion.
    repository.record.willForget([old])
    const tagged = await repository.engine.tag(old, { add: [...draft.marks] })
    repository.record.didForget(tagged.ok && tagged.value.id !== old ? [old] : [])
    if (tagged.ok) draft.snapshot = { ...draft.snapshot, id: tagged.value.id }
    else draft.problems.push(problemFrom(tagged.failure, { code: 'not-marked', stack: draft.name }))
  }
  repository.record.noteSeen([draft.snapshot.id])
}

/** A snapshot that was found damaged is not the one to go back to, nor to compare the next one with. */
export async function markDamaged(repository: OpenRepository, draft: StackDraft): Promise<void> {
  if (draft.marks.has('partial')) return
  draft.marks.add('partial')
  await markSnapshot(repository, draft)
}
