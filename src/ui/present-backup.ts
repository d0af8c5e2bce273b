import type { BackupResult } from '../stages/backup/backup-result.js'
import { localTime } from './local-time.js'
import { blocks, presentProblems } from './present-problems.js'
import { counted, formatBytes, formatDuration, table } from './table.js'

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
  const verdict = result.dryRun ? 'dry run: nothing was changed' : `backup ${result.status}: ${ok} of ${counted(result.stacks.length, 'stack')} in ${formatDuration(result.durationMs)}`
  const { status, removed, forgotten: list = [] } = result.retention
  const forgotten = status === 'ok' && removed > 0 ? `, ${counted(removed, 'old snapshot')} forgotten${list.length === 0 ? '' : ':'}` : ''
  return blocks(table(['STACK', 'RESULT', 'SNAPSHOT', 'NEW DATA', 'DOWN', 'MODE'], rows), presentProblems(result.problems), [verdict + forgotten, ...forgottenLines(list)].join('\n'))
}

/** A line for each stack that lost snapshots. */
function forgottenLines(list: NonNullable<BackupResult['retention']['forgotten']>): string[] {
  const stacks = [...new Set(list.map(({ stack }) => stack))]
  return stacks.map((stack) => `  ${stack ?? 'other snapshots'}: ${list.filter((one) => one.stack === stack).map(({ id, time }) => `${id.slice(0, 8)} (${localTime(time)})`).join(', ')}`)
}
