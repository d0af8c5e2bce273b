import type { RecoverResult } from '../stages/recover/recover-result.js'
import { blocks, presentProblems } from './present-problems.js'
import { formatBytes, formatDuration, table } from './table.js'

/** What became of each stack, and how it all ended. */
export function presentRecover(result: RecoverResult): string {
  const verdict = result.dryRun ? 'dry run: nothing was changed' : `recover ${result.status} in ${formatDuration(result.durationMs)}`
  return blocks(recoveredStacks(result), presentProblems(result.problems), verdict)
}

/** A row a stack. */
export function recoveredStacks({ stacks, dryRun }: RecoverResult): string {
  const rows = stacks.map((stack) => [stack.name, dryRun && stack.status === 'ok' ? 'would be recovered' : stack.status, stack.snapshotId?.slice(0, 8) ?? '-', String(stack.files), formatBytes(stack.bytes), stack.healthy ? 'running' : stack.started ? 'started' : 'not started', stack.directory])
  return table(['STACK', 'RESULT', 'SNAPSHOT', 'FILES', 'BYTES', 'STATE', 'FOLDER'], rows)
}
