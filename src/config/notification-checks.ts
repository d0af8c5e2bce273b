import { readFileSync, statSync } from 'node:fs'

import type { SettingDeclaration } from '@stackbk/contract'

import { reasonOf } from './config-file.js'
import { type FileProblem, problemAt, typeOf } from './file-checks.js'
import { nearestName } from './nearest-name.js'
import { isPlaceholder } from './placeholder.js'
import { type Resolved, resolveSetting, type Source } from './resolution.js'

interface NotificationCheck {
  readonly file: string
  readonly source: Source
  /** The command tells of itself: what its notifiers lack is an error. Else only what is wrong as it stands. */
  readonly areNeeded: boolean
}

/** What is wrong with the `[notify:NAME]` sections, each with its line. Which types there are is known only with the plugins at hand. */
export function checkNotifications({ file, source, areNeeded }: NotificationCheck): FileProblem[] {
  const { ini, catalogue } = source
  if (!catalogue.isComplete) return []
  const sections = new Map(ini.sections.filter(({ name }) => name.startsWith('notify:') && name !== 'notify:').map(({ name, line }) => [name, line]))
  return [...sections].flatMap(([section, line]) => {
    const ofType = checkType(file, source, section, line)
    if (ofType.length > 0 || !areNeeded) return ofType
    const declarations = catalogue.declarationsOf(section, typeOf(ini, section))
    return [...missingKeys(file, source, section, line, declarations), ...checkSecretFile(file, source, section, declarations)]
  })
}

function checkType(file: string, { ini, catalogue }: Source, section: string, line: number): FileProblem[] {
  const types = catalogue.descriptors.filter(({ kind }) => kind === 'notifier').map(({ id }) => id)
  const type = typeOf(ini, section)
  const there = `There are: ${types.toSorted().join(', ') || 'none, since no plugin provides one'}.`
  if (type === '') return [problemAt(file, { severity: 'error', code: 'missing-key', line, message: `TYPE is missing in [${section}]: how to notify`, fix: `Add a line TYPE=... ${there}` })]
  if (types.includes(type)) return []
  const nearest = nearestName(type, types)
  const lineOfType = ini.bySection.get(section)?.findLast((entry) => entry.key === 'TYPE')?.line ?? line
  return [problemAt(file, { severity: 'error', code: 'unknown-type', line: lineOfType, message: `there is no TYPE '${type}' for [${section}]`, fix: nearest === null ? there : `Did you mean ${nearest}? ${there}` })]
}

function missingKeys(file: string, source: Source, section: string, line: number, declarations: readonly SettingDeclaration[]): FileProblem[] {
  return declarations
    .filter((declaration) => declaration.required === true && resolveSetting(source, section, declaration).reading === null)
    .map(({ key, help }) => problemAt(file, { severity: 'error', code: 'missing-key', line, message: `${key} is missing in [${section}]: ${help}`, fix: `Add a line ${key}=...` }))
}

function checkSecretFile(file: string, source: Source, section: string, declarations: readonly SettingDeclaration[]): FileProblem[] {
  const declaration = declarations.find(({ key }) => key === 'SECRET_FILE')
  if (declaration === undefined) return []
  const resolved = resolveSetting(source, section, declaration)
  if (resolved.reading === null || resolved.reading.status === 'bad') return []
  // By hand there are no credentials of a unit: that must keep nobody from a backup.
  if (resolved.reading.status === 'unavailable') return [secretProblem(file, resolved, `${resolved.reading.reason}; [${section}] tells of nothing here`, 'warning', '')]
  const path = String(resolved.value)
  try {
    const secret = readFileSync(path, 'utf8')
    if (secret.trim() === '') return [secretProblem(file, resolved, `names ${path}, which is empty`)]
    if (isPlaceholder(secret)) return [secretProblem(file, resolved, `names ${path}, which still holds the placeholder of a template`)]
    const mode = statSync(path).mode & 0o777
    // As with the repository's password: it can be used, only not only by us, and that must keep nobody from a backup.
    return (mode & 0o004) === 0 ? [] : [secretProblem(file, resolved, `names ${path}, which anyone can read (mode 0${mode.toString(8)})`, 'warning', `Run: chmod 600 ${path}`)]
  } catch (error) {
    return [secretProblem(file, resolved, `names a file that cannot be read: ${reasonOf(error)}`)]
  }
}

function secretProblem(file: string, { entry }: Resolved, reason: string, severity: 'error' | 'warning' = 'error', fix = 'Put only the password or token into a file that only its owner can read, and name that file.'): FileProblem {
  return problemAt(file, { severity, code: 'secret-file-unusable', line: entry?.line ?? 0, message: `SECRET_FILE ${reason}`, fix })
}
