/** In the order in which a run sends them. Who gets one passes over names that he does not know: later versions may have more. */
export type StackbkEventName = 'run-started' | 'stack-stopped' | 'stack-started' | 'stack-finished' | 'stage-finished' | 'run-finished'

/** A problem in a result. */
export interface EventProblem {
  readonly severity: 'error' | 'warning'
  /** Kebab-case, stable. */
  readonly code: string
  readonly message: string
  /** What to do next; empty when there is nothing to do. */
  readonly fix: string
  readonly stack?: string
}

/** What a result says of one stack. */
export interface EventStack {
  readonly name: string
  /** `ok`, or what came of it instead. */
  readonly status: string
  /** Milliseconds; `null`: it was not stopped. */
  readonly downtimeMs?: number | null
  readonly snapshot?: { readonly bytesAdded?: number | null } | null
  readonly problems?: readonly EventProblem[]
}

/**
 * What `--json` prints, as far as it is the same for every command; the rest is in the documents of the commands. Every key is
 * optional: a stack's own result (`stack-finished`) has no times, and a test has next to nothing.
 */
export interface EventResult {
  readonly schemaVersion?: 1
  readonly command?: string
  readonly runId?: string
  /** `ok`, `partial`, `failed` or `interrupted`; of a stack also others. */
  readonly status?: string
  readonly dryRun?: boolean
  /** ISO 8601 UTC. */
  readonly startedAt?: string
  readonly finishedAt?: string
  readonly durationMs?: number
  readonly problems?: readonly EventProblem[]
  /** Of `backup`, `recover` and `drill`. */
  readonly stacks?: readonly EventStack[]
  /** Of `run`: its two stages. `null` where one did not take place. */
  readonly backup?: EventResult | null
  readonly sync?: EventResult | null
}

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
  /** What `--json` prints of it; {@link resultOf} gives it with its types. Of a run that ended without a result, or was killed: the header of one, with the reason among its problems. */
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

/** Returns the result of an event with its types; one without any keys where the event has none. */
export function resultOf({ result }: Pick<StackbkEvent, 'result'>): EventResult {
  return typeof result === 'object' && result !== null && !Array.isArray(result) ? result : {}
}
