import { isatty } from 'node:tty'

type Environment = Readonly<Record<string, string | undefined>>

/** The flags that say something about being asked. */
export interface Askable {
  readonly json?: boolean | undefined
  readonly quiet?: boolean | undefined
  readonly yes?: boolean | undefined
}

/** Whether both ends of the conversation are a terminal. */
export function isTerminal(): boolean {
  return isatty(0) && isatty(1)
}

/**
 * Whether a question may be asked that a flag could have answered. Never of a script: one that gives `--json`, `--yes` or
 * `--quiet` would wait for ever, terminal or not.
 */
export function mayAsk({ json, quiet, yes }: Askable): boolean {
  return json !== true && quiet !== true && yes !== true && isTerminal()
}

/** A terminal in which the cursor cannot be moved. */
export function isDumb(environment: Environment = process.env): boolean {
  return environment['TERM'] === 'dumb'
}

/** See https://no-color.org: set and not empty. */
export function hasColour(environment: Environment = process.env): boolean {
  return !environment['NO_COLOR'] && !isDumb(environment)
}

/** Whether it shows more than ASCII. */
export function isUnicode(environment: Environment = process.env): boolean {
  const locale = [environment['LC_ALL'], environment['LC_CTYPE'], environment['LANG']].find((value) => value !== undefined && value !== '')
  return locale !== undefined && /utf-?8/i.test(locale)
}

export interface Paint {
  readonly strong: (text: string) => string
  readonly faint: (text: string) => string
  readonly chosen: (text: string) => string
  readonly good: (text: string) => string
  readonly warning: (text: string) => string
}

const bare = (text: string): string => text
const sgr = (on: number, off: number) => (text: string): string => (text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`)

/** Colours, or none. The text looks the same without: what matters is said in words or signs too. */
export function paintFor(environment: Environment = process.env): Paint {
  if (!hasColour(environment)) return { strong: bare, faint: bare, chosen: bare, good: bare, warning: bare }
  return { strong: sgr(1, 22), faint: sgr(2, 22), chosen: sgr(36, 39), good: sgr(32, 39), warning: sgr(33, 39) }
}
