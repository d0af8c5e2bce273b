import { exitCodes, problemFrom } from '../../errors.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import { filesIn, worsen, type StackDraft } from './backup-result.js'
import { markDamaged } from './marking.js'

/** A verification that could not be made (a lock, a short outage of a mount) is tried so often; one that says "damaged" counts at once. */
const attempts = 3

/**
 * Verifies all snapshots of the run in one call, by the very IDs just made, and notes each verdict in its stack's report. One
 * that is found damaged is marked; its report then has the ID that this gives it.
 */
export async function verifySnapshots(run: Run, repository: OpenRepository, drafts: readonly StackDraft[]): Promise<void> {
  const taken = drafts.filter((draft) => draft.snapshot !== null)
  if (taken.length === 0) return
  for (const draft of taken) run.reporter.stackPhase(draft.name, 'verifying')
  const requests = taken.map((draft) => ({
    id: draft.snapshot?.id ?? '',
    files: draft.snapshot === null ? null : filesIn(draft.snapshot),
    bytes: draft.snapshot?.bytesProcessed ?? null,
  }))
  let answer = await repository.engine.verify(requests, run.configuration.backup.verificationDepth, { signal: run.signal })
  for (let attempt = 2; attempt <= attempts && !answer.ok && answer.failure.kind !== 'cancelled'; attempt++) {
    run.log('warning', 'verification could not be made: trying again', { failure: answer.failure })
    answer = await repository.engine.verify(requests, run.configuration.backup.verificationDepth, { signal: run.signal })
  }
  for (const draft of taken) {
    const verdict = answer.ok ? answer.value.find(({ id }) => id === draft.snapshot?.id) : undefined
    if (verdict?.isSound) {
      draft.verification = 'ok'
      continue
    }
    if (!answer.ok && answer.failure.kind === 'cancelled') continue
    draft.verification = 'failed'
    worsen(draft, 'failed')
    draft.codes.add(exitCodes.ofKind('corrupt'))
    draft.problems.push(
      answer.ok
        ? {
            severity: 'error',
            code: 'verification-failed',
            message: `the snapshot ${draft.snapshot?.id.slice(0, 8)} did not pass verification: ${verdict?.reason ?? 'the engine gave no verdict'}`,
            fix: 'Run: stackbk verify',
            stack: draft.name,
          }
        : problemFrom(answer.failure, { code: 'verification-failed', stack: draft.name }),
    )
    if (verdict?.isSound === false) await markDamaged(run, repository, draft)
  }
}
