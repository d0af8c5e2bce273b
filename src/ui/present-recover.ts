import type { KeptReason } from '../stages/recover/kept-paths.js'
import type { RecoveredStack, RecoverResult } from '../stages/recover/recover-result.js'
import { blocks, presentProblems } from './present-problems.js'
import { formatBytes, formatDuration, table } from './table.js'

/** What became of each stack, and how it all ended. */
export function presentRecover(result: RecoverResult): string {
  const verdict = result.dryRun ? 'dry run: nothing was changed' : `recover ${result.status} in ${formatDuration(result.durationMs)}`
  return blocks(recoveredStacks(result), ...result.stacks.map((stack) => presentChanges(stack, result.dryRun)), presentProblems(result.problems), verdict)
}

/** So many lines of each kind are shown; the JSON result names more. */
const mostLines = 20

/** What is replaced, what stays and what goes aside. After a recovery only the two that a user may look for. */
function presentChanges({ name, changes }: RecoveredStack, isDryRun: boolean): string {
  if (changes === null) return ''
  const { replaced, kept, keptCount, removed, removedCount } = changes
  const list = (title: string, lines: readonly string[], count: number): string[] =>
    count === 0 ? [] : [`${name}: ${title}`, ...lines.slice(0, mostLines).map((line) => `  ${line}`), ...(count > mostLines ? [`  and ${count - mostLines} more`] : [])]
  return [
    ...(isDryRun ? list('would be replaced', replaced, replaced.length) : []),
    ...list(isDryRun ? 'would stay as it is' : 'stays as it is', kept.map(({ path, reason }) => `${path} (${reasons[reason]})`), keptCount),
    ...list(isDryRun ? 'not in the snapshot, would be moved aside and kept' : 'not in the snapshot, moved aside and kept', removed, removedCount),
  ].join('\n')
}

const reasons: Readonly<Record<KeptReason, string>> = {
  excluded: 'EXCLUDE',
  mounted: 'mounted there',
  repository: 'the repository',
  state: 'the state folder of stackbk',
  configuration: 'the configuration of stackbk',
  'other-stack': 'another stack',
  shared: 'another stack uses it too',
  system: 'it belongs to this host',
}

/** A row a stack. */
export function recoveredStacks({ stacks, dryRun }: RecoverResult): string {
  const rows = stacks.map((stack) => [
    stack.name,
    dryRun && stack.status === 'ok' ? 'would be recovered' : stack.status,
    stack.snapshotId?.slice(0, 8) ?? '-',
    ...(dryRun ? ['-', '-', '-'] : [String(stack.files), formatBytes(stack.bytes), stack.healthy ? 'running' : stack.started ? 'started' : 'not started']),
    stack.movedFrom === undefined ? stack.directory : `${stack.movedFrom} -> ${stack.directory}`,
  ])
  return table(['STACK', 'RESULT', 'SNAPSHOT', 'FILES', 'BYTES', 'STATE', 'FOLDER'], rows)
}
