import { readFileSync, statSync } from 'node:fs'

import type { AnyDescriptor, ProviderKind, SettingDeclaration } from '@stackbk/contract'

import { distrustOf } from '../host/trust.js'
import { entriesFor } from './catalogue.js'
import { reasonOf } from './config-file.js'
import { type FileProblem, problemAt } from './file-checks.js'
import { isPlaceholder } from './placeholder.js'
import { type Resolved, resolveSetting, type Source } from './resolution.js'

/**
 * What a command requires of the configuration.
 *
 * - `stacks`: a stacks folder; that it is not there is a warning, for the stacks outside it can be saved all the same
 * - `repository`: all keys that the chosen engine requires
 * - `password`: one of the keys that the engine takes its password from, and the file that it names
 * - `remote`: all keys that the chosen transport requires
 * - `remote-if-any`: the same, where the file says anything of the cloud at all
 * - `notifications`: all keys that the type of each `[notify:NAME]` requires, and the file that it names
 */
export type Need = 'stacks' | 'repository' | 'password' | 'remote' | 'remote-if-any' | 'notifications'

interface NeedsRequest {
  readonly file: string
  readonly source: Source
  readonly needs: readonly Need[]
  readonly engine: string
  readonly transport: string
  readonly stacksDirectory: Resolved
}

export function checkNeeds(request: NeedsRequest): FileProblem[] {
  const { source } = request
  const { descriptors } = source.catalogue
  const engine = descriptorCalled(descriptors, 'engine', request.engine)
  const transport = descriptorCalled(descriptors, 'transport', request.transport)
  return [...new Set(request.needs)].flatMap((need) => {
    switch (need) {
      case 'stacks':
        return checkStacksDirectory(request)
      case 'repository':
        return engine ? missingKeys(request, engine) : []
      case 'password':
        return engine ? checkPassword(request, engine) : []
      case 'remote':
        return transport ? missingKeys(request, transport) : []
      case 'remote-if-any':
        return transport && saysAnything(source, 'cloud_sync') ? missingKeys(request, transport) : []
      case 'notifications':
        return []
    }
  })
}

/** The provider that the configuration names, as `id` or, where two share it, as `package#id`. */
export function descriptorCalled(descriptors: readonly AnyDescriptor[], kind: ProviderKind, name: string): AnyDescriptor | undefined {
  const ofKind = descriptors.filter((descriptor) => descriptor.kind === kind)
  return ofKind.find(({ id }) => id === name) ?? ofKind.find(({ id }) => id === idOf(name))
}

export function idOf(name: string): string {
  return name.slice(name.lastIndexOf('#') + 1)
}

function saysAnything(source: Source, section: string): boolean {
  return source.catalogue.declarationsOf(section).some((declaration) => entriesFor(source.ini, section, declaration).length > 0)
}

function missingKeys({ file, source }: NeedsRequest, descriptor: AnyDescriptor): FileProblem[] {
  return descriptor.settings
    .filter((declaration) => declaration.required === true && declaration.oneOf === undefined)
    .filter((declaration) => resolveSetting(source, declaration.section, declaration).reading === null)
    .map((declaration) => missing(file, source, declaration, declaration.key))
}

function missing(file: string, source: Source, declaration: SettingDeclaration, keys: string): FileProblem {
  const where = source.ini.format === 'flat' && source.ini.entries.length > 0 ? '' : ` in [${declaration.section}]`
  return problemAt(file, {
    severity: 'error',
    code: 'missing-key',
    line: 0,
    message: `${keys} is missing${where}: ${declaration.help}`,
    fix: `Add a line ${declaration.key}=...`,
  })
}

function checkPassword({ file, source }: NeedsRequest, engine: AnyDescriptor): FileProblem[] {
  const groups = [...new Set(engine.settings.map((declaration) => declaration.oneOf))].filter((name) => name !== undefined)
  return groups.flatMap((name) => {
    const members = engine.settings.filter((declaration) => declaration.oneOf === name)
    const resolved = members.map((declaration) => resolveSetting(source, declaration.section, declaration)).find((candidate) => candidate.reading !== null)
    const [first] = members
    if (resolved === undefined) return first ? [missing(file, source, first, members.map(({ key }) => key).join(' or '))] : []
    // What is bad in the file itself has been reported with its line.
    if (resolved.reading?.status === 'bad') return resolved.entry ? [] : [passwordProblem(file, resolved, resolved.reading.reason)]
    if (resolved.reading?.status === 'unavailable') return [passwordProblem(file, resolved, resolved.reading.reason)]
    return resolved.declaration.type === 'path' ? checkPasswordFile(file, resolved) : []
  })
}

function checkPasswordFile(file: string, resolved: Resolved): FileProblem[] {
  const path = String(resolved.value)
  try {
    const password = readFileSync(path, 'utf8')
    if (password.trim() === '') return [passwordProblem(file, resolved, `names ${path}, which is empty`)]
    if (isPlaceholder(password)) return [passwordProblem(file, resolved, `names ${path}, which still holds the placeholder of a template`)]
    const mode = statSync(path).mode & 0o777
    const isOpen = (mode & 0o004) !== 0
    const distrust = distrustOf(path)
    if (!isOpen && distrust !== null) return [passwordProblem(file, resolved, `names ${path}, which another user can change (${distrust.path}: ${distrust.reason})`, 'Copy it to a folder that only root can change, such as /etc/stackbk, and name that file.', 'password-not-trusted')]
    return isOpen ? [passwordProblem(file, resolved, `names ${path}, which anyone can read (mode 0${mode.toString(8)})`, `Run: chmod 600 ${path}`)] : []
  } catch (error) {
    return [passwordProblem(file, resolved, `names a file that cannot be read: ${reasonOf(error)}`)]
  }
}

/** With a fix of its own it is a warning: the password can be used, only not only by us. */
function passwordProblem(file: string, resolved: Resolved, reason: string, fix?: string, code = 'password-readable'): FileProblem {
  return problemAt(file, {
    severity: fix === undefined ? 'error' : 'warning',
    code: fix === undefined ? 'password-unusable' : code,
    line: resolved.entry?.line ?? 0,
    message: `${resolved.entry?.key ?? `$${resolved.declaration.key}`} ${reason}`,
    fix: fix ?? 'Put only the repository password into a file that only its owner can read, and name that file.',
  })
}

function checkStacksDirectory({ file, stacksDirectory }: NeedsRequest): FileProblem[] {
  const path = String(stacksDirectory.value)
  const trouble = troubleWithFolder(path)
  if (trouble === null) return []
  return [
    problemAt(file, {
      severity: 'warning',
      code: 'stacks-folder-missing',
      line: stacksDirectory.entry?.line ?? 0,
      message: `${stacksDirectory.declaration.key}: ${trouble}`,
      fix: 'Check the path, and that its disk is mounted.',
    }),
  ]
}

function troubleWithFolder(path: string): string | null {
  try {
    return statSync(path).isDirectory() ? null : `${path} is not a folder`
  } catch (error) {
    return reasonOf(error)
  }
}
