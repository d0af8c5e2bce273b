import type { DrillResult } from '../stages/drill/drill-result.js'
import { blocks, presentProblems } from './present-problems.js'
import { formatDuration, table } from './table.js'

/** A row a stack: whether it came back, how long that takes, how old it would be. */
export function presentDrill(result: DrillResult): string {
  const rows = result.stacks.map((stack) => [
    stack.name,
    stack.status,
    stack.snapshotId?.slice(0, 8) ?? '-',
    stack.dataAgeMs === null ? '-' : formatDuration(stack.dataAgeMs),
    stack.recoveryMs === null ? '-' : formatDuration(stack.recoveryMs),
    stack.probe !== 'skipped' ? stack.probe : stack.healthy ? 'none' : '-',
    stack.mismatches === 0 ? `${stack.filesCompared} match` : `${stack.mismatches} of ${stack.filesCompared} differ`,
  ])
  const kept = result.kept === null ? '' : `kept          ${result.kept.folder}, containers with the label stackbk.scratch=${result.kept.label}, until the next drill`
  return blocks(rows.length === 0 ? '' : table(['STACK', 'RESULT', 'SNAPSHOT', 'DATA AGE', 'RECOVERY', 'PROBE', 'FILES'], rows), presentProblems(result.problems), kept, `drill ${result.status} from ${result.source} in ${formatDuration(result.durationMs)}`)
}
