import { existsSync, readFileSync, statSync } from 'node:fs'

import { notifierSuite, type NotifierSubject } from '@stackbk/contract/conformance'
import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest'

import { type Receivers, startReceivers } from '../../../test/fixtures/receivers.js'
import { command, email, ping, textfile, webhook } from '../src/index.js'
import { folder, live } from './fixtures.js'

let receivers: Receivers
beforeAll(async () => {
  receivers = await startReceivers()
})
afterAll(() => receivers?.end())
beforeEach(() => receivers.forget())

/** Nobody listens on the port of discard on a loopback. */
const nobody = '127.0.0.1:19'

const webSubject = (descriptor: typeof webhook  , more: Readonly<Record<string, string>> = {}) => async (): Promise<NotifierSubject> => ({
  notifier: await live(descriptor, { URL: `http://127.0.0.1:${receivers.http}/x`, ...more }),
  deaf: await live(descriptor, { URL: `http://${nobody}/x`, ...more }),
  received: async () => receivers.web().length,
})

const subjects: Readonly<Record<string, () => Promise<NotifierSubject>>> = {
  webhook: webSubject(webhook),
  'webhook to Slack': webSubject(webhook, { TEMPLATE: 'slack' }),
  'webhook to Discord': webSubject(webhook, { TEMPLATE: 'discord' }),
  'webhook to ntfy': webSubject(webhook, { TEMPLATE: 'ntfy' }),
  'webhook to Gotify': webSubject(webhook, { TEMPLATE: 'gotify' }),
  ping: webSubject(ping),
  email: async () => {
    const addresses = { FROM: 'stackbk@example.org', TO: ['ann@example.org'] }
    return { notifier: await live(email, { URL: `smtp://127.0.0.1:${receivers.smtp}`, ...addresses }), deaf: await live(email, { URL: `smtp://${nobody}`, ...addresses }), received: async () => receivers.mail().length }
  },
  textfile: async () => {
    const { at, remove } = folder()
    let [writes, last] = [0, 0]
    const received = async (): Promise<number> => {
      const inode = existsSync(at('x.prom')) ? statSync(at('x.prom')).ino : 0
      if (inode !== last) writes++
      last = inode
      return writes
    }
    return { notifier: await live(textfile, { FILE: at('x.prom') }), deaf: await live(textfile, { FILE: at('no/x.prom') }), received, close: async () => remove() }
  },
  command: async () => {
    const { at, remove } = folder()
    const received = async (): Promise<number> => (existsSync(at('log')) ? readFileSync(at('log'), 'utf8').split('\n').length - 1 : 0)
    return { notifier: await live(command, { COMMAND: `sh -c 'echo "$STACKBK_EVENT" >> "$1"' sh ${at('log')}` }), deaf: await live(command, { COMMAND: at('no-program') }), received, close: async () => remove() }
  },
}

describe.each(Object.entries(subjects))('%s', (_, make) => {
  for (const { name, run } of notifierSuite(make)) test(name, run)
})
