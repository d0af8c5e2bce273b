import { stacksIn, wasDeclined, type HistoryResult, type PastRun } from '../stages/history.js'
import { localTime } from './local-time.js'
import { formatDuration, table } from './table.js'

/** A row a run. How long it was down and until it was ready is that of the stack that took longest, or of the one that was asked for. */
export function presentHistory(result: HistoryResult, stack: string | undefined): string {
  if (result.runs.length === 0) return 'no runs'
  const rows = result.runs.map((run) => [
    localTime(run.startedAt),
    run.command,
    wasDeclined(run) ? 'declined' : run.status,
    String(run.exitCode),
    formatDuration(run.durationMs),
    formatDuration(longest(run, 'downtimeMs', stack)),
    formatDuration(longest(run, 'readyMs', stack)),
    run.problems[0]?.message.split('\n')[0] ?? '',
  ])
  return table(['BEGUN', 'COMMAND', 'RESULT', 'EXIT', 'TOOK', 'DOWN FOR', 'UP AGAIN', ''], rows)
}

/** Milliseconds; of the stack that was down longest, or of the one that was asked for. */
export function longestDowntime(run: PastRun, stack: string | undefined): number | null {
  return longest(run, 'downtimeMs', stack)
}

function longest(run: PastRun, key: 'downtimeMs' | 'readyMs', stack: string | undefined): number | null {
  const durations = stacksIn(run).filter(({ name }) => stack === undefined || name === stack).flatMap((one) => one[key] ?? [])
  return durations.length === 0 ? null : Math.max(...durations)
}
