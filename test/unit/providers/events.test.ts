import type { StackbkEvent } from '@stackbk/contract'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { EventQueue } from '../../../src/providers/events.js'
import type { HookHost } from '../../../src/providers/plugin-hook.js'

describe('the events of a run', () => {
  let delivered: StackbkEvent[] = []
  let told: string[] = []
  let listen: (event: StackbkEvent) => Promise<void> = () => Promise.resolve()

  beforeEach(() => {
    delivered = []
    told = []
    listen = () => Promise.resolve()
  })

  afterEach(() => {
    vi.useRealTimers()
  })

  const queue = (): EventQueue => {
    const runHook = async (name: string, { event }: { event: StackbkEvent }, limitMs: number, captured: boolean) => {
      expect([name, captured]).toEqual(['stackbk:event', true])
      expect(limitMs).toBeGreaterThan(0)
      delivered.push(event)
      try {
        await listen(event)
        return { successes: [], failures: [] }
      } catch (error) {
        return { successes: [], failures: [{ plugin: { name: 'listener' }, error: error as Error }] }
      }
    }
    const plugins = new Map([['listener', { name: 'listener', hooks: { 'stackbk:event': [] } }]])
    return new EventQueue({ plugins, runHook } as unknown as HookHost, { id: 'run-1', command: 'backup', dryRun: false }, (plugin, reason) => told.push(`${plugin}: ${reason}`))
  }
  const names = (): string[] => delivered.map(({ event }) => event)

  it('say which run, when, and what', async () => {
    const events = queue()
    events.add('stack-finished', { stack: 'web', result: { status: 'ok' } })
    await events.deliver()
    expect(delivered).toEqual([{ schemaVersion: 1, event: 'stack-finished', runId: 'run-1', at: expect.stringMatching(/^\d{4}-.*Z$/), command: 'backup', dryRun: false, stack: 'web', result: { status: 'ok' } }])
  })

  it('wait until they are delivered, and come once, in their order', async () => {
    const events = queue()
    events.add('run-started')
    events.add('stack-stopped')
    expect(names()).toEqual([])
    await events.deliver()
    await events.deliver()
    expect(names()).toEqual(['run-started', 'stack-stopped'])
  })

  it('are held while a stack is down, and come in order after it, with the time at which they happened', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-01T00:00:00.000Z') })
    const events = queue()
    events.hold()
    events.add('stack-stopped')
    await events.deliver()
    expect(names()).toEqual([])
    vi.setSystemTime(new Date('2026-01-01T00:05:00.000Z'))
    events.release()
    events.add('stack-started')
    await events.deliver()
    expect(names()).toEqual(['stack-stopped', 'stack-started'])
    expect(delivered.map(({ at }) => at)).toEqual(['2026-01-01T00:00:00.000Z', '2026-01-01T00:05:00.000Z'])
  })

  it('are held until the last of several stacks is up', async () => {
    const events = queue()
    events.hold()
    events.hold()
    events.add('stack-stopped')
    events.release()
    await events.deliver()
    expect(names()).toEqual([])
    events.release()
    await events.deliver()
    expect(names()).toEqual(['stack-stopped'])
  })

  it('stop coming when a stack goes down while they are delivered', async () => {
    const events = queue()
    listen = () => (events.hold(), Promise.resolve())
    events.add('run-started')
    events.add('stack-stopped')
    await events.deliver()
    expect(names()).toEqual(['run-started'])
  })

  it('go on when a listener fails, which is told', async () => {
    const events = queue()
    listen = ({ event }) => (event === 'run-started' ? Promise.reject(new Error('no network')) : Promise.resolve())
    events.add('run-started')
    events.add('run-finished')
    await events.deliver()
    expect(names()).toEqual(['run-started', 'run-finished'])
    expect(told).toEqual(['listener: no network'])
  })

  it('are not offered again to one that did not take one in time', async () => {
    vi.useFakeTimers()
    const events = queue()
    listen = () => new Promise(() => {})
    events.add('run-started')
    events.add('stack-finished')
    events.add('run-finished')
    const delivery = events.deliver()
    await vi.advanceTimersByTimeAsync(10_000)
    await delivery
    expect(names()).toEqual(['run-started'])
    expect(told).toEqual(['listener: it took longer than 10 s'])
  })

  it('are copies: a listener that changes one changes nothing of the run', async () => {
    const result = { status: 'ok' }
    const events = queue()
    listen = (event) => ((event.result as { status: string }).status = 'failed', Promise.resolve())
    events.add('run-finished', { result })
    await events.deliver()
    expect([result.status, delivered.map((event) => event.result)]).toEqual(['ok', [{ status: 'failed' }]])
  })
})
