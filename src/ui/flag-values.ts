import { Flags } from './command-line.js'

import { usualWait } from './arguments.js'
import { StackbkError } from '../errors.js'

function refused(flag: string, input: string, kind: string, examples: string): StackbkError {
  return new StackbkError({ kind: 'usage', message: `--${flag}: '${input}' is not a ${kind}`, fix: `Use ${examples}` })
}

/** `5` or `5%`, above 0 and at most 100. */
export const percentage = Flags.custom<number>({
  helpValue: 'PERCENT',
  parse: (input) => {
    const value = Number(/^(\d+(?:\.\d+)?)\s*%?$/.exec(input)?.[1])
    if (!(value > 0 && value <= 100)) return Promise.reject(refused('read-data-subset', input, 'share', '5%'))
    return Promise.resolve(value)
  },
})

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** How long a run waits for another one: `90`, `30m`, `1h`. Milliseconds. */
export const lockWait = Flags.custom<number | typeof usualWait>({
  description: 'wait for another run (without TIME: LOCK_WAIT or 1h)',
  helpValue: 'TIME',
  parse: (input) => {
    if (input === usualWait) return Promise.resolve(usualWait)
    const [, amount, unit = 's'] = /^(\d{1,6})\s*([smhd]?)$/.exec(input) ?? []
    if (amount === undefined) return Promise.reject(refused('wait', input, 'time', '90s, 30m or 1h'))
    return Promise.resolve(Number(amount) * (unitMs[unit || 's'] ?? 0))
  },
})

// `Date` alone takes nearly anything: `last 3` is the first of March 2001 to it.
const iso8601 = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/

/** A moment: ISO 8601, or a time ago such as `7d`, `12h`. Without a zone it is this host's time. */
export const moment = Flags.custom<Date>({
  helpValue: 'TIME',
  parse: (input) => {
    const ago = /^(\d+)\s*([mhdw])$/.exec(input)
    const seconds = { m: 60, h: 3600, d: 86_400, w: 604_800 }[ago?.[2] ?? ''] ?? 0
    const written = /^\d{4}-\d\d-\d\d$/.test(input) ? `${input}T00:00` : input
    const date = ago === null ? new Date(written) : new Date(Date.now() - Number(ago[1]) * seconds * 1000)
    if ((ago === null && !iso8601.test(input)) || Number.isNaN(date.getTime())) return Promise.reject(refused('since', input, 'time', '2026-01-31 or 7d'))
    return Promise.resolve(date)
  },
})
