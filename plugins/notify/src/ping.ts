import { done, failed, type Answer, type CallOptions, type Notifier, type SettingValues, type StackbkEvent } from '@stackbk/contract'

import { digestOf, numberOf, recordOf } from './digest.js'
import { examineReach, hostOf, post } from './http-post.js'
import { addressFor, namesFailure, withPlaceholders, withSuffix, type PingAddresses, type PingFacts } from './ping-address.js'
import { clearText, secretFrom, withSecret } from './secret-text.js'

/** healthchecks keeps so much of what a ping says by default; https://healthchecks.io/docs/attaching_logs/. Bytes. */
const mostBytes = 10_000

/**
 * Pings a check as https://healthchecks.io/docs/http_api/ describes it: `/start`, then the address itself or `/fail`. A check
 * with another way of reporting a failure has placeholders in its address, or an address for each state. A ping receives
 * every run, because a missing ping is the alarm, and only runs of the commands that the check is for: a `resume` at boot
 * must not count as the backup that is missing.
 */
export function createPing(values: SettingValues): Notifier {
  const given: PingAddresses = { url: clearText(values['URL']), urlFail: clearText(values['URL_FAIL']), urlStart: clearText(values['URL_START']) }
  const addresses = withPlaceholders(given)
  const hidden = [given.url, given.urlFail, given.urlStart].filter((address) => address !== '')
  const { RUNS: runs } = values
  const commands = Array.isArray(runs) ? (runs as readonly string[]) : []

  const send = async (address: string | null, body: string, options: CallOptions = {}): Promise<Answer<void>> => {
    if (address === null) return done
    const secret = await secretFrom(values)
    if (!secret.ok) return secret
    const url = withSecret(address, secret.value, encodeURIComponent)
    const headers = { 'content-type': 'text/plain; charset=utf-8', ...(url.isPlaced || secret.value === '' ? {} : { authorization: `Bearer ${secret.value}` }) }
    return post({ who: `the check at ${hostOf(address)}`, url: url.text, headers, body: lastBytes(body, mostBytes), secrets: [secret.value, url.text, ...hidden] }, options)
  }

  return {
    hearsAll: true,
    async notify(event, options) {
      if (event.isTest === true) return event.event === 'run-finished' ? testPing(addresses, send, event, options) : done
      if (!commands.includes(event.command)) return done
      if (event.event === 'run-started') return send(addressFor(addresses, 'start', { message: `stackbk ${event.command}: started`, durationMs: null }), '', options)
      if (event.event !== 'run-finished') return done
      const { verdict, title, lines } = digestOf(event)
      const body = [title, ...lines, ...(event.log === undefined || verdict !== 'failed' ? [] : ['', 'The end of the log:', event.log])].join('\n')
      return send(addressFor(addresses, verdict === 'failed' ? 'down' : 'up', { message: title, durationMs: durationOf(event) }), body, options)
    },
    async ready() {
      const secret = await secretFrom(values)
      return secret.ok ? done : secret
    },
    async examine(options = {}) {
      const secret = await secretFrom(values)
      if (!secret.ok) return [{ id: 'secret', status: 'failed', found: secret.failure.toolOutput ?? secret.failure.message, needed: 'a SECRET_FILE that can be read', fix: secret.failure.fix ?? '' }]
      const others = [given.urlFail, given.urlStart].filter((address) => address !== '' && hostOf(address) !== hostOf(given.url))
      return Promise.all([given.url, ...others].map((address) => examineReach(address, 'a check to ping', options)))
    },
    close: async () => {},
  }
}

type Send = (address: string | null, body: string, options?: CallOptions) => Promise<Answer<void>>

/**
 * Tests every address that a run would use, since a check that cannot receive a failure stays green for ever. Where `/log` is
 * known the state of the check stays as it is, and `/fail` is known too. Elsewhere a failure is sent, then a success.
 */
async function testPing(addresses: PingAddresses, send: Send, event: StackbkEvent, options?: CallOptions): Promise<Answer<void>> {
  const { title } = digestOf(event)
  const facts: PingFacts = { message: title, durationMs: durationOf(event) }
  if (!namesFailure(addresses)) {
    const noted = await send(withSuffix(addresses.url, '/log'), title, options)
    if (noted.ok || !isUnknownAddress(noted)) return noted
  }
  const down = await send(addressFor(addresses, 'down', facts), title, options)
  // Also after a failure above: the last ping of a test is one that leaves the check green.
  const up = await send(addressFor(addresses, 'up', facts), title, options)
  if (!up.ok) return up
  if (!down.ok) return noFailureAddress(addresses, down)
  const start = addresses.urlStart === '' ? done : await send(addressFor(addresses, 'start', facts), title, options)
  return start.ok ? start : failed({ ...start.failure, message: `${start.failure.message}, asked at URL_START`, fix: 'Check URL_START' })
}

function isUnknownAddress(answer: Answer<void>): boolean {
  return !answer.ok && /answers with 40[045]$/.test(answer.failure.message)
}

function noFailureAddress({ urlFail, url }: PingAddresses, answer: Extract<Answer<void>, { ok: false }>): Answer<void> {
  const { failure } = answer
  if (urlFail !== '') return failed({ ...failure, message: `${failure.message}, asked at URL_FAIL: a failed run would not be reported`, fix: 'Check URL_FAIL' })
  const where = url.includes('{status}') ? 'for the state down' : 'at /fail below URL'
  return failed({
    ...failure,
    message: `${failure.message}, asked ${where}: a failed run would not be reported`,
    fix: 'Put the placeholders {status} (up or down), {message} and {duration} into URL, or give the address for failures as URL_FAIL',
  })
}

function durationOf(event: StackbkEvent): number | null {
  return numberOf(recordOf(event.result)['durationMs'])
}

/** The beginning says what failed, the end why: the middle goes. */
function lastBytes(text: string, most: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= most) return text
  const half = Math.floor(most / 2) - 8
  return `${bytes.subarray(0, half).toString('utf8')}\n[...]\n${bytes.subarray(bytes.length - half).toString('utf8')}`
}
