import { basename } from 'node:path'

/** A line that switches a stack. */
export interface DirlistLine {
  /** Counting from 0. */
  readonly index: number
  /** A name, or an absolute path, perhaps with a name: `/srv/app/docker as app`. */
  readonly subject: string
  readonly isEnabled: boolean
}

export interface DirlistText {
  readonly lines: readonly DirlistLine[]
  /** Lines that say nothing that we understand, and stay as they are; counting from 0. */
  readonly unknown: readonly { readonly index: number; readonly text: string }[]
}

interface Token extends DirlistLine {
  /** The line with the switch the other way, everything else of it kept. */
  readonly switched: string
}

// Not `\s`: other kinds of blanks may belong to a name.
const indented = /^(\uFEFF?[ \t]*)(.*?)([ \t\r]*)$/s
const truths: ReadonlySet<string> = new Set(['true', 'yes', 'on', '1', 'enabled'])
const untruths: ReadonlySet<string> = new Set(['false', 'no', 'off', '0', 'disabled'])

/** Reads all three notations: `name=true` and `name=false`, `+name` and `-name`, `EXT:/path` (or the path alone), which is on. A path may be followed by a name: `/path as name=true`. */
export function parseDirlist(text: string): DirlistText {
  const lines: DirlistLine[] = []
  const unknown: { index: number; text: string }[] = []
  for (const [index, content] of text.split('\n').entries()) {
    const token = tokenOf(content, index)
    if (token) lines.push({ index, subject: token.subject, isEnabled: token.isEnabled })
    else if (!isSilent(content)) unknown.push({ index, text: content.trim() })
  }
  return { lines, unknown }
}

/** Switches these lines on or off. Those that stand so already are not touched, nor is anything else. */
export function switchLines(text: string, indexes: ReadonlySet<number>, isEnabled: boolean): string {
  return text
    .split('\n')
    .map((content, index) => {
      const token = indexes.has(index) ? tokenOf(content, index) : null
      return token === null || token.isEnabled === isEnabled ? content : token.switched
    })
    .join('\n')
}

export function removeLines(text: string, indexes: ReadonlySet<number>): string {
  return text.split('\n').filter((_, index) => !indexes.has(index)).join('\n')
}

/** New lines at the end, with the line ends that the text has. */
export function appendLines(text: string, additions: readonly { readonly subject: string; readonly isEnabled: boolean }[]): string {
  if (additions.length === 0) return text
  const lineEnd = /^[^\n]*\r\n/.test(text) ? '\r\n' : '\n'
  const begin = text === '' || text.endsWith('\n') ? text : `${text}${text.endsWith('\r') ? '\n' : lineEnd}`
  return begin + additions.map(({ subject, isEnabled }) => `${subject}=${String(isEnabled)}${lineEnd}`).join('')
}

/** Replaces what these lines name, and nothing else of them. */
export function renameLines(text: string, indexes: ReadonlySet<number>, subject: string): string {
  return text
    .split('\n')
    .map((content, index) => {
      const token = indexes.has(index) ? tokenOf(content, index) : null
      return token === null ? content : content.replace(token.subject, () => subject)
    })
    .join('\n')
}

/** Returns what a line names for this path: the path, and the name if it is not the folder's own. */
export function namedSubject(path: string, name: string): string {
  return name === basename(path) ? path : `${path} as ${name}`
}

/** Splits `/path as name`; `null` for a subject that gives no name. A path may hold ` as ` too: the caller looks whether it is there. */
export function givenName(subject: string): { readonly path: string; readonly name: string } | null {
  const [, path, name] = /^(\/.*?)[ \t]+as[ \t]+([^/]+)$/s.exec(subject) ?? []
  if (path === undefined || name === undefined || name === '.' || name === '..') return null
  return { path, name }
}

/** Some names cannot be told from a comment or a switch: ` #x`, a name with a line break. Such a stack cannot be listed. */
export function canBeListed(subject: string): boolean {
  const { lines } = parseDirlist(`${subject}=false`)
  return lines.length === 1 && lines[0]?.subject === subject && !lines[0].isEnabled
}

function isSilent(content: string): boolean {
  return /^\uFEFF?[ \t]*(?:#.*)?\r*$/s.test(content)
}

function tokenOf(content: string, index: number): Token | null {
  const [, before = '', body = '', after = ''] = indented.exec(content) ?? []
  if (body === '' || body.startsWith('#')) return null
  const token = assigned(body) ?? signed(body) ?? external(body)
  if (token === null || !isSubject(token.subject)) return null
  return { index, ...token, switched: `${before}${token.switched}${after}` }
}

/** A name in the stacks folder, or an absolute path. */
function isSubject(subject: string): boolean {
  return subject.startsWith('/') || (subject !== '' && subject !== '.' && subject !== '..' && !subject.includes('/'))
}

/**
 * `name=true`. Names may hold `=` and `#`, comments may hold anything: the first `=` counts behind which nothing stands but
 * a switch and perhaps a comment.
 */
function assigned(body: string): Omit<Token, 'index'> | null {
  for (let at = body.indexOf('='); at !== -1; at = body.indexOf('=', at + 1)) {
    const [, blank = '', word = '', rest = ''] = /^([ \t]*)(\w+)((?:[ \t]+#.*|[ \t]*)?)$/s.exec(body.slice(at + 1)) ?? []
    const isEnabled = switchOf(word)
    if (isEnabled === null) continue
    const subject = body.slice(0, at).replace(/[ \t]+$/, '').replace(/^EXT:(?=\/)/, '')
    return { subject, isEnabled, switched: `${body.slice(0, at + 1)}${blank}${String(!isEnabled)}${rest}` }
  }
  return null
}

/** `+name`, `-name`, `+/path`. */
function signed(body: string): Omit<Token, 'index'> | null {
  const [, sign, rest = ''] = /^([+-])(.*)$/s.exec(body) ?? []
  if (sign === undefined) return null
  return { subject: withoutComment(rest).replaceAll(/^[ \t]+|[ \t]+$/g, '').replace(/^EXT:(?=\/)/, ''), isEnabled: sign === '+', switched: `${sign === '+' ? '-' : '+'}${rest}` }
}

/** `EXT:/path` and a path alone are on, and have no way of saying off: then they get one. */
function external(body: string): Omit<Token, 'index'> | null {
  const subject = withoutComment(body).replace(/[ \t]+$/, '').replace(/^EXT:/, '')
  if (!subject.startsWith('/')) return null
  const comment = body.slice(withoutComment(body).length)
  return { subject, isEnabled: true, switched: `${subject}=false${comment}` }
}

function withoutComment(text: string): string {
  return text.replace(/[ \t]+#.*$/s, '')
}

function switchOf(word: string): boolean | null {
  const lower = word.toLowerCase()
  if (truths.has(lower)) return true
  return untruths.has(lower) ? false : null
}
