import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'

import type { StackbkEvent } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { stateFolder } from '../../../src/host/state-folder.js'
import { EventQueue } from '../../../src/providers/events.js'
import type { Notifiers, Untold } from '../../../src/providers/notifiers.js'
import { LogTail } from '../../../src/stages/telling/log-tail.js'
import { severityOf } from '../../../src/stages/telling/severity.js'
import { Telling } from '../../../src/stages/telling.js'
import { at } from './fixtures.js'

interface Told {
  readonly event: StackbkEvent
  readonly only: readonly string[] | null
  readonly recovers: readonly string[]
}

/** A run of this ID in the test's state folder, and what it tells whom. */
function runCalled(id: string, deaf: readonly string[] = []) {
  const state = stateFolder({ STACKBK_STATE_DIR: at('state') })
  const told: Told[] = []
  const remembered: object[] = []
  const tell = async (event: StackbkEvent, _: unknown, only: readonly string[] | null, recovers: ReadonlyMap<string, string>): Promise<readonly Untold[]> => {
    told.push({ event, only, recovers: [...recovers.keys()] })
    return deaf.map((name) => ({ name, type: 'webhook', message: 'nobody there', fix: '' }))
  }
  const queue = new EventQueue({ plugins: new Map(), runHook: () => Promise.resolve({ successes: [], failures: [] }) }, { id, command: 'backup', dryRun: false, host: 'h' }, () => {}, (event) => telling.tell(event))
  const telling: Telling = new Telling({
    facts: { id, command: 'backup', dryRun: false, startedAt: new Date('2026-01-01T00:00:00.000Z'), interruptedBy: () => null },
    host: 'h',
    state,
    notifiers: { tell, sections: [{ name: 'phone', type: 'webhook', on: 'failure' }] } as unknown as Notifiers,
    events: () => queue,
    log: () => {},
    remember: (result, exitCode) => remembered.push({ ...result, exitCode }),
  })
  return { telling, queue, told, remembered, state, finish: (exitCode: number) => (queue.add('run-finished', { exitCode, result: { status: exitCode === 0 ? 'ok' : 'failed', startedAt: new Date().toISOString(), problems: [] } }), queue.deliver()) }
}

const records = (): string[] => readdirSync(at('state/runs'))

/** As a kill would leave it: its process is another one by now. */
function kill(id: string): void {
  const path = at(`state/runs/${id}.json`)
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), process: { pid: 1, startTicks: 1 } }))
}

describe('a run that was declined', () => {
  it('is no failure, nor the success that ends an earlier failure, and nobody is notified', async () => {
    const failed = runCalled('failed')
    failed.telling.begin()
    await failed.finish(1)
    expect(failed.told.map(({ event }) => event.event)).toEqual(['run-finished'])

    const declined = runCalled('declined')
    declined.telling.begin()
    declined.queue.add('run-finished', { exitCode: 1, result: { status: 'failed', declined: true, startedAt: new Date().toISOString(), problems: [] } })
    await declined.queue.deliver()
    declined.telling.end()
    expect([declined.told, records()]).toEqual([[], []])

    const good = runCalled('good')
    good.telling.begin()
    await good.finish(0)
    expect(good.told.map(({ recovers }) => recovers)).toEqual([['phone']])
  })
})

describe('a run that was killed', () => {
  it('is told of by the next one before anything else, once, with the last words of its log', async () => {
    const dead = runCalled('dead')
    dead.telling.begin()
    kill('dead')
    writeFileSync(at('state/stackbk.log'), `${JSON.stringify({ at: '2026-01-01T00:00:09.000Z', runId: 'dead', level: 'info', message: 'stopping', stack: 'web' })}\n{"half`)

    const next = runCalled('next')
    next.telling.begin()
    next.queue.add('run-started')
    await next.telling.catchUp([{ name: 'web', status: 'ok' }], ['db'])
    expect(next.told.map(({ event }) => [event.event, event.runId])).toEqual([['run-finished', 'dead'], ['run-started', 'next']])
    const message = 'the run begun at 2026-01-01T00:00:00.000Z never came to its end: it was killed, or the machine went down. It had left stopped, and up again now: web. Still stopped: db'
    expect(next.told[0]).toMatchObject({ only: null, event: { command: 'backup', host: 'h', exitCode: 137, log: '2026-01-01T00:00:09.000Z info: stopping stack=web', result: { status: 'failed', durationMs: 9000, problems: [{ code: 'killed', message, fix: 'Run: stackbk resume' }] } } })
    expect(next.remembered).toMatchObject([{ runId: 'dead', exitCode: 137 }])
    await next.finish(0)
    expect(records()).toEqual([])
  })

  it('is not one that is still at work, and none that ended', async () => {
    const alive = runCalled('alive')
    alive.telling.begin()
    const other = runCalled('other')
    other.telling.begin()
    await other.telling.catchUp([], [])
    await other.finish(0)
    expect(other.told.map(({ event }) => event.runId)).toEqual(['other'])
    expect(records()).toEqual(['alive.json'])
    alive.telling.end()
    expect(records()).toEqual([])
  })
})

