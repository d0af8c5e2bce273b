import type { Answer } from './answer.js'
import type { StackbkEvent } from './event.js'
import type { CallOptions, LiveProvider } from './live-provider.js'

/** Tells people. A failure is reported and never changes a run's exit code. */
export interface Notifier extends LiveProvider {
  notify(event: StackbkEvent, options?: CallOptions): Promise<Answer<void>>
}
