import type { Answer, Notifier, SettingValues, StackbkEvent } from '@stackbk/contract'

import { digestOf } from './digest.js'
import { examineReach, hostOf, post } from './http-post.js'
import { clearText, secretFrom, withSecret } from './secret-text.js'

/** healthchecks keeps so much of what a ping says by default; https://healthchecks.io/docs/attaching_logs/. Bytes. */
const mostBytes = 10_000

/**
 * Pings a check as https://healthchecks.io/docs/http_api/ has it: `/start`, then the address itself or `/fail`. It hears of
 * every run, for no ping is the alarm; and only of those the check is for, so that a `resume` at boot does not pass for the
 * backup that is missing.
 */
export function createPing(values: SettingValues): Notifier {
  const given = clearText(values['URL'])
  const { RUNS: runs } = values
  const commands = Array.isArray(runs) ? (runs as readonly string[]) : []
  const who = `the check at ${hostOf(given)}`

  const send = async (suffix: string, body: string, options: Parameters<Notifier['notify']>[1] = {}): Promise<Answer<void>> => {
    const secret = await secretFrom(values)
    if (!secret.ok) return secret
    const url = withSecret(given, secret.value, encodeURIComponent)
    const headers = { 'content-type': 'text/plain; charset=utf-8', ...(url.isPlaced || secret.value === '' ? {} : { authorization: `Bearer ${secret.value}` }) }
    return post({ who, url: pingAddress(url.text, suffix), headers, body: lastBytes(body, mostBytes), secrets: [secret.value, url.text, given] }, options)
  }

  return {
    hearsAll: true,
    async notify(event, options) {
      if (event.isTest === true) return event.event === 'run-finished' ? testPing(send, event, options) : { ok: true, value: undefined }
      if (!commands.includes(event.command)) return { ok: true, value: undefined }
      if (event.event === 'run-started') return send('/start', '', options)
      if (event.event !== 'run-finished') return { ok: true, value: undefined }
      const { verdict, title, lines } = digestOf(event)
      const body = [title, ...lines, ...(event.log === undefined || verdict !== 'failed' ? [] : ['', 'The end of the log:', event.log])].join('\n')
      return send(verdict === 'failed' ? '/fail' : '', body, options)
    },
    async ready() {
      const secret = await secretFrom(values)
      return secret.ok ? { ok: true, value: undefined } : secret
    },
    async examine(options = {}) {
      const secret = await secretFrom(values)
      if (!secret.ok) return [{ id: 'secret', status: 'failed', found: secret.failure.toolOutput ?? secret.failure.message, needed: 'a SECRET_FILE that can be read', fix: secret.failure.fix ?? '' }]
      return [await examineReach(given, 'a check to ping', options)]
    },
    close: async () => {},
  }
}

/** `/log` notes something and changes nothing, so that a try does not turn a red check green. Who does not know it gets a plain ping. */
async function testPing(send: (suffix: string, body: string, options: Parameters<Notifier['notify']>[1]) => Promise<Answer<void>>, event: StackbkEvent, options: Parameters<Notifier['notify']>[1]): Promise<Answer<void>> {
  const body = digestOf(event).title
  const noted = await send('/log', body, options)
  return noted.ok || !/answers with 40[045]$/.test(noted.failure.message) ? noted : send('', body, options)
}

/** The suffix goes before what is asked for with it (`?create=1`). */
function pingAddress(url: string, suffix: string): string {
  const [, path = url, query = ''] = /^([^?]*)(\?.*)?$/s.exec(url) ?? []
  return `${path.replace(/\/+$/, '')}${suffix}${query}`
}

/** The beginning says what failed, the end why: the middle goes. */
function lastBytes(text: string, most: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= most) return text
  const half = Math.floor(most / 2) - 8
  return `${bytes.subarray(0, half).toString('utf8')}\n[...]\n${bytes.subarray(bytes.length - half).toString('utf8')}`
}
