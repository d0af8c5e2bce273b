/** What a ping reports: that a run has begun, or how it has ended. */
export type PingState = 'start' | 'up' | 'down'

/** The addresses of a check as the configuration names them; empty for those that it does not. */
export interface PingAddresses {
  readonly url: string
  readonly urlFail: string
  readonly urlStart: string
}

export interface PingFacts {
  readonly message: string
  /** `null` before the run has ended. */
  readonly durationMs: number | null
}

/** A URL has room for a sentence, not for a report. Characters. */
const longestMessage = 200

/** The push address of Uptime Kuma, as its web page shows it: the state is in the query, and a path below it is unknown there. */
const uptimeKuma = /^(https?:\/\/[^\s?#]+\/api\/push\/[^/?#]+\/?)\?([^#]*)$/

/** Returns the addresses, with the sample values in a push address of Uptime Kuma replaced by placeholders. */
export function withPlaceholders(addresses: PingAddresses): PingAddresses {
  const [, path, query] = uptimeKuma.exec(addresses.url) ?? []
  if (path === undefined || query === undefined || addresses.urlFail !== '') return addresses
  const samples: Readonly<Record<string, string>> = { 'status=up': 'status={status}', 'msg=OK': 'msg={message}', 'ping=': 'ping={duration}' }
  if (!query.split('&').includes('status=up')) return addresses
  return { ...addresses, url: `${path}?${query.split('&').map((part) => samples[part] ?? part).join('&')}` }
}

/** Whether failures have an address of their own, instead of `/fail` below `URL`. A check of this kind has no `/start` and no `/log`. */
export function namesFailure({ url, urlFail }: PingAddresses): boolean {
  return urlFail !== '' || url.includes('{status}')
}

/** Returns the address to ping, or `null` if this check takes no ping for this state. */
export function addressFor(addresses: PingAddresses, state: PingState, facts: PingFacts): string | null {
  const { url, urlFail, urlStart } = addresses
  const filled = (address: string): string => fill(address, state, facts)
  switch (state) {
    case 'start':
      if (urlStart !== '') return filled(urlStart)
      return namesFailure(addresses) ? null : withSuffix(filled(url), '/start')
    case 'up':
      return filled(url)
    case 'down':
      if (urlFail !== '') return filled(urlFail)
      return namesFailure(addresses) ? filled(url) : withSuffix(filled(url), '/fail')
  }
}

/** Returns the address with the suffix at the end of its path, before the query. */
export function withSuffix(url: string, suffix: string): string {
  const [, path = url, query = ''] = /^([^?]*)(\?.*)?$/s.exec(url) ?? []
  return `${path.replace(/\/+$/, '')}${suffix}${query}`
}

function fill(address: string, state: PingState, { message, durationMs }: PingFacts): string {
  const values: Readonly<Record<string, string>> = {
    status: state === 'down' ? 'down' : 'up',
    message: [...message].slice(0, longestMessage).join(''),
    duration: durationMs === null ? '' : String(Math.round(durationMs)),
  }
  return address.replaceAll(/\{(status|message|duration)\}/g, (_, name: string) => encodeURIComponent((values[name] ?? '').replaceAll(/\p{Cs}/gu, '\ufffd')))
}
