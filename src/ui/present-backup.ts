import type { BackupResult } from '../stages/backup/backup-result.js'
import { blocks, presentProblems } from './present-problems.js'
import { formatBytes, formatDuration, table } from './table.js'

/** The summary of a backup: a row a stack, then what went wrong, then one line for the whole. */
export function presentBackup(result: BackupResult): string {
  const rows = result.stacks.map((stack) => [
    stack.name,
    stack.status,
    stack.snapshot === null ? '-' : stack.snapshot.id.slice(0, 8),
    stack.snapshot === null ? '-' : formatBytes(stack.snapshot.bytesAdded),
    formatDuration(stack.downtimeMs),
    stack.stopMode,
  ])
  const ok = result.stacks.filter((stack) => stack.status === 'ok').length
  const verdict = result.dryRun ? 'dry run: nothing was changed' : `backup ${result.status}: ${ok} of ${result.stacks.length} stacks in ${formatDuration(result.durationMs)}`
  const forgotten = result.retention.status === 'ok' && result.retention.removed > 0 ? `, ${result.retention.removed} old ${result.retention.removed === 1 ? 'snapshot' : 'snapshots'} forgotten` : ''
  return blocks(table(['STACK', 'RESULT', 'SNAPSHOT', 'NEW DATA', 'DOWN', 'MODE'], rows), presentProblems(result.problems), verdict + forgotten)
}
