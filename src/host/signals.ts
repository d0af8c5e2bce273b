import { setMaxListeners } from 'node:events'

import type { SignalName } from '../errors.js'

const caught: readonly SignalName[] = ['SIGHUP', 'SIGINT', 'SIGTERM']

/** The signals that end a run, as one AbortSignal. */
export interface Interruption {
  readonly signal: AbortSignal
  /** The first signal that came; `null` for none. */
  received(): SignalName | null
  /** Ends the run as a signal would, for a reason of our own. */
  abort(reason: Error): void
  /** Gives the signals back to Node. */
  dispose(): void
}

/**
 * Catches HUP, INT and TERM for as long as the run lasts. The first aborts; further ones change nothing: what unwinds is
 * starting stacks, and half of that is worse than none.
 */
export function catchSignals(onFirst?: (name: SignalName) => void): Interruption {
  const controller = new AbortController()
  // Everything of a run listens to it, so many listeners are no leak to warn of.
  setMaxListeners(0, controller.signal)
  let first: SignalName | null = null
  const listener = (name: NodeJS.Signals): void => {
    if (first !== null) return
    first = name as SignalName
    onFirst?.(first)
    controller.abort(new Error(`interrupted by ${name}`))
  }
  for (const name of caught) process.on(name, listener)
  return {
    signal: controller.signal,
    received: () => first,
    abort: (reason) => controller.abort(reason),
    dispose: () => {
      for (const name of caught) process.off(name, listener)
    },
  }
}
