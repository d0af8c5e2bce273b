/** In the order in which a run sends them. Who gets one passes over names that he does not know: later versions may have more. */
export type StackbkEventName = 'run-started' | 'stack-stopped' | 'stack-started' | 'stack-finished' | 'stage-finished' | 'run-finished'

/** What the hook `stackbk:event` carries and a notifier gets. While a stack is down events wait. */
export interface StackbkEvent {
  readonly schemaVersion: 1
  readonly event: StackbkEventName
  readonly runId: string
  /** ISO 8601 UTC. */
  readonly at: string
  /** The command whose run it is about. In a report of a run that was killed: that run's, as `runId` is. */
  readonly command: string
  readonly dryRun: boolean
  /** The name of this host in every snapshot. */
  readonly host?: string
  readonly stack?: string
  /** The stage of a `stage-finished`. */
  readonly stage?: string
  /** What `--json` prints of it. Of a run that ended without a result, or was killed: the header of one, with the reason among its problems. */
  readonly result?: unknown
  /** Of a `run-finished`: what the command exits with; 137 for a run that was killed. */
  readonly exitCode?: number
  /** Of a `run-finished` that went well: when the failure of this command happened that this notifier reported last. The first success after a failure is sent whatever `ON` says. ISO 8601 UTC. */
  readonly recoversFrom?: string
  /** Of a `run-finished`: the last lines of its run log, for people, without secrets. */
  readonly log?: string
  /** Nothing has happened: somebody tries whether a message arrives. Nobody's figures may change by it. */
  readonly isTest?: boolean
}
