import { join, resolve } from 'node:path'

import { Secret, type SettingDeclaration, type SettingValue } from '@stackbk/contract'

import { isPlaceholder } from './placeholder.js'

/** What a value's meaning depends on besides its text. */
export interface ReadingPlace {
  /** Relative paths begin here: the configuration file's folder. */
  readonly folder: string
  readonly home: string
  /** systemd's $CREDENTIALS_DIRECTORY; `null` outside such a unit. */
  readonly credentials: string | null
}

/** `unavailable`: well written, but what it names exists only elsewhere; an error only for what needs it. */
export type Reading =
  | { readonly status: 'good'; readonly value: SettingValue }
  | { readonly status: 'unavailable'; readonly reason: string }
  | { readonly status: 'bad'; readonly reason: string; readonly code: string }

const unitMilliseconds: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const truths: Readonly<Record<string, boolean>> = { true: true, yes: true, on: true, '1': true, false: false, no: false, off: false, '0': false }

/** `null` for a word that is neither. */
export function readBoolean(text: string): boolean | null {
  return truths[text.toLowerCase()] ?? null
}

/** A value's text as the declaration's type, in the unit of the value. The text is not empty: that counts as not given. */
export function readSetting(declaration: SettingDeclaration, text: string, place: ReadingPlace): Reading {
  if (declaration.secret === true) {
    if (isPlaceholder(text)) return bad('still holds the placeholder of a template', 'placeholder')
    const trouble = troubleOfPattern(declaration, text)
    return trouble === null ? good(new Secret(text)) : bad(trouble)
  }
  switch (declaration.type) {
    case 'string': {
      const trouble = troubleOfPattern(declaration, text)
      return trouble === null ? good(text) : bad(trouble)
    }
    case 'path':
      return readPath(declaration, text, place)
    case 'integer':
      return /^[+-]?\d{1,15}$/.test(text) ? inRange(declaration, Number(text)) : bad(`must be a whole number, not '${text}'`)
    case 'boolean': {
      const value = readBoolean(text)
      return value === null ? bad(`must be true or false, not '${text}'`) : good(value)
    }
    case 'choice':
      return readChoice(declaration.choices ?? [], text)
    case 'duration':
      return readDuration(declaration, text)
    case 'percentage': {
      const [, number] = /^(\d{1,3}(?:\.\d+)?)[ \t]*%?$/.exec(text) ?? []
      return number === undefined ? bad(`must be a percentage such as 50, not '${text}'`) : inRange(declaration, Number(number))
    }
    case 'list':
      return good(splitList(text))
  }
}

/** What a value must lie between, as it is written in the file; empty without a range. */
export function describeRange(declaration: SettingDeclaration): string {
  const { min, max } = declaration.range ?? {}
  const [least, most] = [min, max].map((bound) => (bound === undefined ? null : writeSetting(declaration, bound)))
  if (least != null && most != null) return `between ${least} and ${most}`
  if (least != null) return `at least ${least}`
  return most == null ? '' : `at most ${most}`
}

/** A checked value in the notation of the file; a secret as its mask, `null` as nothing. */
export function writeSetting(declaration: SettingDeclaration, value: SettingValue): string {
  if (value === null) return ''
  if (typeof value === 'number' && declaration.type === 'duration') return writeDuration(value)
  if (typeof value === 'number' && declaration.type === 'percentage') return `${value} %`
  if (typeof value === 'object' && Symbol.iterator in value) return value.map((part) => (part.includes(',') ? `"${part}"` : part)).join(', ')
  return String(value)
}

/** The value is not repeated: what is no address may still hold its password. */
function troubleOfPattern({ pattern }: SettingDeclaration, text: string): string | null {
  return pattern === undefined || new RegExp(pattern.matches).test(text) ? null : `must be ${pattern.inWords}`
}

function good(value: SettingValue): Reading {
  return { status: 'good', value }
}

function bad(reason: string, code = 'bad-value'): Reading {
  return { status: 'bad', reason, code }
}

function inRange(declaration: SettingDeclaration, value: number): Reading {
  const { min = -Infinity, max = Infinity } = declaration.range ?? {}
  return value >= min && value <= max ? good(value) : bad(`must be ${describeRange(declaration)}`, 'out-of-range')
}

function readPath(declaration: SettingDeclaration, text: string, place: ReadingPlace): Reading {
  if (declaration.credential === true && text.startsWith('credential:')) {
    const name = text.slice('credential:'.length)
    if (!/^[\w.@-]+$/.test(name) || /^\.+$/.test(name)) return bad(`names no credential: '${name}'`)
    if (place.credentials === null) {
      return { status: 'unavailable', reason: `names the credential '${name}', which systemd gives only to a unit with LoadCredential=` }
    }
    return good(join(place.credentials, name))
  }
  if (text === '~' || text.startsWith('~/')) return good(join(place.home, text.slice(1)))
  if (text.startsWith('~')) return bad("must not begin with another user's home folder: write it out")
  if (/\$\{?[A-Za-z_]/.test(text)) return bad(`holds a variable, and none is expanded: '${text}'`)
  return good(resolve(place.folder, text))
}

function readChoice(choices: readonly string[], text: string): Reading {
  const written = text.toLowerCase()
  const truth = readBoolean(written)
  const wanted = truth !== null && choices.includes(String(truth)) ? String(truth) : written
  const choice = choices.find((candidate) => candidate.toLowerCase() === wanted)
  return choice === undefined ? bad(`must be one of ${choices.join(', ')}, not '${text}'`) : good(choice)
}

/** Where there is no default there is no limit unless one is given, and `0` and `none` give none where the range has room for them. */
function readDuration(declaration: SettingDeclaration, text: string): Reading {
  const mayBeNone = declaration.default === undefined && declaration.required !== true && (declaration.range?.min ?? 0) === 0
  if (mayBeNone && text.toLowerCase() === 'none') return good(null)
  const [, number, unit] = /^(\d{1,12})[ \t]*([smhd])?$/i.exec(text) ?? []
  if (number === undefined) return bad(`must be a time in seconds, or with a unit such as 90s, 15m, 26h, 2d, not '${text}'`)
  const milliseconds = Number(number) * (unitMilliseconds[unit?.toLowerCase() ?? 's'] ?? 1000)
  return mayBeNone && milliseconds === 0 ? good(null) : inRange(declaration, milliseconds)
}

/** The largest unit that divides it; milliseconds never occur in the file. */
function writeDuration(milliseconds: number): string {
  for (const unit of ['d', 'h', 'm']) {
    const size = unitMilliseconds[unit] ?? 1
    if (milliseconds !== 0 && milliseconds % size === 0 && milliseconds / size >= 2) return `${milliseconds / size}${unit}`
  }
  return `${milliseconds / 1000}s`
}

function splitList(text: string): string[] {
  const parts = text.match(/(?:[ \t]*(?:"[^"]*"|'[^']*')[ \t]*(?=,|$))|[^,]+/g) ?? []
  return parts.map((part) => part.trim()).map((part) => /^(["'])(.*)\1$/s.exec(part)?.[2] ?? part).filter((part) => part !== '')
}
