import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { type Receivers, startReceivers } from '../../../test/fixtures/receivers.js'
import { ping, webhook } from '../src/index.js'
import { finished, folder, live } from './fixtures.js'

let receivers: Receivers
const files = folder()
beforeAll(async () => {
  receivers = await startReceivers()
  files.write('token', 'tk_secret/1\n')
})
afterAll(() => {
  receivers?.end()
  files.remove()
})
beforeEach(() => receivers.forget())

const at = (path: string): string => `http://127.0.0.1:${receivers.http}${path}`

describe('a token from a file', () => {
  it.each([
    [{ TEMPLATE: 'ntfy' }, 'authorization', 'Bearer tk_secret/1'],
    [{ TEMPLATE: 'gotify' }, 'x-gotify-key', 'tk_secret/1'],
    [{ HEADERS: 'X-Token: t-{secret}' }, 'x-token', 't-tk_secret/1'],
  ])('goes with %j into the header %s', async (values, name, expected) => {
    const notifier = await live(webhook, { URL: at('/x'), SECRET_FILE: files.at('token'), ...values })
    expect(await notifier.notify(finished())).toMatchObject({ ok: true })
    expect(receivers.web()[0]?.headers[name]).toBe(expected)
    if (name !== 'authorization') expect(receivers.web()[0]?.headers['authorization']).toBeUndefined()
  })

  it('goes into its place in the address, and nowhere else', async () => {
    const notifier = await live(webhook, { URL: at('/hook/{secret}'), SECRET_FILE: files.at('token') })
    expect((await notifier.notify(finished())).ok).toBe(true)
    expect([receivers.web()[0]?.url, receivers.web()[0]?.headers['authorization']]).toEqual(['/hook/tk_secret%2F1', undefined])
  })

  it('that is not there is said before anything is sent', async () => {
    const notifier = await live(webhook, { URL: at('/x'), SECRET_FILE: files.at('none') })
    expect(await notifier.notify(finished())).toMatchObject({ ok: false, failure: { kind: 'configuration' } })
    expect(receivers.web()).toEqual([])
  })
})

describe('an answer', () => {
  it.each([
    ['/gone', 'failed', false],
    ['/busy', 'failed', true],
    ['/away', 'configuration', undefined],
  ])('from %s is %s, transient %s', async (path, kind, transient) => {
    const notifier = await live(webhook, { URL: at(path) })
    const answer = await notifier.notify(finished())
    expect(answer).toMatchObject({ ok: false, failure: { kind } })
    expect(answer.ok ? null : answer.failure.transient).toBe(transient)
    // A redirect is not gone after.
    expect(receivers.web().map(({ url }) => url)).toEqual([path])
  })
})

describe('a ping', () => {
  it('keeps what is asked for with the address', async () => {
    const notifier = await live(ping, { URL: at('/uuid/?create=1') })
    await notifier.notify(finished({ event: 'run-started' }))
    await notifier.notify(finished({ exitCode: 1 }))
    expect(receivers.web().map(({ url }) => url)).toEqual(['/uuid/start?create=1', '/uuid/fail?create=1'])
  })

  it('is for the runs that it was set up for', async () => {
    const notifier = await live(ping, { URL: at('/uuid'), RUNS: ['drill'] })
    await notifier.notify(finished())
    await notifier.notify(finished({ command: 'drill' }))
    expect(receivers.web()).toHaveLength(1)
    expect(notifier.hearsAll).toBe(true)
  })

  it('cuts a long log in its middle', async () => {
    const notifier = await live(ping, { URL: at('/uuid') })
    await notifier.notify(finished({ exitCode: 1, log: `first ${'x'.repeat(50_000)} last` }))
    const { body } = receivers.web()[0]!
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(10_000)
    expect(body).toMatch(/^stackbk backup on nas[^]*\[\.\.\.\][^]* last$/)
  })

  it('that is a test leaves the state of the check alone, or is a plain one where that is not known', async () => {
    await (await live(ping, { URL: at('/uuid') })).notify(finished({ isTest: true }))
    await (await live(ping, { URL: at('/gone') })).notify(finished({ isTest: true }))
    expect(receivers.web().map(({ url }) => url)).toEqual(['/uuid/log', '/gone/log', '/gone/fail', '/gone'])
  })

  it('that is a test fails if the address for failures does, whatever the address for success says', async () => {
    const answer = await (await live(ping, { URL: at('/uuid'), URL_FAIL: at('/gone') })).notify(finished({ isTest: true }))
    expect(answer).toMatchObject({ ok: false, failure: { fix: 'Check URL_FAIL' } })
    expect(receivers.web().map(({ url }) => url)).toEqual(['/gone', '/uuid'])
  })

  it('puts the state of the run into the placeholders of its address', async () => {
    const notifier = await live(ping, { URL: at('/push/{secret}?status={status}&msg={message}&ping={duration}'), SECRET_FILE: files.at('token') })
    await notifier.notify(finished({ event: 'run-started' }))
    await notifier.notify(finished())
    await notifier.notify(finished({ exitCode: 1 }))
    expect(receivers.web().map(({ url }) => url)).toEqual([
      '/push/tk_secret%2F1?status=up&msg=stackbk%20backup%20on%20nas%3A%20ok&ping=1000',
      '/push/tk_secret%2F1?status=down&msg=stackbk%20backup%20on%20nas%3A%20failed%20(exit%20code%201)&ping=1000',
    ])
  })

  it('uses the addresses of its own for a start and for a failure', async () => {
    const notifier = await live(ping, { URL: at('/ok'), URL_FAIL: at('/failure?why={message}'), URL_START: at('/begin?s={status}&d={duration}') })
    await notifier.notify(finished({ event: 'run-started' }))
    await notifier.notify(finished({ exitCode: 1 }))
    await notifier.notify(finished())
    expect(receivers.web().map(({ url }) => url)).toEqual(['/begin?s=up&d=', '/failure?why=stackbk%20backup%20on%20nas%3A%20failed%20(exit%20code%201)', '/ok'])
  })
})
