import { afterEach, describe, expect, it, vi } from 'vitest'

import { forbidExit, reserveStandardOutput, writeDocument } from '../../../src/host/foreign-code.js'

const exit = (): unknown => Reflect.get(process, 'exit')

describe('code that is not ours', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it('cannot end the process while anybody forbids it', () => {
    const before = exit()
    const [first, second] = [forbidExit(), forbidExit()]
    expect(() => Reflect.apply(exit() as () => never, process, [3])).toThrow('it called process.exit(3), which stackbk does not let it')
    first()
    expect(() => Reflect.apply(exit() as () => never, process, [])).toThrow('process.exit()')
    second()
    expect(exit()).toBe(before)
  })

  it('cannot write to standard output while that is reserved for a document', () => {
    const out: string[] = []
    const errors: string[] = []
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => (out.push(String(text)), true))
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => (errors.push(String(text)), true))
    const release = reserveStandardOutput()
    const releaseAgain = reserveStandardOutput()
    process.stdout.write('noise')
    writeDocument('document')
    releaseAgain()
    process.stdout.write('noise')
    release()
    process.stdout.write('free')
    writeDocument('again')
    expect([out, errors]).toEqual([['document', 'free', 'again'], ['noise', 'noise']])
  })
})
