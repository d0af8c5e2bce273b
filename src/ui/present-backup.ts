import type { BackupResult, StackReport } from '../stages/backup/backup-result.js'
import { localTime } from './local-time.js'
import { blocks, presentProblems } from './present-problems.js'
import { counted, formatBytes, formatDuration, table } from './table.js'

/** The summary of a backup: a row a stack, then what went wrong, then one line for the whole. */
export function presentBackup(result: BackupResult): string {
  return result.dryRun ? presentPreview(result) : presentMade(result)
}

function presentMade(result: BackupResult): string {
  const rows = result.stacks.map((stack) => [
    stack.name,
    stack.status,
    stack.snapshot === null ? '-' : stack.snapshot.id.slice(0, 8),
    stack.snapshot === null ? '-' : formatBytes(stack.snapshot.bytesAdded),
    formatDuration(stack.downtimeMs),
    stack.stopMode,
  ])
  const ok = result.stacks.filter((stack) => stack.status === 'ok').length
  const verdict = `backup ${result.status}: ${ok} of ${counted(result.stacks.length, 'stack')} in ${formatDuration(result.durationMs)}`
  const { status, removed, forgotten: list = [] } = result.retention
  const forgotten = status === 'ok' && removed > 0 ? `, ${counted(removed, 'old snapshot')} forgotten${list.length === 0 ? '' : ':'}` : ''
  return blocks(table(['STACK', 'RESULT', 'SNAPSHOT', 'NEW DATA', 'DOWN', 'MODE'], rows), presentProblems(result.problems), [verdict + forgotten, ...forgottenLines(list)].join('\n'))
}

/** A line for each stack that lost snapshots. */
function forgottenLines(list: NonNullable<BackupResult['retention']['forgotten']>): string[] {
  const stacks = [...new Set(list.map(({ stack }) => stack))]
  return stacks.map((stack) => `  ${stack ?? 'other snapshots'}: ${list.filter((one) => one.stack === stack).map(({ id, time }) => `${id.slice(0, 8)} (${localTime(time)})`).join(', ')}`)
}

/** What a dry run found out: each path of each stack on a line of its own, since that is what it is asked for. */
function presentPreview({ stacks, problems }: BackupResult): string {
  const rows = stacks.map((stack) => [stack.name, stack.status, stack.stateBefore, stack.preview === undefined ? '-' : stack.stopMode])
  return blocks(table(['STACK', 'RESULT', 'STATE', 'MODE'], rows), ...stacks.map(previewLines), presentProblems(problems), 'dry run: nothing was changed')
}

function previewLines({ name, stopMode, preview }: StackReport): string {
  if (preview === undefined) return ''
  const { freezer, paths, excludes, excludedPaths, lastSnapshot } = preview
  const act = stopMode === 'none' ? 'would stop nothing and read' : freezer === null ? `would stop it (${stopMode}), read this, and start it again` : `would stop it (${stopMode}), freeze this (${freezer}), start it again, and read the frozen copy`
  const size = lastSnapshot === null ? 'none' : `${lastSnapshot.id.slice(0, 8)} of ${localTime(lastSnapshot.time)}${lastSnapshot.bytes === null ? '' : `, ${formatBytes(lastSnapshot.bytes)}`}${lastSnapshot.files === null ? '' : ` in ${counted(lastSnapshot.files, 'file')}`}`
  return [
    `${name}: ${act}`,
    ...paths.map((path) => `  ${path}`),
    ...excludedPaths.map((path) => `  without ${path}`),
    ...(excludes.length === 0 ? [] : [`  without EXCLUDE: ${excludes.join(', ')}`]),
    `  last snapshot: ${size}`,
  ].join('\n')
}
