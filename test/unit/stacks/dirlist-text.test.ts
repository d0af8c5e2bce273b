import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { appendLines, canBeListed, parseDirlist, removeLines, switchLines } from '../../../src/stacks/dirlist-text.js'

const only = (line: string): unknown => parseDirlist(line).lines.map(({ subject, isEnabled }) => [subject, isEnabled])[0]
const switched = (line: string, isEnabled: boolean): string => switchLines(line, new Set([0]), isEnabled)

describe('a line of the dirlist', () => {
  it.each([
    ['web=true', 'web', true],
    ['web=false', 'web', false],
    ['  my stack = true  # the main one', 'my stack', true],
    ['a=b=false', 'a=b', false],
    ['a=true=false', 'a=true', false],
    ['web=true # was a=false', 'web', true],
    ['my #1 stack=true', 'my #1 stack', true],
    ['a,b c=true', 'a,b c', true],
    ['/srv/x=true', '/srv/x', true],
    ['+web', 'web', true],
    ['-web', 'web', false],
    ['- my stack # note', 'my stack', false],
    ['-/srv/x', '/srv/x', false],
    ['-odd=true', '-odd', true],
    ['EXT:/srv/x', '/srv/x', true],
    ['EXT:/srv/x=false', '/srv/x', false],
    ['+EXT:/srv/x', '/srv/x', true],
    ['/srv/my stack # note', '/srv/my stack', true],
    ['\uFEFFweb=true\r', 'web', true],
  ])('%j switches %s', (line, subject, isEnabled) => {
    expect(only(line)).toEqual([subject, isEnabled])
  })

  it.each(['TRUE', 'yes', 'On', '1'])('defect 26: =%s is on, and is not rewritten by switching it on', (word) => {
    expect(only(`web=${word}`)).toEqual(['web', true])
    expect(switched(`web=${word} # note`, true)).toBe(`web=${word} # note`)
  })

  it.each([
    ['web=yes  # note', 'web=false  # note'],
    ['  web = true\r', '  web = false\r'],
    ['+my stack # note', '-my stack # note'],
    ['EXT:/srv/x # note', '/srv/x=false # note'],
    ['/srv/x', '/srv/x=false'],
    ['EXT:/srv/x=true', 'EXT:/srv/x=false'],
  ])('%j is switched off as %j', (line, off) => {
    expect(switched(line, false)).toBe(off)
    expect(parseDirlist(off).lines[0]?.isEnabled).toBe(false)
  })

  it.each(['web', 'web=maybe', '../x=true', 'a/b=true', '=true', '..=true', 'what is this?'])('%j switches nothing and is said to', (line) => {
    expect(parseDirlist(line)).toEqual({ lines: [], unknown: [{ index: 0, text: line }] })
  })

  it.each(['', '   ', '# web=true', '  # x', '\r'])('%j is silent', (line) => {
    expect(parseDirlist(line)).toEqual({ lines: [], unknown: [] })
  })
})

describe('an edit of the dirlist', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .filter((text) => !text.includes('/') && canBeListed(text))
  const anyLine = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replaceAll('\n', ' ')),
    fc.constantFrom('# comment', '', 'web=TRUE', '+x', '-y', 'EXT:/z', '/a b=no # c', 'odd line', 'name = on\r'),
    name.map((text) => `${text}=true`),
  )
  const anyText = fc.array(anyLine, { maxLength: 12 }).map((lines) => lines.join('\n'))

  it('leaves every other line byte for byte', () => {
    fc.assert(
      fc.property(anyText, fc.nat(12), fc.boolean(), (text, index, isEnabled) => {
        const before = text.split('\n')
        const after = switchLines(text, new Set([index]), isEnabled).split('\n')
        expect(after).toHaveLength(before.length)
        for (const [at, line] of before.entries()) if (at !== index) expect(after[at]).toBe(line)
        const lines = parseDirlist(text).lines.map((line) => (line.index === index ? { ...line, isEnabled } : line))
        expect(parseDirlist(after.join('\n')).lines).toEqual(lines)
      }),
      { numRuns: 2000 },
    )
  })

  it('removes only what it is told to', () => {
    fc.assert(
      fc.property(anyText, fc.nat(12), (text, index) => {
        const before = text.split('\n')
        expect(removeLines(text, new Set([index]))).toBe(before.filter((_, at) => at !== index).join('\n'))
      }),
    )
  })

  it('adds lines that read back, behind all that was there', () => {
    fc.assert(
      fc.property(anyText, fc.array(name, { maxLength: 4 }), (text, names) => {
        const after = appendLines(text, names.map((subject) => ({ subject, isEnabled: true })))
        expect(after.startsWith(text)).toBe(true)
        const added = parseDirlist(after).lines.slice(parseDirlist(text).lines.length)
        expect(added.map(({ subject }) => subject)).toEqual(names)
      }),
      { numRuns: 1000 },
    )
  })

  it('ends its lines as the text does', () => {
    expect(appendLines('a=true\r\nb=false', [{ subject: 'c', isEnabled: false }])).toBe('a=true\r\nb=false\r\nc=false\r\n')
  })
})

it.each(['#x', ' x', 'x ', 'a\nb', 'a=true #x', '', '..'])('the name %j cannot be listed', (name) => {
  expect(canBeListed(name)).toBe(false)
})
