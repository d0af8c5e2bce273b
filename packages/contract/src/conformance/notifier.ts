import type { StackbkEvent, StackbkEventName } from '../event.js'
import type { Notifier } from '../notifier.js'
import { expectEqual, expectThat } from './expectations.js'
import type { ConformanceTest } from './suite.js'

/** A live notifier, and its receiver. */
export interface NotifierSubject {
  readonly notifier: Notifier
  /** How many messages have arrived so far. */
  readonly received: () => Promise<number>
  /** The same kind of notifier with a receiver that is not there. */
  readonly deaf: Notifier
  /** Puts away what was made for it; the suite closes the notifiers itself. */
  readonly close?: () => Promise<void>
}

const eventNames: readonly StackbkEventName[] = ['run-started', 'stack-stopped', 'stack-started', 'stack-finished', 'stage-finished', 'run-finished']

/** What every notifier must do. Which events it passes over in silence is its own affair; `run-finished` is none of them. Each test gets a subject of its own from `make`. */
export function notifierSuite(make: () => Promise<NotifierSubject>): readonly ConformanceTest[] {
  const test = (name: string, body: (subject: NotifierSubject) => Promise<void>): ConformanceTest => ({
    name,
    run: async () => {
      const subject = await make()
      try {
        await body(subject)
      } finally {
        await subject.notifier.close()
        await subject.deaf.close()
        await subject.close?.()
      }
    },
  })

  return [
    test('is ready', async ({ notifier }) => {
      expectEqual('the answer of ready()', await notifier.ready(), { ok: true, value: undefined })
    }),

    test('has delivered the end of a run when it answers', async ({ notifier, received }) => {
      const before = await received()
      expectEqual('the answer of notify() for the end of a run', await notifier.notify(eventOf('run-finished')), { ok: true, value: undefined })
      expectEqual('how many messages were received', await received(), before + 1)
    }),

    test('takes every event, also one with nothing but its name', async ({ notifier }) => {
      for (const name of eventNames) {
        expectEqual(`whether notify() accepts the event ${name}`, (await notifier.notify(eventOf(name))).ok, true)
        const { result: _, ...bare } = eventOf(name)
        expectEqual(`whether notify() accepts the event ${name} with nothing but what every event has`, (await notifier.notify(bare)).ok, true)
      }
    }),

    test('leaves the event as it is: others get it too', async ({ notifier }) => {
      const event = deepFrozen(eventOf('run-finished'))
      expectEqual('whether notify() accepts an event with more than it knows', (await notifier.notify(event)).ok, true)
    }),

    test('answers with a failure, and does not throw, when nobody is there to be told', async ({ deaf }) => {
      const answer = await deaf.notify(eventOf('run-finished'))
      expectThat('notify() fails where the message is not accepted', !answer.ok)
      expectThat('the failure has a message', answer.failure.message !== '')
    }),

    test('delivers nothing once it is cancelled', async ({ notifier, received }) => {
      const before = await received()
      const answer = await notifier.notify(eventOf('run-finished'), { signal: AbortSignal.abort() })
      expectThat('notify() fails when its signal is aborted', !answer.ok)
      expectEqual('the kind of failure of notify() when its signal is aborted', answer.failure.kind, 'cancelled')
      expectEqual('how many messages were received after one that was cancelled', await received(), before)
    }),
  ]
}

function eventOf(event: StackbkEventName): StackbkEvent {
  return {
    schemaVersion: 1,
    event,
    runId: 'conformance',
    at: '2026-01-02T03:04:05.000Z',
    command: 'backup',
    dryRun: false,
    result: { schemaVersion: 1, command: 'backup', status: 'failed', problems: [{ severity: 'error', code: 'failed', message: 'a “quoted” sentence,\nin two lines & with <signs>', fix: '' }] },
  }
}

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFrozen(part)
    Object.freeze(value)
  }
  return value
}
