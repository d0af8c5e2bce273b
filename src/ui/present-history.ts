import type { HistoryResult } from '../stages/history.js'
import { formatDuration, table } from './table.js'

/** A row a run. */
export function presentHistory(result: HistoryResult): string {
  if (result.runs.length === 0) return 'no runs'
  const rows = result.runs.map((run) => [run.startedAt.slice(0, 19).replace('T', ' '), run.command, run.status, String(run.exitCode), formatDuration(run.durationMs), run.problems[0]?.message.split('\n')[0] ?? ''])
  return table(['BEGUN (UTC)', 'COMMAND', 'RESULT', 'EXIT', 'TOOK', ''], rows)
}
