import type { Engine, PreparedSnapshot } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { guardedProvider } from '../../../src/providers/guarded-provider.js'

const request = { paths: [], tags: [], host: 'host' } as unknown as Parameters<Engine['prepare']>[0]

function engineThat(prepare: () => unknown): { engine: Engine; log: unknown[][] } {
  const log: unknown[][] = []
  return { engine: guardedProvider('engine', { prepare } as unknown as Engine, { id: 'borg', plugin: 'their-plugin', log: (...line) => log.push(line) }), log }
}

const waiting = (overrides: object): PreparedSnapshot => ({ ready: Promise.resolve({ ok: true, value: undefined }), take: () => Promise.resolve({ ok: true, value: {} }), abandon: () => Promise.resolve(), ...overrides }) as PreparedSnapshot

const named = (method: string, detail: string): object => ({ code: 'provider-failed', message: `the engine "borg" failed unexpectedly in ${method}()`, detail, fix: expect.stringContaining('their-plugin') as string })

describe("what another's engine does between its two phases is said of it", () => {
  it.each([
    ['throws', (): never => { throw new Error('oops') }],
    ['rejects', (): Promise<never> => Promise.reject(new Error('oops'))],
  ])('when take() %s', async (_how, take) => {
    const { engine, log } = engineThat(() => waiting({ take }))
    await expect((async () => engine.prepare(request).take())()).rejects.toMatchObject(named('take', 'oops'))
    expect(log).toMatchObject([['error', 'the engine "borg" of their-plugin threw in take()', { stack: expect.stringContaining('oops') as string }]])
  })

  it('when what it waits for fails, or answers nothing', async () => {
    await expect(engineThat(() => waiting({ ready: Promise.reject(new Error('oops')) })).engine.prepare(request).ready).rejects.toMatchObject(named('prepare', 'oops'))
    await expect(engineThat(() => waiting({ ready: Promise.resolve(true) })).engine.prepare(request).ready).rejects.toMatchObject(named('prepare', 'its ready gave something that is not an Answer'))
    await expect(engineThat(() => waiting({ take: () => Promise.resolve('done') })).engine.prepare(request).take()).rejects.toMatchObject(named('take', 'it returned something that is not an Answer'))
  })

  it('when it prepares nothing, or throws at once', () => {
    expect(() => engineThat(() => ({})).engine.prepare(request)).toThrow(expect.objectContaining(named('prepare', 'it returned something that is not a prepared snapshot')) as Error)
    expect(() => engineThat(() => { throw new Error('oops') }).engine.prepare(request)).toThrow(expect.objectContaining(named('prepare', 'oops')) as Error)
  })

  it('and what it does right goes through', async () => {
    const { engine, log } = engineThat(() => waiting({}))
    const prepared = engine.prepare(request)
    expect([await prepared.ready, await prepared.take(), await prepared.abandon()]).toEqual([{ ok: true, value: undefined }, { ok: true, value: {} }, undefined])
    expect(log).toEqual([])
  })
})
