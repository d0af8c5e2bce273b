import { Parser } from '@oclif/core'
import { describe, expect, it } from 'vitest'

import { exitCodeOf } from '../../../src/errors.js'
import { moment, percentage } from '../../../src/ui/flag-values.js'

describe('values of flags', () => {
  const parsed = async (...argv: string[]) => (await Parser.parse(argv, { flags: { share: percentage(), since: moment() }, strict: true })).flags
  const refusal = async (...argv: string[]): Promise<number> => parsed(...argv).then(() => 0, (error: unknown) => exitCodeOf(error))

  it.each([
    ['5', 5],
    ['5%', 5],
    ['5 %', 5],
    ['2.5%', 2.5],
    ['100', 100],
    ['0.1', 0.1],
  ])('a share may be %s', async (text, value) => {
    expect((await parsed('--share', text)).share).toBe(value)
  })

  it.each(['0', '0%', '101', '-5', 'all', '', '5%%', '5/10', 'NaN', '1e1', 'Infinity'])('a share is not %j, and that is a wrong use', async (text) => {
    expect(await refusal(`--share=${text}`)).toBe(2)
  })

  it('a moment may be a date or a time', async () => {
    expect((await parsed('--since', '2026-01-31')).since).toEqual(new Date(2026, 0, 31))
    expect((await parsed('--since', '2026-01-31 12:30')).since).toEqual(new Date(2026, 0, 31, 12, 30))
    expect((await parsed('--since', '2026-01-31T12:00:00Z')).since).toEqual(new Date('2026-01-31T12:00:00Z'))
  })

  it.each([
    ['30m', 1800],
    ['12h', 43_200],
    ['7d', 604_800],
    ['2w', 1_209_600],
  ])('a moment may be %s ago', async (text, seconds) => {
    const before = Date.now()
    const since = (await parsed('--since', text)).since?.getTime() ?? 0
    expect(since).toBeGreaterThanOrEqual(before - seconds * 1000)
    expect(since).toBeLessThanOrEqual(Date.now() - seconds * 1000)
  })

  it.each(['yesterday', 'last 3', '5', '31.1.2026', '7x', '', '2026-13-01', 'd7'])('a moment is not %j, and that is a wrong use', async (text) => {
    expect(await refusal(`--since=${text}`)).toBe(2)
  })
})
