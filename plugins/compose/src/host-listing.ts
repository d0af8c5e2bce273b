import type { Answer } from '@stackbk/contract'

import type { CallLimits } from './engine.js'

/** Who asks within this time of another one means the same moment. */
const sameMomentMs = 50

/**
 * One listing of all containers of the host for those who ask for it at nearly the same time: a plan asks what runs, what it
 * meets and who else uses its data at once. Nothing is shared across a call of our own that changes something.
 */
export class HostListing<Row> {
  readonly #ask: (call: CallLimits) => Promise<Answer<Row[]>>
  #latest: { readonly begunAt: number; readonly listed: Promise<Answer<Row[]>> } | null = null

  constructor(ask: (call: CallLimits) => Promise<Answer<Row[]>>) {
    this.#ask = ask
  }

  async rows(call: CallLimits): Promise<Answer<readonly Row[]>> {
    const latest = this.#latest
    if (latest !== null && performance.now() - latest.begunAt <= sameMomentMs) {
      const shared = await latest.listed
      // Another one's signal or limit may have ended it.
      if (shared.ok) return shared
    }
    const begun = { begunAt: performance.now(), listed: this.#ask(call) }
    this.#latest = begun
    return await begun.listed
  }

  /** Something is about to change, or has just changed. */
  forget(): void {
    this.#latest = null
  }
}
