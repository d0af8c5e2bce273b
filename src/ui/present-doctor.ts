import type { Finding } from '@stackbk/contract'

import type { DoctorResult } from '../stages/doctor.js'
import { blocks, presentProblems } from './present-problems.js'

const signs = { ok: 'ok  ', warning: 'warn', failed: 'FAIL' } as const

/** A line for each check; of what is not well, what is needed and what to do. Plugins that can be used share a line, unless all is asked for. */
export function presentDoctor(result: DoctorResult, { isVerbose = false } = {}): string {
  const isUsablePlugin = ({ id, status }: Finding): boolean => !isVerbose && status === 'ok' && id.startsWith('plugin.')
  const plugins = result.checks.filter(isUsablePlugin).map(({ id }) => id.slice('plugin.'.length))
  const first = result.checks.findIndex(isUsablePlugin)
  const lines = result.checks.flatMap((check, index) => {
    if (index === first) return [lineOf({ ...check, id: 'plugins', found: plugins.join(', ') })]
    return isUsablePlugin(check) ? [] : [lineOf(check)]
  })
  const bad = result.checks.filter(({ status }) => status === 'failed').length
  return blocks(lines.join('\n'), presentProblems(result.problems), bad === 0 ? 'everything needed is in place' : `${bad} ${bad === 1 ? 'thing is' : 'things are'} wrong`)
}

function lineOf({ id, status, found, needed, fix }: Finding): string {
  const line = `${signs[status]}  ${id.padEnd(22)} ${found.split('\n').join(' ')}`
  return status === 'ok' ? line : `${line}${needed === '' ? '' : `\n      needed: ${needed}`}${fix === '' ? '' : `\n      next:   ${fix}`}`
}
