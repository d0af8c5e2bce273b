import type { ResumeResult } from '../stages/resume.js'
import { blocks, presentProblems } from './present-problems.js'
import { table } from './table.js'

/** A row a stack that was left stopped. */
export function presentResume(result: ResumeResult): string {
  if (result.stacks.length === 0) return blocks(presentProblems(result.problems), 'nothing was left stopped')
  const rows = result.stacks.map((stack) => [stack.name, stack.status, stack.action, stack.servicesBefore.join(', ')])
  return blocks(table(['STACK', 'RESULT', 'ACTION', 'SERVICES'], rows), presentProblems(result.problems))
}
