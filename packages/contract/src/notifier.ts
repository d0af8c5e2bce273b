import type { Answer } from './answer.js'
import type { StackbkEvent } from './event.js'
import type { CallOptions, LiveProvider } from './live-provider.js'

/** Tells people. A failure is reported and never changes a run's exit code. */
export interface Notifier extends LiveProvider {
  /**
   * True for one that has to hear good news too (a ping whose absence is the alarm, a file of figures): it gets every event,
   * whatever `ON` says. Absent or false: the core keeps back what `ON` does not ask for.
   */
  readonly hearsAll?: boolean
  /**
   * `run-finished` is the digest: one a run, also of a run that was refused, and of one that was killed, told of by the next. It
   * is called outside of any stack's downtime, with a limit; the core tries again what failed with `transient`.
   */
  notify(event: StackbkEvent, options?: CallOptions): Promise<Answer<void>>
}
