import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { isOutputError } from '../../../src/host/output.js'
import { compileSource } from '../compiled-source.js'
import { nodeProcess } from '../processes.js'

let program = ''
beforeAll(() => {
  program = compileSource(mkdtempSync(join(tmpdir(), 'stackbk-output-')), ['host/output.ts', 'host/stray-errors.ts'])
})
afterAll(() => {
  rmSync(program, { recursive: true, force: true })
})

/** oclif's own listener (core 4.14.0, lib/command.js), which is there before ours. */
const oclif = "process.stdout.on('error', (error) => { if (error.code === 'EPIPE') return; throw error })"

describe('output that nobody takes', () => {
  it('of a reader that went away does not end the process, and is no loss', async () => {
    const { child } = await nodeProcess(
      program,
      `
      import { surviveLostOutput } from './host/output.js'
      ${oclif}
      const output = surviveLostOutput()
      console.log('up')
      process.stdin.once('data', () => {
        for (let line = 0; line < 1000; line++) console.log('x'.repeat(1000))
        setImmediate(() => { process.exitCode = output.lost() === null ? 42 : 1; process.stdin.destroy() })
      })`,
    )
    child.stdout?.destroy()
    const ended = once(child, 'exit')
    child.stdin?.write('\n')
    expect(await ended).toEqual([42, null])
  })

  it.each(['ENOSPC', 'EIO'])('for another reason (%s) does not end the process either, and is known', async (code) => {
    const { child, said } = await nodeProcess(
      program,
      `
      import { surviveLostOutput } from './host/output.js'
      ${oclif}
      const output = surviveLostOutput()
      process.stdout.emit('error', Object.assign(new Error('${code}: no'), { code: '${code}', syscall: 'write' }))
      console.log(output.lost())
      process.stdin.once('data', () => { process.exitCode = 42; output.close(); process.stdin.destroy() })`,
    )
    expect(said).toBe(`${code}: no`)
    const ended = once(child, 'exit')
    child.stdin?.write('\n')
    expect(await ended).toEqual([42, null])
  })
})

describe('an error that nobody catches', () => {
  it.each([
    ['thrown later', "setImmediate(() => { throw new Error('stray') })"],
    ['of a promise that was dropped', "void Promise.reject(new Error('stray'))"],
    ['that is no error', "void Promise.reject('stray')"],
  ])('%s is told of, and the process goes on', async (_, throwing) => {
    const { said } = await nodeProcess(
      program,
      `
      import { catchStrayErrors } from './host/stray-errors.js'
      const strays = catchStrayErrors((error) => console.log('told: ' + error.message + ', ' + strays.first().message))
      ${throwing}`,
    )
    expect(said).toBe('told: stray, stray')
  })

  it('of an output is none, whichever copy of oclif threw it', () => {
    expect(isOutputError(Object.assign(new Error(), { code: 'EIO', syscall: 'write' }))).toBe(true)
    expect(isOutputError(Object.assign(new Error(), { code: 'ENOENT', syscall: 'open' }))).toBe(false)
    for (const other of [new Error('x'), 'text', undefined, null]) expect(isOutputError(other)).toBe(false)
  })
})
