import type { Answer, TransferResult } from '@stackbk/contract'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { asked, sharedLimit, withRetries, type Tally } from '../../../../src/stages/sync/transfer.js'
import { configuration, failure, ok, testRun, type TestRun } from '../fixtures.js'

const dropped = failure('transfer-failed', { transient: true })

describe('a transfer', () => {
  let controller = new AbortController()
  let run: TestRun
  let tally: Tally = { files: 0, bytes: 0, attempts: 0 }

  beforeEach(() => {
    vi.useFakeTimers()
    controller = new AbortController()
    tally = { files: 0, bytes: 0, attempts: 0 }
    run = testRun({ signal: controller.signal, configuration: configuration('[cloud_sync]\nRETRIES=3\n') })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** Answers in this order, the last one over and over; the moments of the tries in milliseconds. */
  async function transferred(...answers: (Answer<TransferResult> | Error)[]): Promise<{ answer: Answer<void> | Error; moments: number[] }> {
    const moments: number[] = []
    const begun = Date.now()
    const running = withRetries(run, tally, () => {
      moments.push(Date.now() - begun)
      const next = answers.length > 1 ? answers.shift() : answers[0]
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next ?? dropped)
    }).catch((error: unknown) => error as Error)
    await vi.runAllTimersAsync()
    return { answer: await running, moments }
  }

  it('that succeeds is tried once, and counted', async () => {
    expect((await transferred(ok({ files: 3, bytes: 30 }))).answer).toEqual(ok(undefined))
    expect(tally).toEqual({ files: 3, bytes: 30, attempts: 1 })
  })

  it('that fails by what can pass is tried again, and only what was moved is counted', async () => {
    const { answer, moments } = await transferred(dropped, dropped, ok({ files: 1, bytes: 10 }))
    expect(answer).toEqual(ok(undefined))
    expect(moments).toHaveLength(3)
    expect(tally).toEqual({ files: 1, bytes: 10, attempts: 3 })
    expect(run.logged.filter(({ level }) => level === 'warning')).toHaveLength(2)
  })

  it('is tried as often as RETRIES says besides the first, with pauses that grow and stay within a minute', async () => {
    const { answer, moments } = await transferred(dropped)
    expect(answer).toEqual(dropped)
    expect(moments).toHaveLength(4)
    const pauses = moments.slice(1).map((moment, index) => moment - (moments[index] ?? 0))
    for (const [index, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(1000 * 2 ** index)
      expect(pause).toBeLessThanOrEqual(Math.min(60_000, 2000 * 2 ** index))
    }
  })

  it('is not tried again with RETRIES=0', async () => {
    run = testRun({ configuration: configuration('[cloud_sync]\nRETRIES=0\n') })
    expect((await transferred(dropped)).moments).toHaveLength(1)
  })

  it.each(['wrong-password', 'remote-unreachable', 'transfer-failed', 'configuration'] as const)('that fails for good (%s) is not tried again', async (kind) => {
    const { answer, moments } = await transferred(failure(kind), ok({ files: 1, bytes: 1 }))
    expect(answer).toEqual(failure(kind))
    expect(moments).toHaveLength(1)
  })

  it('is not tried again once the run is interrupted', async () => {
    let tries = 0
    const answer = await withRetries(run, tally, () => {
      tries++
      controller.abort()
      return Promise.resolve(dropped)
    })
    expect(answer).toMatchObject({ ok: false })
    expect(tries).toBe(1)
  })

  it('is interrupted in its pause too, at once', async () => {
    const running = withRetries(run, tally, () => Promise.resolve(dropped))
    await vi.advanceTimersByTimeAsync(10)
    controller.abort()
    expect(await running).toMatchObject({ ok: false, failure: { kind: 'cancelled' } })
    expect(tally.attempts).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not begin in a run that is interrupted already', async () => {
    controller.abort()
    expect((await transferred(ok({ files: 1, bytes: 1 }))).answer).toMatchObject({ ok: false, failure: { kind: 'cancelled' } })
    expect(tally.attempts).toBe(0)
  })

  it('that throws is a bug: it is not hidden', async () => {
    expect((await transferred(new TypeError('a bug'))).answer).toBeInstanceOf(TypeError)
  })
})

it('a question to the remote is tried again like a transfer', async () => {
  vi.useFakeTimers()
  const answers: Answer<string>[] = [failure('remote-unreachable', { transient: true }), ok('there')]
  const running = asked(testRun({ configuration: configuration('[cloud_sync]\nRETRIES=1\n') }), () => Promise.resolve(answers.shift() ?? failure()))
  await vi.runAllTimersAsync()
  vi.useRealTimers()
  expect(await running).toEqual(ok('there'))
})

it('a limit is one for all calls together', () => {
  vi.useFakeTimers()
  const limit = sharedLimit(10_000)
  expect(limit()).toEqual({ timeoutMs: 10_000 })
  vi.advanceTimersByTime(4_000)
  expect(limit()).toEqual({ timeoutMs: 6_000 })
  vi.advanceTimersByTime(60_000)
  expect(limit()).toEqual({ timeoutMs: 1 })
  expect(sharedLimit(null)()).toEqual({})
  vi.useRealTimers()
})
