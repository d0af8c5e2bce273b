import type { VerifyResult } from '../stages/verify.js'
import { blocks, presentProblems } from './present-problems.js'
import { formatDuration } from './table.js'

export function presentVerify(result: VerifyResult): string {
  const rotten = result.corrupt.map(({ file, where, healed }) => `${where}  ${file}  ${healed ? 'replaced by a sound one' : 'ROTTEN'}`).join('\n')
  const compared = result.checked === 0 ? '' : `, ${result.checked} files compared with their names`
  return blocks(rotten, presentProblems(result.problems), `verify ${result.status} (${result.depth}${compared}) in ${formatDuration(result.durationMs)}`)
}
