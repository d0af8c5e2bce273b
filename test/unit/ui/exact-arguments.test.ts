import { describe, expect, it } from 'vitest'

import { assertUtf8, exactArguments } from '../../../src/ui/exact-arguments.js'
import { errorOf } from '../stages/fixtures.js'

const bytesOf = (...parts: (string | number)[]): Buffer => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))))
const commandLineOf = (words: readonly Buffer[]): Buffer => Buffer.concat([bytesOf('node', 0), bytesOf('run.js', 0), ...words.flatMap((word) => [word, Buffer.of(0)])])

describe('arguments', () => {
  it('are those of the command line, byte for byte', () => {
    const words = [bytesOf('recover'), bytesOf(), bytesOf('--path=M', 0xfc, 'ller'), bytesOf('a\ufffdb'), bytesOf(0xe2, 0x82)]
    const argv = words.map((word) => word.toString('utf8'))
    expect(exactArguments(argv, () => commandLineOf(words))).toEqual(['recover', '', '--path=M\udcfcller', 'a\ufffdb', '\udce2\udc82'])
  })

  it('stay as they are where the command line is not there, or is another one', () => {
    const argv = ['recover', '--path', 'M\ufffdller']
    expect(exactArguments(argv, () => { throw new Error('ENOENT') })).toEqual(argv)
    for (const other of [[], [bytesOf('x')], [bytesOf('recover'), bytesOf('--path'), bytesOf('other')]]) expect(exactArguments(argv, () => commandLineOf(other))).toEqual(argv)
    expect(exactArguments(['status'], () => { throw new Error('read for nothing') })).toEqual(['status'])
  })

  it('have to be UTF-8, but for the path of what a snapshot holds', async () => {
    for (const argv of [['recover', '--path', 'M\udcfcller'], ['recover', '--path=M\udcfcller'], ['status', 'Müller', '😀']]) expect(() => assertUtf8(argv)).not.toThrow()
    for (const argv of [['recover', '--target', 'M\udcfcller'], ['M\udcfcller'], ['recover', '--path', 'x', 'M\udcfcller'], ['-cM\udcfcller']]) expect(await errorOf(() => assertUtf8(argv))).toMatchObject({ kind: 'usage', message: expect.stringContaining('M\\xFCller') as string })
  })
})