describe('who could not be told of a failure', () => {
  it('hears of it from the next run, and nobody else hears of it again', async () => {
    const failing = runCalled('failing', ['mail'])
    failing.telling.begin()
    await failing.finish(4)
    expect(failing.telling.problems()).toMatchObject([{ severity: 'warning', code: 'not-told', message: 'notification to [notify:mail] failed: nobody there' }])
    expect(records()).toEqual(['failing.json'])
    kill('failing')
    const next = runCalled('next')
    next.telling.begin()
    await next.telling.catchUp([], [])
    expect(next.told).toMatchObject([{ only: ['mail'], event: { runId: 'failing', exitCode: 4 } }])
    expect(next.remembered).toEqual([])
    await next.finish(0)
    expect(records()).toEqual([])
  })

  it('of good news hears no more', async () => {
    const run = runCalled('fine', ['mail'])
    run.telling.begin()
    await run.finish(0)
    expect(records()).toEqual([])
  })
})

it('a run goes on where its beginning cannot be noted', async () => {
  mkdirSync(at('state'), { recursive: true })
  writeFileSync(at('state/runs'), '')
  const run = runCalled('x')
  run.telling.begin()
  await run.telling.catchUp([], [])
  await run.finish(1)
  expect(run.told).toHaveLength(1)
})

it('what is wrong with a run decides who hears of it', () => {
  const event = (exitCode: number, problems: object[]): StackbkEvent => ({ schemaVersion: 1, event: 'run-finished', runId: 'r', at: '', command: 'run', dryRun: false, exitCode, result: { problems } })
  expect([event(0, []), event(0, [{}]), event(3, []), event(75, [])].map(severityOf)).toEqual(['good', 'warning', 'failure', 'failure'])
  expect(severityOf({ ...event(1, []), event: 'stage-finished' })).toBe('good')
})

it('the end of a log is short, and says nothing of tools that ended well', () => {
  const tail = new LogTail()
  tail.add('debug', 'tool ended', { tool: 'docker', outcome: 'exited', exitCode: 0 })
  tail.add('debug', 'tool ended', { tool: 'restic', args: ['secret'], outcome: 'exited', exitCode: 1, stderr: 'Fatal:\n no' })
  expect(tail.text()).toMatch(/^\S+ debug: tool ended tool=restic outcome=exited exitCode=1 stderr=Fatal: \| no$/)
  for (let line = 0; line < 1000; line++) tail.add('info', 'x'.repeat(1000))
  expect(tail.text().length).toBeLessThanOrEqual(8_100)
})

describe('the first success after a failure', () => {
  it('is marked for those that received the failure, once', async () => {
    await runCalled('bad').finish(1)
    const good = runCalled('good')
    await good.finish(0)
    const later = runCalled('later')
    await later.finish(0)
    expect([good.told[0]?.recovers, later.told[0]?.recovers]).toEqual([['phone'], []])
  })

  it('is marked again in the next run if it could not be delivered, and never for a failure that was not', async () => {
    await runCalled('bad').finish(1)
    await runCalled('good', ['phone']).finish(0)
    const later = runCalled('later')
    await later.finish(0)
    expect(later.told.at(-1)?.recovers).toEqual(['phone'])

    await runCalled('unheard', ['phone']).finish(1)
    const next = runCalled('next')
    await next.finish(0)
    expect(next.told.at(-1)?.recovers).toEqual([])
  })
})
