import type { Answer, Failure, TransferResult } from '@stackbk/contract'
import pRetry, { AbortError } from 'p-retry'

import { errorFrom, type StackbkError } from '../../errors.js'
import type { Run } from '../run.js'

/** The first pause before another try; each further one is twice as long, up to the last, and up to twice that by jitter. */
const firstPauseMs = 1_000
const longestPauseMs = 60_000

/** What all transfers of one run have come to. */
export interface Tally {
  files: number
  bytes: number
  attempts: number
}

class TransferError extends Error {
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

/** Tries a transfer again, with pauses that grow and vary, as long as its failure is one that can pass. */
export async function withRetries(run: Run, tally: Tally, transfer: () => Promise<Answer<TransferResult>>): Promise<Answer<void>> {
  const answer = await asked(run, () => {
    tally.attempts++
    return transfer()
  })
  if (!answer.ok) return answer
  tally.files += answer.value.files
  tally.bytes += answer.value.bytes
  return { ok: true, value: undefined }
}

/** The same for what is no transfer: a question to the remote, a move or a deletion there. Each may be done twice. `pauseMs`: the first pause. */
export async function asked<T>(run: Run, ask: () => Promise<Answer<T>>, pauseMs = firstPauseMs): Promise<Answer<T>> {
  try {
    return await pRetry(
      async () => {
        const answer = await ask()
        if (answer.ok) return answer
        const error = new TransferError(answer.failure)
        if (answer.failure.transient !== true || run.signal.aborted) throw new AbortError(error)
        throw error
      },
      {
        retries: run.configuration.cloud.retries,
        minTimeout: pauseMs,
        maxTimeout: longestPauseMs,
        randomize: true,
        signal: run.signal,
        onFailedAttempt: ({ error, retriesLeft }) => {
          if (retriesLeft === 0) return
          run.log('warning', 'a call to the remote failed and is tried again', { reason: error.message, retriesLeft })
          run.reporter.warning(`${error.message}; trying again (${retriesLeft} left)`)
        },
      },
    )
  } catch (error) {
    if (error instanceof TransferError) return { ok: false, failure: error.failure }
    if (run.signal.aborted) return { ok: false, failure: { kind: 'cancelled', message: 'the call to the remote was interrupted' } }
    throw error
  }
}

/** A failure to ask the remote, to be thrown. One that gives no answer is not to be reached, however far the call came. */
export function remoteErrorFrom(failure: Failure): StackbkError {
  return errorFrom(failure.kind === 'stalled' || failure.kind === 'timed-out' ? { ...failure, kind: 'remote-unreachable' } : failure)
}

/** What is left of a limit for many calls together, for each of them as it begins. `null`: no limit. */
export function sharedLimit(limitMs: number | null): () => { readonly timeoutMs?: number } {
  if (limitMs === null) return () => ({})
  const end = performance.now() + limitMs
  return () => ({ timeoutMs: Math.max(1, Math.ceil(end - performance.now())) })
}
