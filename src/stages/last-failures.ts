import type { PastRun } from './history.js'

/** A backup or a sync that failed, with nothing better after it. */
export interface LastFailure {
  readonly stage: 'backup' | 'sync'
  /** The end of that run. ISO 8601 UTC. */
  readonly at: string
  /** Why it failed, in one line. */
  readonly message: string
  /** The stack that failed. Absent: the whole run did. */
  readonly stack?: string
}

interface Outcome {
  readonly status: string
  readonly message: string
  /** Where it went; `null` if it ended before that was recorded. */
  readonly remote: string | null
}

/**
 * Returns the last failures that the history holds: of the sync to this remote, of the last backup as a whole, and of each of
 * these stacks in the last run that backed it up.
 *
 * @param runs oldest first
 */
export function lastFailures(runs: readonly PastRun[], { remote, stacks }: { readonly remote: string | null; readonly stacks: readonly string[] }): readonly LastFailure[] {
  const sync = remote === null ? null : lastFailedSync(runs, remote)
  const backup = lastFailedBackup(runs)
  const ofStacks = stacks.flatMap((name) => lastFailureOf(runs, name) ?? [])
  return [...(backup === null ? [] : [backup]), ...ofStacks, ...(sync === null ? [] : [sync])]
}

/** Returns the last sync if it failed. `remote`: only syncs to this one count; `null`: to any. */
export function lastFailedSync(runs: readonly PastRun[], remote: string | null): LastFailure | null {
  for (const past of runs.toReversed()) {
    const outcome = syncOf(past)
    if (outcome === null || (remote !== null && outcome.remote !== null && outcome.remote !== remote)) continue
    return outcome.status === 'failed' ? { stage: 'sync', at: endOf(past), message: outcome.message } : null
  }
  return null
}

/** Returns how the sync of a run ended; `null` for a run without one. */
function syncOf(past: PastRun): Outcome | null {
  if (past.command === 'sync') return outcomeOf(past)
  if (past.command !== 'run') return null
  if (isRecord(past['sync'])) return outcomeOf(past['sync'])
  // A sync that could not begin leaves no result, only a problem that the backup does not have.
  const backup = past['backup']
  if (!isRecord(backup)) return null
  const ofBackup = problemsOf(backup).filter(isRecord).map(({ message }) => message)
  const ofSync = past.problems.filter(({ severity, message }) => severity === 'error' && !ofBackup.includes(message))
  return ofSync.length === 0 ? null : { status: 'failed', message: messageOf(ofSync), remote: null }
}

/** Returns the last backup if it failed as a whole, before any stack. */
function lastFailedBackup(runs: readonly PastRun[]): LastFailure | null {
  const past = runs.findLast(({ command }) => command === 'backup' || command === 'run')
  if (past === undefined || stacksOf(past).length > 0) return null
  // Beside a sync that went well a backup that could not begin makes a run `partial`, and leaves no result.
  const hasNone = past.command === 'run' && past.status === 'partial' && past['backup'] === null
  if (past.status !== 'failed' && !hasNone) return null
  const ofSync = isRecord(past['sync']) ? problemsOf(past['sync']).filter(isRecord).map(({ message }) => message) : []
  return { stage: 'backup', at: endOf(past), message: messageOf(problemsOf(past).filter((one) => !isRecord(one) || !ofSync.includes(one['message']))) }
}

function lastFailureOf(runs: readonly PastRun[], name: string): LastFailure | null {
  const past = runs.findLast((one) => (one.command === 'backup' || one.command === 'run') && stacksOf(one).some((stack) => stack['name'] === name))
  if (past === undefined || stacksOf(past).find((stack) => stack['name'] === name)?.['status'] !== 'failed') return null
  return { stage: 'backup', at: endOf(past), message: messageOf(past.problems.filter(({ stack, severity }) => stack === name && severity === 'error')), stack: name }
}

function outcomeOf(result: Readonly<Record<string, unknown>>): Outcome {
  const { status, remote } = result
  return { status: typeof status === 'string' ? status : '', message: messageOf(problemsOf(result)), remote: typeof remote === 'string' && remote !== '' ? remote : null }
}

function stacksOf(past: PastRun): readonly Readonly<Record<string, unknown>>[] {
  const backup = past.command === 'run' ? past['backup'] : past
  const stacks = isRecord(backup) ? backup['stacks'] : undefined
  return Array.isArray(stacks) ? stacks.filter(isRecord) : []
}

function problemsOf(result: Readonly<Record<string, unknown>>): readonly unknown[] {
  return Array.isArray(result['problems']) ? result['problems'] : []
}

/** Returns the last problem, which is what ended the run; a history line of another version may hold anything. */
function messageOf(problems: readonly unknown[]): string {
  const records = problems.filter(isRecord)
  const last = records.findLast(({ severity }) => severity === 'error') ?? records.at(-1)
  return typeof last?.['message'] === 'string' ? last['message'].trim().split('\n').join(' ') : 'no reason was recorded'
}

function endOf({ finishedAt, startedAt }: PastRun): string {
  return Number.isNaN(Date.parse(finishedAt)) ? startedAt : finishedAt
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
