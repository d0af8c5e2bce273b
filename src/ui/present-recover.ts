import type { RecoverResult } from '../stages/recover/recover-result.js'
import { blocks, presentProblems } from './present-problems.js'
import { formatBytes, formatDuration, table } from './table.js'

/** A row a stack. */
export function presentRecover(result: RecoverResult): string {
  const rows = result.stacks.map((stack) => [stack.name, result.dryRun && stack.status === 'ok' ? 'would be recovered' : stack.status, stack.snapshotId?.slice(0, 8) ?? '-', `${stack.files}`, formatBytes(stack.bytes), stack.healthy ? 'running' : stack.started ? 'started' : 'not started', stack.directory])
  const verdict = result.dryRun ? 'dry run: nothing was changed' : `recover ${result.status} in ${formatDuration(result.durationMs)}`
  return blocks(table(['STACK', 'RESULT', 'SNAPSHOT', 'FILES', 'BYTES', 'STATE', 'FOLDER'], rows), presentProblems(result.problems), verdict)
}
