import type { RestoreAndRecoverResult } from '../stages/restore-and-recover.js'
import type { RestoreResult } from '../stages/restore/restore-result.js'
import { blocks, presentProblems } from './present-problems.js'
import { recoveredStacks } from './present-recover.js'
import { counted, formatBytes, formatDuration } from './table.js'

/** What came back, whether it is sound, and what to do with it. */
export function presentRestore(result: RestoreResult | RestoreAndRecoverResult): string {
  const { verification } = result
  const lines = [
    `source        ${result.source}`,
    `target        ${result.target}`,
    `repository    ${counted(result.files, 'file')}, ${formatBytes(result.bytes)}${result.snapshots === null ? '' : `, ${counted(result.snapshots, 'snapshot')}`}`,
    `verification  ${verification.status}${verification.filesChecked === 0 ? '' : `: ${counted(verification.filesChecked, 'file')} checked against ${verification.filesChecked === 1 ? 'its SHA-256 name' : 'their SHA-256 names'}, ${verification.corrupt.length === 0 ? 'all intact' : `${verification.corrupt.length} corrupt`}`}`,
  ]
  const verdict = result.dryRun ? 'dry run: nothing was changed' : `restore ${result.status} in ${formatDuration(result.durationMs)}`
  const steps = result.nextSteps.length === 0 ? '' : ['Next steps:', ...result.nextSteps.map((step, index) => `  ${index + 1}. ${step}`)].join('\n')
  const recovered = 'recover' in result && result.recover !== null ? recoveredStacks(result.recover) : ''
  return blocks(lines.join('\n'), recovered, presentProblems(result.problems), verdict, steps)
}
