import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { displayPath, hasRawBytes, pathFromBytes, pathToBytes, writtenPath } from '../src/path-bytes.js'

const bytesOf = (...parts: (string | number)[]): Buffer => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))))

describe('a path of bytes', () => {
  it('comes back as the same bytes, whatever they are', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => Buffer.compare(pathToBytes(pathFromBytes(bytes)), bytes) === 0))
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => pathFromBytes(Buffer.from(text)) === text))
  })

  it('differs from any other, and keeps that in JSON', () => {
    const paths = [bytesOf('M', 0xfc, 'ller'), bytesOf('M', 0xf6, 'ller'), bytesOf('M\ufffdller'), bytesOf('Müller'), bytesOf('M\\xfcller')].map(pathFromBytes)
    expect(new Set(paths).size).toBe(5)
    expect(JSON.parse(JSON.stringify(paths))).toEqual(paths)
    expect(paths.map(hasRawBytes)).toEqual([true, true, false, false, false])
  })

  it('is shown with the bytes that are not UTF-8 in hexadecimal', () => {
    expect(displayPath(pathFromBytes(bytesOf('/a/M', 0xfc, 'ller\u{1f600}', 0xff)))).toBe('/a/M\\xFCller\u{1f600}\\xFF')
    expect(displayPath('/a/😀')).toBe('/a/😀')
  })

  it('is meant by a person who writes it as it is shown', () => {
    const path = pathFromBytes(bytesOf('/a/M', 0xfc, 'ller\u{1f600}', 0xff))
    expect(writtenPath(displayPath(path))).toBe(path)
    expect([writtenPath('\\xC3\\xbc'), writtenPath('\\x41 \\xG0 \\xf'), writtenPath(path)]).toEqual(['ü', '\\x41 \\xG0 \\xf', path])
  })

  it('may hold encoded surrogates, a byte order mark and cut characters', () => {
    for (const bytes of [bytesOf(0xed, 0xa0, 0x80), bytesOf(0xef, 0xbb, 0xbf, 'x'), bytesOf(0xf0, 0x9f, 0x98), bytesOf('😀', 0x80), bytesOf(0xc0, 0xaf)]) expect(Buffer.from(pathToBytes(pathFromBytes(bytes)))).toEqual(bytes)
  })
})
