import type { AnyDescriptor, SettingDeclaration, SettingValue } from '@stackbk/contract'

import { type Catalogue, entriesFor } from './catalogue.js'
import type { Environment } from './config-file.js'
import type { IniEntry, IniFile } from './ini-file.js'
import { type Reading, type ReadingPlace, readSetting } from './setting-value.js'

/** Where a value comes from. `overruled`: given, but another key of which only one counts was given before it. */
export type Origin =
  | { readonly kind: 'file'; readonly line: number }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'default' }
  | { readonly kind: 'overruled'; readonly by: string; readonly line: number }

/** A declared key in one section, with what the file, the environment or the default make of it. */
export interface Resolved {
  readonly declaration: SettingDeclaration
  readonly value: SettingValue
  readonly origin: Origin
  readonly entry: IniEntry | null
  readonly reading: Reading | null
}

/** Everything that the value of a key follows from. */
export interface Source {
  readonly ini: IniFile
  readonly catalogue: Catalogue
  readonly place: ReadingPlace
  readonly environment: Environment
}

/** One key's value. What was reported as bad counts as not given here: the caller has thrown by then, or only shows it. */
export function resolveSetting(source: Source, section: string, declaration: SettingDeclaration): Resolved {
  const entry = entriesFor(source.ini, section, declaration).at(-1) ?? null
  const winner = firstGivenOf(source, section, declaration)
  if (entry) {
    if (winner && winner.key !== declaration.key) {
      const origin: Origin = { kind: 'overruled', by: winner.key, line: entry.line }
      return { declaration, value: null, origin, entry, reading: null }
    }
    const reading = readSetting(declaration, entry.value, source.place)
    return { declaration, value: reading.status === 'good' ? reading.value : null, origin: { kind: 'file', line: entry.line }, entry, reading }
  }
  const fromEnvironment = winner === null && isToolsOwnVariable(source.catalogue.descriptors, declaration) ? source.environment[declaration.key] : undefined
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    const reading = readSetting(declaration, fromEnvironment, { ...source.place, folder: workingFolder() })
    const origin: Origin = { kind: 'environment', name: declaration.key }
    return { declaration, value: reading.status === 'good' ? reading.value : null, origin, entry: null, reading }
  }
  return { declaration, value: defaultOf(declaration, source.place), origin: { kind: 'default' }, entry: null, reading: null }
}

/** A folder that was removed under us has no path any more: relative paths then mean nothing, and nothing else does. */
function workingFolder(): string {
  try {
    return process.cwd()
  } catch {
    return '/'
  }
}

/** Of keys of which only one counts, the first in the order of their declaration that the file gives; `null` for none. */
function firstGivenOf(source: Source, section: string, declaration: SettingDeclaration): SettingDeclaration | null {
  if (declaration.oneOf === undefined) return null
  const group = source.catalogue.declarationsOf(section).filter((candidate) => candidate.oneOf === declaration.oneOf)
  return group.find((candidate) => entriesFor(source.ini, section, candidate).length > 0) ?? null
}

/**
 * A tool inherits the environment, so its own variables (RESTIC_PASSWORD_FILE, RCLONE_CONFIG) count where the file is
 * silent. Which repository and which remote are never taken from there: a stray variable must not redirect a backup.
 */
function isToolsOwnVariable(descriptors: readonly AnyDescriptor[], declaration: SettingDeclaration): boolean {
  const isOptionalPath = declaration.type === 'path' && declaration.default === undefined && declaration.required !== true
  if (declaration.oneOf === undefined && !isOptionalPath) return false
  return descriptors.some((descriptor) => descriptor.settings.includes(declaration) && declaration.key.startsWith(`${descriptor.id.toUpperCase()}_`))
}

function defaultOf(declaration: SettingDeclaration, place: ReadingPlace): SettingValue {
  const value = declaration.default ?? null
  if (declaration.type !== 'path' || typeof value !== 'string') return value
  const reading = readSetting(declaration, value, place)
  return reading.status === 'good' ? reading.value : value
}
