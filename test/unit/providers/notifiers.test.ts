import { defineNotifier, done, failed, type Answer, type Notifier, type StackbkEvent } from '@stackbk/contract'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { NotificationSection } from '../../../src/config/configuration.js'
import { Notifiers, type Severity } from '../../../src/providers/notifiers.js'

const digest: StackbkEvent = { schemaVersion: 1, event: 'run-finished', runId: 'r', at: '2026-01-01T00:00:00.000Z', command: 'backup', dryRun: false }
const exec = { run: () => Promise.reject(new Error('none')), start: () => { throw new Error('none') } }

let heard: string[] = []
beforeEach(() => {
  heard = []
})
afterEach(() => {
  vi.useRealTimers()
})

function notifiersOf(notify: (name: string, signal: AbortSignal | undefined) => Promise<Answer<void>>, on: NotificationSection['on'] = 'always', more: Partial<Notifier> = {}, names: readonly string[] = ['one']): Notifiers {
  const descriptor = defineNotifier({
    id: 'fake',
    title: 'fake',
    settings: [],
    create: async () => ({ ready: async () => done, examine: async () => [], close: async () => {}, notify: (event, options) => (heard.push(event.event), notify(event.event, options?.signal)), ...more }),
  })
  return new Notifiers({
    offers: { usable: [{ plugin: 'p', origin: 'bundled', ownId: 'fake', descriptor }], unusable: [], plugins: [] },
    settings: { notifications: names.map((name) => ({ name, type: name === 'unknown' ? 'unknown' : 'fake', on })), settingsOf: () => ({}), backup: { hostname: 'h' } },
    log: () => {},
    exec,
    cacheFolder: '/nonexistent',
    dataFolder: '/nonexistent',
  })
}

describe('whom to tell', () => {
  it.each([
    ['failure', 'good', 0], ['failure', 'warning', 0], ['failure', 'failure', 1],
    ['warning', 'good', 0], ['warning', 'warning', 1], ['warning', 'failure', 1],
    ['always', 'good', 1], ['always', 'warning', 1], ['always', 'failure', 1],
  ] as const)('with ON=%s of what was %s: %i', async (on: NotificationSection['on'], severity: Severity, count) => {
    const notifiers = notifiersOf(async () => done, on)
    await notifiers.tell({ ...digest, event: 'run-started' }, 'good')
    await notifiers.tell({ ...digest, event: 'stage-finished' }, severity)
    expect(await notifiers.tell(digest, severity)).toEqual([])
    expect(heard).toHaveLength(count)
  })

  it.each(['two', 'one'])('with ON=failure, a success is sent only to those that reported a failure before (%s)', async (name) => {
    const received: (string | undefined)[] = []
    const notifiers = notifiersOf(async () => done, 'failure', { notify: async (event) => (received.push(event.recoversFrom), done) }, ['one', 'two'])
    expect(await notifiers.tell(digest, 'good', null, new Map([[name, '2025-12-31T00:00:00.000Z']]))).toEqual([])
    expect(received).toEqual(['2025-12-31T00:00:00.000Z'])
  })

  it('one that hears all gets every event, whatever its ON', async () => {
    const notifiers = notifiersOf(async () => done, 'failure', { hearsAll: true })
    await notifiers.tell({ ...digest, event: 'run-started' }, 'good')
    await notifiers.tell(digest, 'good')
    expect(heard).toEqual(['run-started', 'run-finished'])
  })
})

describe('one that cannot be told', () => {
  it('is tried again where that may help, and not where it cannot', async () => {
    vi.useFakeTimers()
    const passing = notifiersOf(async () => failed({ kind: 'failed', message: 'busy', transient: true })).tell(digest, 'failure')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await passing).toMatchObject([{ name: 'one', message: 'busy' }])
    expect(heard).toHaveLength(3)
    heard = []
    expect(await notifiersOf(async () => failed({ kind: 'failed', message: 'no' })).tell(digest, 'failure')).toMatchObject([{ message: 'no', fix: 'Try it with: stackbk notify test one' }])
    expect(heard).toHaveLength(1)
  })

  it('because it hangs is given up after 30 s, a mere start after 5 s, and is told so', async () => {
    vi.useFakeTimers()
    let signalled: AbortSignal | undefined
    const notifiers = notifiersOf((_, signal) => ((signalled = signal), new Promise(() => {})), 'always', { hearsAll: true })
    const started = notifiers.tell({ ...digest, event: 'run-started' }, 'good')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await started).toMatchObject([{ message: 'it took longer than 5 s' }])
    const finished = notifiers.tell(digest, 'good')
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await finished).toMatchObject([{ message: 'it took longer than 30 s' }])
    expect(signalled?.aborted).toBe(true)
  })

  it('tells why the first try failed, not that the time was up in the next', async () => {
    vi.useFakeTimers()
    let count = 0
    const telling = notifiersOf(() => (count++ === 0 ? Promise.resolve(failed({ kind: 'failed', message: 'busy', transient: true })) : new Promise(() => {}))).tell(digest, 'good')
    await vi.advanceTimersByTimeAsync(31_000)
    expect(await telling).toMatchObject([{ message: 'busy' }])
    expect(heard).toHaveLength(2)
  })

  it.each([
    ['throws', () => Promise.reject(new Error('boom')), 'boom'],
    ['answers nonsense', () => Promise.resolve('yes' as unknown as Answer<void>), 'did not say whether the notification was sent'],
  ])('because it %s is one that failed, and no other hears less', async (_, notify, message) => {
    let count = 0
    const notifiers = notifiersOf(() => (count++ === 0 ? notify() : Promise.resolve(done)), 'always', {}, ['one', 'two'])
    expect(await notifiers.tell(digest, 'good')).toMatchObject([{ message: expect.stringContaining(message) as string }])
    expect(heard).toHaveLength(2)
  })

  it('because nobody provides its type is told of by name', async () => {
    expect(await notifiersOf(async () => done, 'always', {}, ['unknown']).tell(digest, 'good')).toMatchObject([{ name: 'unknown', message: 'no plugin provides the notifier "unknown"' }])
  })

  it('only those that are named are told', async () => {
    await notifiersOf(async () => done, 'always', {}, ['one', 'two']).tell(digest, 'good', ['two', 'gone'])
    expect(heard).toHaveLength(1)
  })
})
