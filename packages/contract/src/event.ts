/** In the order in which a run sends them. Who gets one passes over names that he does not know: later versions may have more. */
export type StackbkEventName = 'run-started' | 'stack-stopped' | 'stack-started' | 'stack-finished' | 'stage-finished' | 'run-finished'

/** What the hook `stackbk:event` carries and a notifier gets. While a stack is down events wait. */
export interface StackbkEvent {
  readonly schemaVersion: 1
  readonly event: StackbkEventName
  readonly runId: string
  /** ISO 8601 UTC. */
  readonly at: string
  readonly command: string
  readonly dryRun: boolean
  readonly stack?: string
  /** The stage of a `stage-finished`. */
  readonly stage?: string
  /** What `--json` prints of it. */
  readonly result?: unknown
}
