import type { Secret } from '@stackbk/contract'

const mask = '********'

/** Shorter ones would hit ordinary text everywhere, and tell a reader nothing that a guess would not. */
const shortestRedacted = 4

/** `scheme://user:password@host` without the password. Up to the last `@`, and never past a quote: the text may be JSON. */
export function redactUrls(text: string): string {
  return text.includes('://') ? text.replaceAll(/(:\/\/[^\s/:@"]*):[^\s/"]+@/g, `$1:${mask}@`) : text
}

/** A function that takes the given secrets, and passwords in URLs, out of a text. */
export function createRedactor(secrets: readonly Secret[]): (text: string) => string {
  const values = [...new Set(secrets.flatMap((secret) => appearancesOf(secret.reveal())))]
    .filter((value) => value.length >= shortestRedacted)
    .sort((one, other) => other.length - one.length)
  return (text) => redactUrls(values.reduce((redacted, value) => redacted.replaceAll(value, mask), text))
}

/** What a secret looks like in output, which comes by lines and may be JSON, of ours or of a tool written in Go. */
function appearancesOf(value: string): string[] {
  return value.split(/\r?\n/).flatMap((line) => {
    const escaped = JSON.stringify(line).slice(1, -1)
    return [line, escaped, escaped.replaceAll(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`)]
  })
}
