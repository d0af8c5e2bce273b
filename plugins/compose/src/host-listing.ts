import type { Answer } from '@stackbk/contract'

import { type CallLimits, type Engine, type EngineCall, type EngineResponse, filtersOf, limitsOf } from './engine.js'

/** Calls that begin within this time of each other ask about the same moment. */
const sameMomentMs = 50

/** Returns the call that lists containers, running or not; with filters, only those that the engine's filters let through. */
export function listingCall(call: CallLimits, filters: Readonly<Record<string, readonly string[]>> = {}): EngineCall {
  return { ...limitsOf(call), what: 'docker ps', path: '/containers/json', query: { all: 'true', ...filtersOf(filters) } }
}

/**
 * One listing of all containers of the host for those who ask for it at nearly the same time: a plan asks what runs, what a stop
 * would meet and who else uses its data at once. An answer from before a change by stackbk itself is never used after it.
 */
export class HostListing {
  readonly #engine: Engine
  #latest: { readonly begunAt: number; readonly listed: Promise<Answer<EngineResponse>> } | null = null

  constructor(engine: Engine) {
    this.#engine = engine
  }

  async ask(call: CallLimits): Promise<Answer<EngineResponse>> {
    const latest = this.#latest
    if (latest !== null && performance.now() - latest.begunAt <= sameMomentMs) {
      const shared = await latest.listed
      // The signal or the limit of another caller may have ended it.
      if (shared.ok) return shared
    }
    const begun = { begunAt: performance.now(), listed: this.#engine.request(listingCall(call)) }
    this.#latest = begun
    return await begun.listed
  }

  /** Does something that may change a container: neither an answer from before nor one from meanwhile is used afterwards. */
  async changing<T>(work: () => Promise<T>): Promise<T> {
    this.#latest = null
    try {
      return await work()
    } finally {
      this.#latest = null
    }
  }
}
