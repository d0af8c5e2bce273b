import { type Answer, failed, type Failure, type VerificationRequest, type VerificationResult } from '@stackbk/contract'

import { exitCodes, problemFrom, type Problem } from '../../errors.js'
import { describeError } from '../../providers/findings.js'
import { recallStack, rememberStack, type StackMemory, type UnverifiedSnapshot } from '../../stacks/stack-memory.js'
import { pendingMarks } from '../pending-marks.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import { filesIn, worsen, type StackDraft } from './backup-result.js'
import { markDamaged, markEarlierDamaged } from './marking.js'

/** A verification that could not be made (a lock, a short outage of a mount) is tried so often; one that says "damaged" counts at once. */
const attempts = 3

/** Of so many earlier snapshots of a stack the verification is made up for. */
const mostUnverified = 7

/**
 * Verifies all snapshots of the run in one call, by the very IDs just made, and notes each verdict in its stack's report. One
 * that is found damaged is marked; its report then has the ID that this gives it. A verification that could not be made says
 * nothing against a snapshot: the report has `unknown`, and the next backup verifies it with its own.
 */
export async function verifySnapshots(run: Run, repository: OpenRepository, drafts: readonly StackDraft[]): Promise<void> {
  const taken = drafts.filter((draft) => draft.snapshot !== null)
  if (taken.length === 0) return
  for (const draft of taken) run.reporter.stackPhase(draft.name, 'verifying')
  const answer = await ask(run, repository, taken.map(requestOf))
  for (const draft of taken) {
    const verdict = answer.ok ? answer.value.find(({ id }) => id === draft.snapshot?.id) : undefined
    if (verdict?.isSound === true) draft.verification = 'ok'
    else if (verdict?.isSound === false) await recordDamage(run, repository, draft, verdict.reason)
    else if (!answer.ok && answer.failure.kind === 'corrupt') recordFailed(draft, problemFrom(answer.failure, { code: 'verification-failed', stack: draft.name }))
    else recordNotMade(repository, draft, answer.ok ? { kind: 'failed', message: 'the engine gave no verdict' } : answer.failure)
  }
  if (answer.ok) await verifyEarlier(run, repository, taken)
}

/**
 * Notes that the snapshot is to be verified, before that is done: the run may be killed until then. `verifySnapshots`, or what is
 * remembered after it, takes the note away. Never fails: the report of this run says what became of the verification.
 */
export function oweVerification(run: Run, { repository }: OpenRepository, draft: StackDraft, key: string): void {
  if (draft.snapshot === null) return
  const before = recallStack(run.state.stacks, key)
  const { name, directory } = draft
  const nothing: StackMemory = { schemaVersion: 1, name, directory, lastGood: null, lastDowntimeMs: null, lastReadyMs: null }
  try {
    rememberStack(run.state.stacks, key, { ...(before ?? nothing), unverified: [...(before?.unverified ?? []), unverifiedOf(draft.snapshot, repository.id)].slice(-mostUnverified) })
  } catch (error) {
    run.log('warning', 'it could not be noted that a snapshot is to be verified', { stack: name, reason: String(error) })
  }
}

/** An engine that throws, against its contract, costs the verification and not the report of the run. */
async function ask(run: Run, repository: OpenRepository, requests: readonly VerificationRequest[]): Promise<Answer<readonly VerificationResult[]>> {
  if (run.signal.aborted) return failed({ kind: 'cancelled', message: 'the run was interrupted' })
  const verify = async (): Promise<Answer<readonly VerificationResult[]>> => {
    try {
      return await repository.engine.verify(requests, run.configuration.backup.verificationDepth, { signal: run.signal })
    } catch (error) {
      return failed({ kind: 'failed', message: describeError(error) })
    }
  }
  let answer = await verify()
  for (let attempt = 2; attempt <= attempts && !answer.ok && answer.failure.kind !== 'cancelled'; attempt++) {
    run.log('warning', 'verification could not be made: trying again', { failure: answer.failure })
    answer = await verify()
  }
  return answer
}

function unverifiedOf(snapshot: NonNullable<StackDraft['snapshot']>, repositoryId: string): UnverifiedSnapshot {
  return { id: snapshot.id, repositoryId, files: filesIn(snapshot), bytes: snapshot.bytesProcessed }
}

