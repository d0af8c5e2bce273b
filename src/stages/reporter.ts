import type { Progress } from '@stackbk/contract'

/** What a stack is being put through, as a person sees it. */
export type StackPhase = 'preparing' | 'extracting' | 'comparing' | 'starting in isolation' | 'probing' | 'placing' | 'filling volumes' | 'putting back' | 'warm pass' | 'stopping' | 'freezing' | 'snapshot' | 'starting' | 'waiting' | 'verifying' | 'done'

/** Where a stage tells how far it is. The terminal, plain lines and silence are three of them; a stage knows none. */
export interface Reporter {
  /** The stacks that are about to be worked on, in order. */
  stacks(names: readonly string[]): void
  stackPhase(name: string, phase: StackPhase, progress?: Progress): void
  stackDone(name: string, outcome: { readonly status: 'ok' | 'partial' | 'failed' | 'skipped'; readonly summary: string }): void
  /** A step that belongs to no stack, such as retention or an upload. */
  step(title: string, progress?: Progress): void
  notice(text: string): void
  warning(text: string): void
  /** Nothing more comes: give the terminal back. */
  close(): Promise<void>
}

/** Says nothing. */
export const silentReporter: Reporter = {
  stacks: () => {},
  stackPhase: () => {},
  stackDone: () => {},
  step: () => {},
  notice: () => {},
  warning: () => {},
  close: () => Promise.resolve(),
}
