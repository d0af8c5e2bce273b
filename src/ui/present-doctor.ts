import type { DoctorResult } from '../stages/doctor.js'
import { blocks, presentProblems } from './present-problems.js'

const signs = { ok: 'ok  ', warning: 'warn', failed: 'FAIL' } as const

/** A line a check; of what is not well, what is needed and what to do. */
export function presentDoctor(result: DoctorResult): string {
  const lines = result.checks.map(({ id, status, found, needed, fix }) => {
    const line = `${signs[status]}  ${id.padEnd(22)} ${found.split('\n').join(' ')}`
    return status === 'ok' ? line : `${line}${needed === '' ? '' : `\n      needed: ${needed}`}${fix === '' ? '' : `\n      next:   ${fix}`}`
  })
  const bad = result.checks.filter(({ status }) => status === 'failed').length
  return blocks(lines.join('\n'), presentProblems(result.problems), bad === 0 ? 'all that is needed is there' : `${bad} ${bad === 1 ? 'thing is' : 'things are'} wrong`)
}