function requestOf({ snapshot }: StackDraft): VerificationRequest {
  return { id: snapshot?.id ?? '', files: snapshot === null ? null : filesIn(snapshot), bytes: snapshot?.bytesProcessed ?? null }
}

async function recordDamage(run: Run, repository: OpenRepository, draft: StackDraft, reason: string): Promise<void> {
  recordFailed(draft, { severity: 'error', code: 'verification-failed', message: `the snapshot ${draft.snapshot?.id.slice(0, 8)} did not pass verification: ${reason}`, fix: 'Run: stackbk verify', stack: draft.name })
  await markDamaged(run, repository, draft)
}

function recordFailed(draft: StackDraft, problem: Problem): void {
  draft.verification = 'failed'
  worsen(draft, 'failed')
  draft.codes.add(exitCodes.ofKind('corrupt'))
  draft.problems.push(problem)
}

function recordNotMade({ repository }: OpenRepository, draft: StackDraft, failure: Failure): void {
  const { snapshot } = draft
  if (snapshot === null) return
  draft.unverified = [...draft.unverified, unverifiedOf(snapshot, repository.id)].slice(-mostUnverified)
  if (failure.kind === 'cancelled') return
  draft.verification = 'unknown'
  worsen(draft, 'partial')
  draft.problems.push({
    severity: 'error',
    code: 'verification-not-made',
    message: `the snapshot ${snapshot.id.slice(0, 8)} could not be verified: ${problemFrom(failure).message}`,
    fix: `${failure.fix === undefined || failure.fix === '' ? '' : `${failure.fix}. `}The next backup verifies it; to check the whole repository now, run: stackbk verify`,
    stack: draft.name,
  })
}

/** Makes up for verifications that earlier runs could not make. What cannot be verified now either waits for the next run. */
async function verifyEarlier(run: Run, repository: OpenRepository, drafts: readonly StackDraft[]): Promise<void> {
  const { id: repositoryId } = repository.repository
  const waiting = drafts.flatMap((draft) => draft.unverified.flatMap((snapshot) => {
    const id = presentIdOf(run, repository, snapshot)
    return id === null ? [] : [{ draft, snapshot, id }]
  }))
  // One that was forgotten meanwhile, and one that has passed, no longer waits.
  const drop = (draft: StackDraft, id: string): void => {
    draft.unverified = draft.unverified.filter((snapshot) => snapshot.id !== id)
  }
  for (const draft of drafts) {
    for (const snapshot of draft.unverified) if (snapshot.repositoryId === repositoryId && snapshot.id !== draft.snapshot?.id && !waiting.some((one) => one.snapshot === snapshot)) drop(draft, snapshot.id)
  }
  if (waiting.length === 0 || run.signal.aborted) return
  const answer = await ask(run, repository, waiting.map(({ snapshot, id }) => ({ id, files: snapshot.files, bytes: snapshot.bytes })))
  if (!answer.ok) return run.log('warning', 'earlier snapshots still could not be verified', { snapshots: waiting.map(({ id }) => id), failure: answer.failure })
  for (const { draft, snapshot, id } of waiting) {
    const verdict = answer.value.find((one) => one.id === id)
    if (verdict === undefined) continue
    drop(draft, snapshot.id)
    run.log('info', 'an earlier snapshot was verified', { stack: draft.name, snapshot: id, isSound: verdict.isSound })
    if (verdict.isSound) continue
    draft.damaged.add(snapshot.id)
    worsen(draft, 'partial')
    draft.codes.add(exitCodes.ofKind('corrupt'))
    draft.problems.push({ severity: 'error', code: 'earlier-snapshot-damaged', message: `the earlier snapshot ${id.slice(0, 8)}, which could not be verified when it was made, did not pass verification: ${verdict.reason}`, fix: 'Run: stackbk verify', stack: draft.name })
    await markEarlierDamaged(run, repository, id)
  }
}

/** The ID that it has now, since a mark gives it another one; `null` for one of another repository, and where it is gone. */
function presentIdOf(run: Run, { repository, snapshots }: OpenRepository, snapshot: UnverifiedSnapshot): string | null {
  if (snapshot.repositoryId !== repository.id) return null
  const id = pendingMarks(run.state.marks).find(({ snapshotId, madeAs }) => snapshotId === snapshot.id && madeAs !== null)?.madeAs ?? snapshot.id
  return snapshots.some((one) => one.id === id) ? id : null
}
