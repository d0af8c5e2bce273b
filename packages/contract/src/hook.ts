import type { StackbkEvent } from './event.js'
import type { AnyDescriptor } from './provider.js'

/**
 * The two hooks, in the shape that oclif's `Interfaces.Hooks` wants. Type a hook of yours with
 * `Hook<'stackbk:providers', StackbkHooks & Interfaces.Hooks>`.
 */
export interface StackbkHooks {
  [event: string]: { options: Record<string, unknown>; return: unknown }
  /** Pull: what do you provide? */
  'stackbk:providers': { options: Record<string, never>; return: readonly AnyDescriptor[] }
  /** Push: this happened. */
  'stackbk:event': { options: { event: StackbkEvent }; return: void }
}
