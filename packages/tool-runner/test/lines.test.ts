import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { LineSplitter, TextTail } from '../src/lines.js'

/** The lines of some bytes, cut into pieces of these sizes over and over. */
function linesOf(bytes: Uint8Array, sizes: readonly number[], options?: { readonly returnsEndLines?: boolean; readonly encoding?: 'latin1' }): string[] {
  const lines: string[] = []
  const splitter = new LineSplitter((line) => lines.push(line), options)
  for (let from = 0, piece = 0; from < bytes.length; piece++) {
    const size = sizes[piece % sizes.length] ?? 1
    splitter.write(bytes.subarray(from, from + size))
    from += size
  }
  splitter.end()
  return lines
}

describe('cutting into lines', () => {
  it('keeps all bytes of a line that is asked for in bytes', () => {
    const bytes = Buffer.from([0x4d, 0xfc, 0x0d, 0x0a, 0xc3, 0xbc, 0x0a, 0x0a, 0xff])
    expect(linesOf(bytes, [1, 2], { encoding: 'latin1' })).toEqual(['M\xfc\r', '\xc3\xbc', '', '\xff'])
  })

  it('gives the same whatever pieces the bytes come in, also within a character', () => {
    const text = fc.array(fc.constantFrom('a', '\n', '\r\n', 'ü', '€', '😀', 'é', ' '), { maxLength: 60 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 10 }), (whole, sizes) => {
        const expected = whole.split('\n').map((line) => line.replace(/\r$/, ''))
        if (expected.at(-1) === '') expected.pop()
        expect(linesOf(Buffer.from(whole), sizes)).toEqual(expected)
      }),
    )
  })

  it('ends a line at a carriage return too where that is asked for, as soon as it comes', () => {
    expect(linesOf(Buffer.from('\r 10%\r 50%\rover\nnext\rlast'), [4], { returnsEndLines: true }).filter((line) => line !== '')).toEqual([' 10%', ' 50%', 'over', 'next', 'last'])
    expect(linesOf(Buffer.from('\r 10%\r 50%\n'), [4])).toEqual(['\r 10%\r 50%'])
  })

  it('keeps characters whole where a line is so long that it is handed on in pieces', () => {
    const text = '€'.repeat(1_500_000)
    const lines = linesOf(Buffer.from(text), [65_536])
    expect(lines.length).toBeGreaterThan(1)
    expect(lines.join('') === text).toBe(true)
  })

  it('shows bytes that are no UTF-8 as such, and goes on', () => {
    expect(linesOf(Uint8Array.from([0x61, 0xff, 0x62, 0x0a, 0x63]), [1])).toEqual(['a\ufffdb', 'c'])
  })

  it('has no line for nothing', () => {
    expect(linesOf(new Uint8Array(), [1])).toEqual([])
  })
})

describe('the tail of a text', () => {
  it('is the whole of a short one', () => {
    const tail = new TextTail(100)
    for (const line of ['a', '', 'b']) tail.add(line)
    expect(tail.toString()).toBe('a\n\nb')
  })

  it('is whole lines from its end where there are many, and the end of a line that is too long alone', () => {
    const tail = new TextTail(10)
    for (let number = 0; number < 1000; number++) tail.add(`line ${number % 10}`)
    expect(tail.toString()).toBe('line 9')
    tail.add('x'.repeat(50) + 'the end')
    expect(tail.toString()).toBe('xxxthe end')
  })

  it('never holds much more than asked for, however much goes in', () => {
    const tail = new TextTail(1000)
    for (let number = 0; number < 10_000; number++) tail.add('x'.repeat(99))
    expect(tail.toString()).toHaveLength(999)
  })
})
