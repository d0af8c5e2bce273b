import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { parseIni, writeValue } from '../../../src/config/ini-file.js'

const valueOf = (line: string): string | undefined => parseIni(`[a]\n${line}`).entries[0]?.value
const flatValueOf = (line: string): string | undefined => parseIni(line).entries[0]?.value

describe('a value in a file with sections', () => {
  it.each([
    ['K=a#b', 'a#b'],
    ['K=a;b', 'a;b'],
    ['K=#b', '#b'],
    ['K=a # note', 'a'],
    ['K=a\t; note', 'a'],
    ['K= # note', ''],
    ['K="a#b" # note', 'a#b'],
    ["K='a # b'", 'a # b'],
    ['K="a ; b"; more', '"a ; b"; more'],
    ["K=sh -c 'pass show x'", "sh -c 'pass show x'"],
    ["K=sh -c 'a; b # c' # note", "sh -c 'a; b # c'"],
    ['K="my prog" --arg "x # y"', '"my prog" --arg "x # y"'],
    ["K=don't stop # isn't it", "don't stop"],
    ['K="a\\"b\\\\c\\d"', 'a"b\\c\\d'],
    ["K='a\\'", 'a\\'],
    ['K=a = b', 'a = b'],
    ['  k.x-1 =  spaced out  ', 'spaced out'],
    ['K=', ''],
    ['K=""', ''],
  ])('defect 26: %s is read as it is meant', (line, value) => {
    expect(valueOf(line)).toBe(value)
  })

  it('reads back equal whatever was written, as long as it is one line', () => {
    const oneLine = fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => !/[\r\n\0]/.test(text))
    const awkward = fc.array(fc.constantFrom('"', "'", '\\', '#', ';', ' ', '\t', '=', '[', ']', 'a', '$', '`'), { maxLength: 12 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(oneLine, awkward), (value) => {
        expect(valueOf(`KEY=${writeValue(value)}`)).toBe(value)
        expect(valueOf(`KEY = ${writeValue(value)} # note`)).toBe(value)
      }),
      { numRuns: 2000 },
    )
  })

  it.each(['\u2028', 'a\u2028b', '\u2029', 'a \u2028# b', '\u0085'])('reads %j back, which is no line break in a configuration', (value) => {
    const ini = parseIni(`[docker] # \u2028\nK=${writeValue(value)}\n# \u2029\n`)
    expect(ini.faults).toEqual([])
    expect(ini.entries).toMatchObject([{ section: 'docker', value }])
  })

  it('refuses to write what no line can hold', () => {
    expect(() => writeValue('a\nb')).toThrow(RangeError)
  })
})

describe('a value in the old flat form', () => {
  it.each([
    ['export K="a b"', 'a b'],
    ["K='it'\\''s'", "it's"],
    ['K="a"b', 'ab'],
    ['K="\\$HOME \\`x\\`"', '$HOME `x`'],
    ['K=pass show x', 'pass show x'],
  ])('%s is read as the shell would', (line, value) => {
    expect(flatValueOf(line)).toBe(value)
  })
})

describe('the lines of a file', () => {
  it('are told apart, with byte order mark and carriage returns', () => {
    const ini = parseIni('\uFEFF# a comment\r\n[Docker]\r\n; another\r\nstop_mode = stop\r\n\r\n[stack:My Stack] # that one\r\nPROBE=true\r\n[STACK: a]b ]\r\n')
    expect(ini.format).toBe('sections')
    expect(ini.sections).toEqual([
      { name: 'docker', line: 2 },
      { name: 'stack:My Stack', line: 6 },
      { name: 'stack:a]b', line: 8 },
    ])
    expect(ini.entries).toMatchObject([
      { section: 'docker', key: 'STOP_MODE', value: 'stop', line: 4 },
      { section: 'stack:My Stack', key: 'PROBE', value: 'true', line: 7 },
    ])
    expect(ini.faults).toEqual([])
  })

  it('that are neither section nor entry nor comment are named by number', () => {
    const ini = parseIni('[docker]\nSTOP_MODE stop\nDIRLIST="x\n2=3\n')
    expect(ini.faults).toMatchObject([
      { line: 2, code: 'unreadable-line' },
      { line: 3, code: 'unclosed-quote' },
      { line: 4, code: 'unreadable-line' },
    ])
    expect(ini.entries).toEqual([])
  })

  it('without any section are the flat form', () => {
    expect(parseIni('A=1\nB=[x]\n').format).toBe('flat')
  })

  it('never make the reader fail, whatever they hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const ini = parseIni(text)
        for (const { line } of [...ini.entries, ...ini.faults]) expect(line).toBeGreaterThan(0)
      }),
    )
  })
})
