import { done, failed, type Answer, type CallOptions, type Notifier, type SettingValues, type StackbkEvent, failureInOneLine } from '@stackbk/contract'
import type SMTPTransport from 'nodemailer/lib/smtp-transport/index.js'

import { digestOf } from './digest.js'
import { addressOf } from './http-post.js'
import { clearText, secretFrom, withoutSecrets } from './secret-text.js'

/** How long a mail server may be silent. Milliseconds. */
const silenceLimitMs = 10_000

/** Mails the digest, and of a run that failed the end of its log. */
export function createEmail(values: SettingValues): Notifier {
  const { TO: to } = values
  const receivers = Array.isArray(to) ? (to as readonly string[]) : []
  const host = addressOf(clearText(values['URL']))?.hostname ?? 'an invalid address'

  /** Calls with a transport of its own, closed in any case. */
  const withServer = async (what: string, work: (transport: Awaited<ReturnType<typeof connect>>) => Promise<unknown>, { signal }: CallOptions = {}): Promise<Answer<void>> => {
    const cancelled = failed({ kind: 'cancelled', message: `${what} was cancelled` })
    if (signal?.aborted) return cancelled
    const secret = await secretFrom(values)
    if (!secret.ok) return secret
    const options = serverOptions(clearText(values['URL']), secret.value)
    if (options === null) return failed({ kind: 'configuration', message: 'URL is no address of a mail server', fix: 'Write smtps://USER@HOST or smtp://USER@HOST:PORT' })
    const transport = await connect(options)
    const onAbort = (): void => transport.close()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await work(transport)
      return done
    } catch (error) {
      if (signal?.aborted) return cancelled
      return failureOf(what, host, error, [secret.value, options.auth?.pass ?? ''])
    } finally {
      signal?.removeEventListener('abort', onAbort)
      transport.close()
    }
  }

  return {
    async notify(event, options = {}) {
      if (event.event !== 'run-finished') return done
      const from = clearText(values['FROM'])
      return withServer(`mailing over ${host}`, (transport) => transport.sendMail({ from, to: [...receivers], ...mailOf(event) }), options)
    },
    async ready() {
      const secret = await secretFrom(values)
      return secret.ok ? done : secret
    },
    async examine(options = {}) {
      const answer = await withServer(`the mail server ${host}`, (transport) => transport.verify(), options)
      const needed = 'a mail server that accepts mail'
      if (answer.ok) return [{ id: 'server', status: 'ok', found: `e-mail to ${receivers.join(', ')}, ${host} accepts mail`, needed, fix: '' }]
      return [{ id: 'server', status: 'failed', found: failureInOneLine(answer.failure), needed, fix: answer.failure.fix ?? '' }]
    },
    close: async () => {},
  }
}

/** Subject and text. */
export function mailOf(event: StackbkEvent): { readonly subject: string; readonly text: string; readonly headers: Readonly<Record<string, string>> } {
  const { title, lines, verdict } = digestOf(event)
  const log = event.log === undefined || verdict !== 'failed' ? [] : ['', 'The end of the log:', '', event.log]
  // No answer of an absent receiver is wanted: https://www.rfc-editor.org/rfc/rfc3834
  return { subject: title, text: `${[title, '', ...lines, ...log].join('\n')}\n`, headers: { 'Auto-Submitted': 'auto-generated' } }
}

/** What nodemailer takes; `null` for an address that is none. */
export function serverOptions(url: string, secret: string): (SMTPTransport.Options & { readonly auth?: { readonly user: string; readonly pass: string } }) | null {
  const address = addressOf(url)
  if (address === null) return null
  const secure = address.protocol === 'smtps:'
  const [user, ownPassword] = [decoded(address.username), decoded(address.password)]
  const pass = secret === '' ? ownPassword : secret
  const host = address.hostname.replace(/^\[|\]$/g, '')
  const isHere = host === 'localhost' || host === '::1' || host.startsWith('127.')
  return {
    host,
    port: address.port === '' ? (secure ? 465 : 587) : Number(address.port),
    secure,
    ...(user === '' ? {} : { auth: { user, pass } }),
    // A password never goes over a network in the clear.
    requireTLS: !secure && user !== '' && !isHere,
    connectionTimeout: silenceLimitMs,
    greetingTimeout: silenceLimitMs,
    socketTimeout: silenceLimitMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

async function connect(options: SMTPTransport.Options) {
  const { createTransport } = await import('nodemailer')
  return createTransport(options)
}

/** https://nodemailer.com/errors */
function failureOf(what: string, host: string, error: unknown, secrets: readonly string[]): Answer<void> {
  const { code = '', responseCode = 0 } = error as { readonly code?: string; readonly responseCode?: number }
  const toolOutput = withoutSecrets(error instanceof Error ? error.message : String(error), secrets)
  if (code === 'EAUTH' || code === 'ENOAUTH') return failed({ kind: 'configuration', message: `${host} does not take the user and the password`, toolOutput, fix: 'Check the user in URL, and what SECRET_FILE holds' })
  if (code === 'ETLS') return failed({ kind: 'configuration', message: `${host} offers no usable encryption`, toolOutput, fix: 'Use smtps://, or the port that has STARTTLS' })
  if (responseCode >= 500) return failed({ kind: 'failed', message: `${what} was refused`, toolOutput, fix: 'Check FROM and TO' })
  if (responseCode >= 400) return failed({ kind: 'failed', message: `${what} was put off`, toolOutput, transient: true })
  return failed({ kind: 'remote-unreachable', message: `${what} failed`, toolOutput, fix: 'Check URL, and the network', transient: true })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
