import type { Answer } from '@stackbk/contract'

import { longestTimerMs } from '../../host/timer.js'

/** How long a provider that was told to end may take for that: its tools get 10 s, and 10 s more when they have to be killed. */
const endingMs = 30_000

export interface Limit {
  /** Milliseconds. */
  readonly ms: number
  /** Ends it before. */
  readonly signal: AbortSignal
  /** So long it may go on when that happens. Milliseconds; default: not at all. */
  readonly afterAbortMs?: number
}

/**
 * The answer of a provider, or a failure where it gives none in time and does not end when it is told to: nobody waits for
 * what hangs. Throws what the provider throws.
 */
export async function answerWithin<T>({ ms, signal, afterAbortMs = 0 }: Limit, ask: (signal: AbortSignal) => Promise<Answer<T>>): Promise<Answer<T>> {
  const own = new AbortController()
  const over = new AbortController()
  const wait = (time: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(time, longestTimerMs))
      over.signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
    })
  const aborted = new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true, signal: over.signal })))
  let isTooLate = false
  const tooLate = { ok: false, failure: { kind: 'timed-out', message: `it took longer than ${ms / 1000} s` } } as const
  const hanging = async (): Promise<Answer<T>> => {
    isTooLate = await Promise.race([wait(ms).then(() => true), aborted.then(() => wait(afterAbortMs)).then(() => false)])
    own.abort()
    await wait(endingMs)
    return isTooLate ? tooLate : { ok: false, failure: { kind: 'cancelled', message: 'it did not end when the run was interrupted' } }
  }
  try {
    const answer = await Promise.race([ask(own.signal), hanging()])
    return isTooLate && !answer.ok && answer.failure.kind === 'cancelled' ? tooLate : answer
  } finally {
    over.abort()
  }
}
