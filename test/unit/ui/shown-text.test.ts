import { describe, expect, it } from 'vitest'

import { localTime, withLocalTimes } from '../../../src/ui/local-time.js'
import { shownText } from '../../../src/ui/shown-text.js'
import { table } from '../../../src/ui/table.js'
import { widthOf, wrapped } from '../../../src/ui/text-width.js'

describe('a time on the screen', () => {
  it('is local and has no milliseconds', () => {
    const local = new Date(2026, 10, 28, 9, 5, 7, 162)
    expect(localTime(local.toISOString())).toBe('2026-11-28 09:05:07')
    expect(localTime('unknown')).toBe('unknown')
  })

  it('is so in the middle of a message too', () => {
    const [one, other] = [new Date(2026, 0, 2, 3, 4, 5, 6), new Date(2026, 10, 28, 23, 59, 59)]
    expect(withLocalTimes(`has no good snapshot since ${one.toISOString()}; the newest, of ${other.toISOString()}, is marked live (${one.toISOString()}).`))
      .toBe('has no good snapshot since 2026-01-02 03:04:05; the newest, of 2026-11-28 23:59:59, is marked live (2026-01-02 03:04:05).')
    expect(withLocalTimes(`of ${one.toISOString().replace('Z', '000001Z')}`)).toBe('of 2026-01-02 03:04:05')
    expect(withLocalTimes('of 2026-01-02T03:04:05.123456789+05:30: x')).toBe(`of ${localTime('2026-01-02T03:04:05+05:30')}: x`)
  })

  it.each(['/srv/dump-2026-01-02T03:04:05Z.sql', '/srv/2026-01-02T03:04:05Z', 'see 2026-01-02T03:04:05Z.sql', 'see 2026-01-02T03:04:05Z/dump'])('is left alone where it is a part of a name: %s', (text) => {
    expect(withLocalTimes(text)).toBe(text)
  })
})

describe('a line that is wider than the terminal', () => {
  it('is broken at blanks, never inside a word, and no word is lost', () => {
    const text = 'warning: the folder /var/tmp is on the disk of the stacks, see the settings of restic 0.19.1 and 1.75.2 for more of it'
    for (const columns of [20, 40, 80]) {
      const lines = wrapped(text, columns).split('\n')
      expect(lines.every((line) => widthOf(line) <= columns)).toBe(true)
      expect(lines.map((line) => line.trim()).join(' ')).toBe(text)
      expect(lines.slice(1).every((line) => /^ {2}\S/.test(line))).toBe(true)
    }
  })

  it('goes on under its last column, or two columns in where that would leave too little room', () => {
    expect(wrapped('kit         /root/kit.age, written 2026-01-01 00:00:00, never checked', 50).split('\n')).toEqual(['kit         /root/kit.age, written 2026-01-01', `${' '.repeat(12)}00:00:00, never checked`])
    const rows = table(['BEGUN', 'COMMAND', 'RESULT', ''], [['2026-01-01 00:00:00', 'backup', 'failed', 'the repository does not answer since yesterday']])
    expect(wrapped(rows, 60).split('\n').slice(1)).toEqual(['2026-01-01 00:00:00  backup   failed  the repository does', '  not answer since yesterday'])
  })

  it('keeps a word that is wider than the terminal in one piece', () => {
    const path = `/srv/${'long/'.repeat(10)}end`
    expect(wrapped(`error: ${path} is gone`, 30).split('\n')).toEqual(['error:', `  ${path}`, '  is gone'])
  })

  it('stays whole in a pipe, and where a terminal does not know its size', () => {
    const text = 'a b '.repeat(40).trim()
    expect(shownText(text, { isTTY: false, columns: 80 })).toBe(text)
    expect(shownText(text, { isTTY: true, columns: 0 })).toBe(text)
    expect(shownText(text, { isTTY: true, columns: 80 })).toContain('\n')
  })
})
