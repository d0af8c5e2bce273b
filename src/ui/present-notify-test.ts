import type { NotifyTestResult } from '../stages/notify-test.js'
import { blocks, presentProblems } from './present-problems.js'
import { formatDuration, table } from './table.js'

/** A row a notification. */
export function presentNotifyTest({ notifications, problems }: NotifyTestResult): string {
  const rows = notifications.map(({ name, type, status, durationMs }) => [name, type, status === 'ok' ? 'sent' : 'FAILED', formatDuration(durationMs)])
  return blocks(table(['NAME', 'TYPE', 'RESULT', 'TOOK'], rows), presentProblems(problems))
}
