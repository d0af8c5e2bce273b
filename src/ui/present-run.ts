import type { RunBothResult } from '../stages/run-both.js'
import { presentBackup } from './present-backup.js'
import { blocks, presentProblems } from './present-problems.js'
import { presentSync } from './present-sync.js'

/** The two stages one after the other; of one that could not begin, why. */
export function presentRun(result: RunBothResult): string {
  const told = [...(result.backup?.problems ?? []), ...(result.sync?.problems ?? [])]
  const untold = result.problems.filter((problem) => !told.includes(problem))
  return blocks(result.backup === null ? '' : presentBackup(result.backup), result.sync === null ? '' : presentSync(result.sync), presentProblems(untold))
}
