import { done, failed, type Answer, type CallOptions, type Finding } from '@stackbk/contract'

import { withoutSecrets } from './secret-text.js'

export interface Post {
  /** For people, without any secret: `the webhook at chat.example.org`. */
  readonly who: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What must not show in a failure. */
  readonly secrets: readonly string[]
}

/** So much of an answer tells why it is none. Characters. */
const mostOfAnswer = 300

/** Those say: not now. */
const passing = new Set([408, 425, 429])

/** How long `doctor` waits for somebody to listen. */
const reachLimitMs = 5_000

const portOf: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

/** One request; 2xx is well. Never throws. */
export async function post({ who, url, headers, body, secrets }: Post, { signal }: CallOptions): Promise<Answer<void>> {
  const cancelled = failed({ kind: 'cancelled', message: `notifying ${who} was cancelled` })
  if (signal?.aborted) return cancelled
  let response: Response
  try {
    // A redirect is not followed: it could lead the secret in a header elsewhere, and makes a GET of a POST.
    response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', ...(signal === undefined ? {} : { signal }) })
  } catch (error) {
    if (signal?.aborted) return cancelled
    return failed({ kind: 'remote-unreachable', message: `${who} cannot be reached`, toolOutput: withoutSecrets(reasonOf(error), secrets), fix: 'Check URL, and the network', transient: true })
  }
  const text = await response.text().catch(() => '')
  if (response.ok) return done
  const { status } = response
  if (status >= 300 && status < 400) return failed({ kind: 'configuration', message: `${who} answers with ${status}, a redirect, which is not followed`, fix: 'Put the address that it leads to into URL' })
  const said = withoutSecrets(text.slice(0, mostOfAnswer), secrets).replaceAll(/\s+/g, ' ').trim()
  return failed({ kind: 'failed', message: `${who} answers with ${status}`, toolOutput: said, fix: 'Check URL, and what SECRET_FILE holds', transient: status >= 500 || passing.has(status) })
}

/** The host of an address, which is no secret; the rest may be. */
export function hostOf(url: string): string {
  return addressOf(url)?.host ?? 'an invalid address'
}

/** `null` for what is none. */
export function addressOf(url: string): URL | null {
  try {
    return new URL(url)
  } catch {
    return null
  }
}

/** For `doctor`: whether somebody listens there. Nothing is sent. */
export async function examineReach(url: string, title: string, { signal }: CallOptions): Promise<Finding> {
  const id = 'reach'
  const needed = `${title} that can be reached`
  const fix = 'Check URL, and the network'
  const address = addressOf(url)
  if (address === null) return { id, status: 'failed', found: 'URL is not a valid address', needed, fix: 'Correct URL' }
  const { connect } = await import('node:net')
  const port = Number(address.port) || (portOf[address.protocol] ?? 0)
  return await new Promise<Finding>((resolve) => {
    const socket = connect({ host: address.hostname.replace(/^\[|\]$/g, ''), port, ...(signal === undefined ? {} : { signal }) })
    const end = (finding: Pick<Finding, 'status' | 'found'>): void => {
      socket.destroy()
      resolve({ id, ...finding, needed, fix: finding.status === 'ok' ? '' : fix })
    }
    socket.setTimeout(reachLimitMs, () => end({ status: 'failed', found: `${address.host} does not answer within ${reachLimitMs / 1000} s` }))
    socket.once('connect', () => end({ status: 'ok', found: `${title}; ${address.host} can be reached` }))
    socket.once('error', (error) => end({ status: 'failed', found: error.message === '' ? `${address.host} cannot be reached` : error.message }))
  })
}

/** fetch says only "fetch failed"; why is in its cause, or in several where a name has several addresses. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join('; ')
  return cause instanceof Error ? cause.message : error.message
}
