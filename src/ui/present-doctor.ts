import type { Finding } from '@stackbk/contract'

import type { DoctorResult } from '../stages/doctor.js'
import { blocks, presentProblems } from './present-problems.js'

const signs = { ok: 'ok  ', warning: 'warn', failed: 'FAIL' } as const

/**
 * A line for each check; of what is not well, what is needed and what to do. What is not well stands at the end, failures last, where
 * it is seen on any screen. Usable plugins are counted in one line, unless all is asked for.
 */
export function presentDoctor(result: DoctorResult, { isVerbose = false } = {}): string {
  const isUsablePlugin = ({ id, status }: Finding): boolean => !isVerbose && status === 'ok' && id.startsWith('plugin.')
  const plugins = result.checks.filter(isUsablePlugin)
  const good = result.checks.filter(({ status }) => status === 'ok').flatMap((check) => {
    if (check === plugins[0]) return [lineOf({ ...check, id: 'plugins', found: String(plugins.length) })]
    return isUsablePlugin(check) ? [] : [lineOf(check)]
  })
  const [warnings, failures] = (['warning', 'failed'] as const).map((wanted) => result.checks.filter(({ status }) => status === wanted).map(lineOf))
  return blocks(good.join('\n'), (warnings ?? []).join('\n'), (failures ?? []).join('\n'), presentProblems(result.problems), summaryOf(failures?.length ?? 0, warnings?.length ?? 0))
}

function summaryOf(failures: number, warnings: number): string {
  const doubts = warnings === 0 ? '' : `${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`
  if (failures === 0) return ['everything needed is in place', doubts].filter((part) => part !== '').join(', ')
  return [`${failures} ${failures === 1 ? 'check' : 'checks'} failed`, doubts].filter((part) => part !== '').join(', ')
}

function lineOf({ id, status, found, needed, fix }: Finding): string {
  const line = `${signs[status]}  ${id.padEnd(22)} ${found.split('\n').join(' ')}`
  return status === 'ok' ? line : `${line}${needed === '' ? '' : `\n      needed: ${needed}`}${fix === '' ? '' : `\n      next:   ${fix}`}`
}
