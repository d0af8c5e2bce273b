import type { Notifier, SettingValues } from '@stackbk/contract'

import { examineReach, hostOf, post } from './http-post.js'
import { clearText, secretFrom, withSecret } from './secret-text.js'
import { messageFor, type TemplateName } from './templates.js'

/** Tells by one POST. Of events but the digest it says nothing. */
export function createWebhook(values: SettingValues): Notifier {
  const template = (clearText(values['TEMPLATE']) || 'json') as TemplateName
  const given = clearText(values['URL'])
  const who = `the webhook at ${hostOf(given)}`

  return {
    async notify(event, options = {}) {
      if (event.event !== 'run-finished') return { ok: true, value: undefined }
      const secret = await secretFrom(values)
      if (!secret.ok) return secret
      const url = withSecret(given, secret.value, encodeURIComponent)
      const further = withSecret(clearText(values['HEADERS']), secret.value)
      const isPlaced = url.isPlaced || further.isPlaced || secret.value === ''
      const message = messageFor(template, event, url.text)
      const headers = { ...message.headers, ...(isPlaced ? {} : authorization(template, secret.value)), ...headersIn(further.text) }
      return post({ who, ...message, headers, secrets: [secret.value, url.text, given, clearText(values['HEADERS'])] }, options)
    },
    async ready() {
      const secret = await secretFrom(values)
      return secret.ok ? { ok: true, value: undefined } : secret
    },
    async examine(options = {}) {
      const secret = await secretFrom(values)
      if (!secret.ok) return [{ id: 'secret', status: 'failed', found: secret.failure.toolOutput ?? secret.failure.message, needed: 'a SECRET_FILE that can be read', fix: secret.failure.fix ?? '' }]
      return [await examineReach(given, `a webhook (${template})`, options)]
    },
    close: async () => {},
  }
}

/** The way in which each takes a token where none was put in its place. */
function authorization(template: TemplateName, secret: string): Record<string, string> {
  return template === 'gotify' ? { 'x-gotify-key': secret } : { authorization: `Bearer ${secret}` }
}

/** `Name: value, Name: value`. */
function headersIn(text: string): Record<string, string> {
  const pairs = text.split(',').map((part) => part.trim()).filter((part) => part.includes(':'))
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf(':')).trim().toLowerCase(), pair.slice(pair.indexOf(':') + 1).trim()]))
}
