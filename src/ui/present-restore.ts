import type { RestoreAndRecoverResult } from '../stages/restore-and-recover.js'
import type { RestoreResult } from '../stages/restore/restore-result.js'
import { blocks, presentProblems } from './present-problems.js'
import { recoveredStacks } from './present-recover.js'
import { formatBytes, formatDuration } from './table.js'

/** What came back, whether it is sound, and what to do with it. */
export function presentRestore(result: RestoreResult | RestoreAndRecoverResult): string {
  const { verification } = result
  const lines = [
    `source        ${result.source}`,
    `target        ${result.target}`,
    `repository    ${result.files} files, ${formatBytes(result.bytes)}${result.snapshots === null ? '' : `, ${result.snapshots} snapshots`}`,
    `verification  ${verification.status}${verification.filesChecked === 0 ? '' : `: ${verification.filesChecked} files compared with their SHA-256, ${verification.corrupt.length} corrupt`}`,
  ]
  const verdict = result.dryRun ? 'dry run: nothing was changed' : `restore ${result.status} in ${formatDuration(result.durationMs)}`
  const steps = result.nextSteps.length === 0 ? '' : ['Next steps:', ...result.nextSteps.map((step, index) => `  ${index + 1}. ${step}`)].join('\n')
  const recovered = 'recover' in result && result.recover !== null ? recoveredStacks(result.recover) : ''
  return blocks(lines.join('\n'), recovered, presentProblems(result.problems), verdict, steps)
}
