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
})
