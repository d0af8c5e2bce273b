import { setMaxListeners } from 'node:events'

/** How a call that was ended before its time came to its end. */
export type EndedBy = 'cancelled' | 'timed-out' | 'stalled'

export interface Limits {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
  /** Without a byte in either direction for so long. */
  readonly stallTimeoutMs?: number | undefined
}

/** Node lets a longer timer ring at once. */
const longestTimerMs = 2 ** 31 - 1

/** Ends a call when the caller wants it, at its limit, or when nothing moves. */
export class Patience {
  readonly #controller = new AbortController()
  readonly #outer: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout | null
  readonly #stall: NodeJS.Timeout | null
  readonly #onAbort = (): void => this.#endBy('cancelled')
  endedBy: EndedBy | null = null

  constructor({ signal, timeoutMs, stallTimeoutMs }: Limits) {
    // Every file under way listens to it: that is no leak to be warned of.
    setMaxListeners(0, this.#controller.signal)
    this.#outer = signal
    this.#timer = timeoutMs === undefined ? null : setTimeout(() => this.#endBy('timed-out'), Math.min(timeoutMs, longestTimerMs))
    this.#stall = stallTimeoutMs === undefined ? null : setTimeout(() => this.#endBy('stalled'), Math.min(stallTimeoutMs, longestTimerMs))
    if (signal?.aborted === true) this.#endBy('cancelled')
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Something moved. */
  see(): void {
    this.#stall?.refresh()
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#stall !== null) clearTimeout(this.#stall)
    this.#outer?.removeEventListener('abort', this.#onAbort)
  }

  #endBy(reason: EndedBy): void {
    this.endedBy ??= reason
    this.#controller.abort()
  }
}
