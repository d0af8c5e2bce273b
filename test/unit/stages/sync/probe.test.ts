import type { Transport } from '@stackbk/contract'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { probe } from '../../../../src/stages/sync/probe.js'
import { configuration, failure, ok, partly, testRun } from '../fixtures.js'

describe('the first contact with a remote', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  async function contacted(isUnattended: boolean, answers: readonly boolean[], isTransient = true, signal = new AbortController().signal, isScheduled = false) {
    let count = 0
    const transport = partly<Transport>('transport', { location: 'cloud:', probe: () => Promise.resolve(answers[Math.min(count++, answers.length - 1)] === true ? ok(undefined) : failure('remote-unreachable', { transient: isTransient })) })
    const run = { ...testRun({ signal, configuration: configuration('[cloud_sync]\nRETRIES=3\n') }), isUnattended, isScheduled }
    const ended = probe(run, transport).then(() => 'ok', (error: unknown) => (error as { kind?: string }).kind ?? String(error))
    await vi.runAllTimersAsync()
    return { ended: await ended, count }
  }

  it('is made once while a person waits', async () => {
    expect(await contacted(false, [false])).toEqual({ ended: 'remote-unreachable', count: 1 })
  })

  it('is tried again in an unattended run, as often as RETRIES says', async () => {
    expect(await contacted(true, [false, false, true])).toEqual({ ended: 'ok', count: 3 })
    expect(await contacted(true, [false])).toEqual({ ended: 'remote-unreachable', count: 4 })
  })

  it('is tried for longer than a server takes to restart where a schedule has called, and else while somebody may wait', async () => {
    const took = async (isScheduled: boolean): Promise<number> => {
      const begun = Date.now()
      await contacted(true, [false], true, new AbortController().signal, isScheduled)
      return Date.now() - begun
    }
    expect(await took(true)).toBeGreaterThanOrEqual(70_000)
    expect(await took(false)).toBeLessThan(20_000)
  })

  it('is not tried again after a failure that cannot pass by itself', async () => {
    expect(await contacted(true, [false], false)).toEqual({ ended: 'remote-unreachable', count: 1 })
  })

  it('ends with the run', async () => {
    expect((await contacted(true, [false], true, AbortSignal.abort())).count).toBeLessThan(2)
  })
})
