import type { VerifyResult } from '../stages/verify.js'
import { blocks, presentProblems } from './present-problems.js'
import { counted, formatDuration } from './table.js'

/** A line for each corrupt file, the problems, and what was checked. */
export function presentVerify(result: VerifyResult): string {
  const corrupt = result.corrupt.map(({ file, where, healed }) => `${where}  ${file}  ${healed ? 'replaced by an intact copy' : 'CORRUPT'}`).join('\n')
  return blocks(corrupt, presentProblems(result.problems), `verify ${result.status} in ${formatDuration(result.durationMs)}: ${checked(result)}`)
}

function checked({ depth, checked: count, corrupt }: VerifyResult): string {
  const isRemote = depth.startsWith('remote')
  const share = isRemote ? (depth === 'remote 100 %' ? '' : ` (${depth})`) : `${depth} checked`
  if (count === 0) return isRemote ? `no remote file checked${share}` : share
  const files = `${counted(count, isRemote ? 'remote file' : 'file')} checked against ${count === 1 ? 'its SHA-256 name' : 'their SHA-256 names'}${isRemote ? share : ''}, ${corrupt.length === 0 ? 'all intact' : `${corrupt.length} corrupt`}`
  return isRemote ? files : `${share}, ${files}`
}
