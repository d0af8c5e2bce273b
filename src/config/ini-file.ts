/** One `KEY=value` line. */
export interface IniEntry {
  /** Its part before a colon in lower case; empty before the first section. */
  readonly section: string
  /** Upper case. */
  readonly key: string
  /** Without its quotes and without a comment behind it. */
  readonly value: string
  /** Counting from 1. */
  readonly line: number
  /** The value as a whole stood in quotes. */
  readonly isQuoted: boolean
  /** What stands behind the value as a comment, with its sign; empty for none. */
  readonly comment: string
}

export interface IniSection {
  readonly name: string
  readonly line: number
}

/** A line that cannot be read. */
export interface IniFault {
  readonly line: number
  readonly code: 'unreadable-line' | 'unclosed-quote'
  readonly message: string
  readonly fix: string
}

/** `flat`: no section at all, shell-style. */
export type IniFormat = 'sections' | 'flat'

export interface IniFile {
  readonly format: IniFormat
  readonly entries: readonly IniEntry[]
  /** The same by their section. */
  readonly bySection: ReadonlyMap<string, readonly IniEntry[]>
  /** Each heading, also of empty and repeated sections. */
  readonly sections: readonly IniSection[]
  readonly faults: readonly IniFault[]
}

type Value = Pick<IniEntry, 'value' | 'isQuoted' | 'comment'>

// Lines end at a line feed. The dot of a regular expression also stops at U+2028 and U+2029, which may belong to a value.
// The shortest name after which nothing but a comment follows, so that a name may hold a bracket.
const sectionLine = /^[ \t]*\[([^\r]*?)\][ \t]*(?:[#;][^\r]*)?$/
const entryLine = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=([^\r]*)$/
const emptyLine = /^[ \t]*(?:[#;][^\r]*)?$/

/**
 * Reads a configuration file, both of its forms. Why not with `ini`: docs/decisions/ini-parsing.md.
 *
 * - `#` and `;` begin a comment at the start of a line and after a blank, never inside quotes.
 * - A value that stands in quotes as a whole loses them. In double quotes `\"` and `\\` are escapes, in the flat form also
 *   `\$` and `` \` ``, as in the shell; any other backslash is itself. Quotes within a value (`sh -c 'pass show x'`) stay.
 * - Nothing is expanded, nothing goes on in the next line.
 */
export function parseIni(text: string): IniFile {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const format: IniFormat = lines.some((line) => sectionLine.test(line)) ? 'sections' : 'flat'
  const entries: IniEntry[] = []
  const sections: IniSection[] = []
  const faults: IniFault[] = []
  let section = ''

  for (const [index, content] of lines.entries()) {
    const line = index + 1
    if (emptyLine.test(content)) continue
    const heading = sectionLine.exec(content)
    if (heading) {
      section = sectionName(heading[1] ?? '')
      sections.push({ name: section, line })
      continue
    }
    const [, key, rest] = entryLine.exec(content) ?? []
    if (key === undefined || rest === undefined) {
      faults.push({
        line,
        code: 'unreadable-line',
        message: 'this line is neither a section, nor KEY=value, nor a comment',
        fix: 'Write it as KEY=value, or put a # before it.',
      })
      continue
    }
    const value = parseValue(rest, format)
    if (value === null) {
      faults.push({
        line,
        code: 'unclosed-quote',
        message: `the value of ${key.toUpperCase()} begins with a quote that is never closed`,
        fix: 'Close it, or put the whole value into the other kind of quotes.',
      })
      continue
    }
    entries.push({ section, key: key.toUpperCase(), line, ...value })
  }
  return { format, entries, bySection: groupBySection(entries), sections, faults }
}

/**
 * A value as it is to stand behind `KEY=`, quoted only where that is needed; {@link parseIni} reads it back equal.
 * Throws a RangeError for a value with a line break or a null character, which no line can hold.
 */
export function writeValue(value: string): string {
  if (/[\r\n\0]/.test(value)) throw new RangeError('a value with a line break cannot be written')
  const isPlain = value !== '' && !/^[ \t"'#;]|[ \t]$|[ \t][#;]/.test(value)
  if (isPlain) return value
  if (!value.includes("'")) return `'${value}'`
  return `"${value.replaceAll(/["\\]/g, '\\$&')}"`
}

/** Declarations and entries alike, in their order. */
export function groupBySection<T extends { readonly section: string }>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(item.section)
    if (group) group.push(item)
    else groups.set(item.section, [item])
  }
  return groups
}

/** Sections are matched in any case; what follows a colon is a name of the user's and stays as it is. */
function sectionName(written: string): string {
  const colon = written.indexOf(':')
  if (colon === -1) return written.trim().toLowerCase()
  return `${written.slice(0, colon).trim().toLowerCase()}:${written.slice(colon + 1).trim()}`
}

/** `null` for a quote that is never closed. `text` is all that follows the equals sign. */
function parseValue(text: string, format: IniFormat): Value | null {
  const start = text.search(/[^ \t]/)
  const opener = text[start]
  if (opener === '"' || opener === "'") {
    const word = quotedWord(text.slice(start), format)
    if (word === null) return null
    const rest = text.slice(start + word.length)
    const comment = trimBlanks(rest)
    if (comment === '' || /^[ \t]+[#;]/.test(rest)) return { value: word.value, isQuoted: true, comment }
  }
  const end = commentStart(text) ?? text.length
  return { value: trimBlanks(text.slice(0, end)), isQuoted: false, comment: trimBlanks(text.slice(end)) }
}

/** One quoted piece; in the flat form further pieces that touch it belong to the word, as in `'it'\''s'`. */
function quotedWord(text: string, format: IniFormat): { value: string; length: number } | null {
  let value = ''
  let at = 0
  while (at < text.length) {
    const character = text[at] ?? ''
    if (character === '"' || character === "'") {
      const end = closingQuote(text, at)
      if (end === null) return null
      const inside = text.slice(at + 1, end)
      value += character === "'" ? inside : inside.replaceAll(format === 'flat' ? /\\(["\\$`])/g : /\\(["\\])/g, '$1')
      at = end + 1
      if (format === 'sections') break
    } else if (character === ' ' || character === '\t') {
      break
    } else {
      const isEscape = character === '\\' && at + 1 < text.length
      value += isEscape ? (text[at + 1] ?? '') : character
      at += isEscape ? 2 : 1
    }
  }
  return { value, length: at }
}

function closingQuote(text: string, opening: number): number | null {
  const quote = text[opening]
  for (let at = opening + 1; at < text.length; at++) {
    if (quote === '"' && text[at] === '\\') at++
    else if (text[at] === quote) return at
  }
  return null
}

/** A quote counts only where a word begins and only if it is closed: the apostrophe of `don't` is a letter. */
function commentStart(text: string): number | null {
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? ''
    const before = at === 0 ? '=' : (text[at - 1] ?? '')
    if ((character === '"' || character === "'") && /[ \t=,:(]/.test(before)) {
      at = closingQuote(text, at) ?? at
    } else if ((character === '#' || character === ';') && (before === ' ' || before === '\t')) {
      return at
    }
  }
  return null
}

function trimBlanks(text: string): string {
  return text.replaceAll(/^[ \t]+|[ \t]+$/g, '')
}
