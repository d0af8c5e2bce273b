import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { compileSource } from '../compiled-source.js'
import { nodeProcess } from '../processes.js'

describe('a signal', () => {
  let program = ''

  beforeAll(() => {
    program = compileSource(mkdtempSync(join(tmpdir(), 'stackbk-signals-')), ['host/signals.ts'])
  })
  afterAll(() => {
    rmSync(program, { recursive: true, force: true })
  })

  /** Tells of the first signal, goes on until it is told to end, then says what it has seen. */
  const catcher = `
    import { catchSignals } from './host/signals.js'
    const told = []
    const interruption = catchSignals((name) => { told.push(name); console.log('caught') })
    let aborts = 0
    interruption.signal.addEventListener('abort', () => aborts++)
    console.log('up ' + interruption.received() + ' ' + interruption.signal.aborted)
    process.stdin.once('data', () => {
      console.log(JSON.stringify({ received: interruption.received(), aborted: interruption.signal.aborted, reason: interruption.signal.reason.message, told, aborts }))
      interruption.dispose()
      console.log('disposed')
    })`

  it.each(['SIGHUP', 'SIGINT', 'SIGTERM'] as const)('%s aborts once, and further ones change nothing, until the signals are given back', async (name) => {
    const { child, said } = await nodeProcess(program, catcher)
    expect(said).toBe('up null false')
    if (child.stdout === null) throw new Error('no output')
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const next = async (): Promise<string> => String((await lines.next()).value)
    child.kill(name)
    expect(await next()).toBe('caught')
    for (const other of ['SIGINT', 'SIGTERM', 'SIGHUP', name] as const) child.kill(other)
    child.stdin?.write('\n')
    expect(JSON.parse(await next())).toEqual({ received: name, aborted: true, reason: `interrupted by ${name}`, told: [name], aborts: 1 })
    expect(await next()).toBe('disposed')
    const ended = once(child, 'exit')
    child.kill(name)
    expect(await ended).toEqual([null, name])
  })

  it('of a reader that went away does not end the process', async () => {
    const { child } = await nodeProcess(
      program,
      `
      import { surviveClosedOutput } from './host/signals.js'
      surviveClosedOutput()
      console.log('up')
      process.stdin.once('data', () => {
        for (let line = 0; line < 1000; line++) console.log('x'.repeat(1000))
        setImmediate(() => { process.exitCode = 42; process.stdin.destroy() })
      })`,
    )
    child.stdout?.destroy()
    const ended = once(child, 'exit')
    child.stdin?.write('\n')
    expect(await ended).toEqual([42, null])
  })

  it.each(['EIO', 'ENOSPC', 'EPIPE'])('of an output that fails with %s does not end the process, whatever was to be done about it before', async (code) => {
    const { child } = await nodeProcess(
      program,
      `
      import { surviveClosedOutput } from './host/signals.js'
      process.stdout.on('error', (error) => { throw error })
      surviveClosedOutput()
      console.log('up')
      process.stdout.emit('error', Object.assign(new Error('write'), { code: '${code}' }))
      process.exitCode = 42
      process.stdin.destroy()`,
    )
    expect(await once(child, 'exit')).toEqual([42, null])
  })
})
