import type { Failure } from '@stackbk/contract'

import { longestTimerMs } from '../host/timer.js'

/** How long a tool may take to end after its call was ended. */
const endingMs = 5_000

/** One limit for several questions at once, for a report that shows what it got when something does not answer. */
export class TimeLimit {
  /** Aborted at the limit, and by the signal of the run. */
  readonly signal: AbortSignal
  readonly #run: AbortSignal
  readonly #limitMs: number
  readonly #over = new AbortController()
  readonly #timers: NodeJS.Timeout[] = []
  readonly #abandoned: Promise<void>

  constructor(limitMs: number, run: AbortSignal) {
    this.#limitMs = Math.min(limitMs, longestTimerMs)
    this.#run = run
    this.signal = AbortSignal.any([run, this.#over.signal])
    this.#abandoned = new Promise((resolve) => {
      const end = (): void => {
        this.#over.abort()
        this.#timers.push(setTimeout(resolve, endingMs))
      }
      this.#timers.push(setTimeout(end, this.#limitMs))
    })
  }

  /**
   * Returns the answer, or what `instead` makes of a failure of kind `tool-not-answering` if there is none at the limit. A
   * question that does not end when it is aborted, such as one to a dead disk, is left behind. Throws what the question throws.
   */
  async answer<T>(question: Promise<T>, instead: (failure: Failure) => T, who: string): Promise<T> {
    const none = Symbol('none')
    const answer = await Promise.race([question, this.#abandoned.then((): typeof none => none)])
    const isLate = this.#over.signal.aborted && !this.#run.aborted
    if (answer !== none && !isLate) return answer
    question.catch(() => {})
    return instead({ kind: 'tool-not-answering', message: `${who} did not answer within ${this.#limitMs / 1000} s`, fix: 'Check its disk and its network, then run: stackbk doctor' })
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }
}
