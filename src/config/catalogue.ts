import type { AnyDescriptor, SettingDeclaration } from '@stackbk/contract'

import { coreSettings } from './core-settings.js'
import { groupBySection, type IniEntry, type IniFile } from './ini-file.js'

/** Sections that providers declare keys for. Without their declarations what is unknown there may be theirs. */
const providerSections: ReadonlySet<string> = new Set(['local_backup', 'cloud_sync'])

/**
 * Names that a shell file may well set for itself. In the flat form, which used to be sourced by a shell, they are never
 * keys: a search path must not become a path on the remote.
 */
const shellVariables: ReadonlySet<string> = new Set(['PATH', 'HOME', 'SHELL', 'USER', 'LANG', 'PWD', 'IFS', 'TMPDIR'])

/** Which keys there are: the core's and those of the providers at hand. */
export interface Catalogue {
  readonly descriptors: readonly AnyDescriptor[]
  /** False: the providers' keys are not known, so none of those may be called unknown. */
  readonly isComplete: boolean
  /** Of a section as it is written, such as `docker` or `stack:web`. `type` is what a notification's TYPE says. */
  declarationsOf(section: string, type?: string): readonly SettingDeclaration[]
  /** Sections of the flat form's keys, which are those without a name of the user's. */
  readonly plainSections: readonly string[]
  /** `plugin:ID` of the plugins at hand. */
  readonly pluginSections: readonly string[]
  /** What TYPE of a notification may be. */
  readonly notifierIds: readonly string[]
  isKnownSection(section: string): boolean
  /** Whether unknown keys are to be warned of. */
  isClosed(section: string): boolean
}

/** `chosen`: the ids that the configuration names; where two providers declare one key, the chosen one's declaration counts. */
export function catalogueOf(descriptors: readonly AnyDescriptor[], chosen: readonly string[] = []): Catalogue {
  const isComplete = descriptors.length > 0
  const rank = (descriptor: AnyDescriptor): number => (chosen.includes(descriptor.id) ? 0 : 1)
  const ordered = descriptors.toSorted((a, b) => rank(a) - rank(b))
  const notifiers = ordered.filter((descriptor) => descriptor.kind === 'notifier')
  const others = ordered.filter((descriptor) => descriptor.kind !== 'notifier')
  const bySection = groupBySection([...coreSettings, ...others.flatMap((descriptor) => descriptor.settings)])
  const plainSections = [...bySection.keys()].filter((section) => section !== 'stack' && section !== 'notify' && !section.includes(':'))

  const pluginSections = [...bySection.keys()].filter((section) => section.startsWith('plugin:'))

  const declarationsOf = (section: string, type = ''): readonly SettingDeclaration[] => {
    const family = section.split(':', 1)[0] ?? ''
    if (family === 'notify') {
      const own = notifiers.find((notifier) => notifier.id === type)?.settings ?? []
      // A type says more exactly than the core what a key of both is: whether it is required, what an address looks like.
      return [...(bySection.get('notify') ?? []).filter(({ key }) => !own.some((declaration) => declaration.key === key)), ...own]
    }
    return bySection.get(family === 'stack' ? 'stack' : section) ?? []
  }
  return {
    descriptors,
    isComplete,
    declarationsOf,
    plainSections,
    pluginSections,
    notifierIds: notifiers.map(({ id }) => id),
    isKnownSection: (section) =>
      /^(stack|notify):./.test(section) || plainSections.includes(section) || bySection.has(section) || (!isComplete && section.startsWith('plugin:')),
    isClosed: (section) => {
      if (section.startsWith('notify:')) return notifiers.length > 0
      return isComplete || !(providerSections.has(section) || section.startsWith('plugin:'))
    },
  }
}

/** Whether a name in the file stands for this declaration. Names are in upper case. */
export function isNameOf(declaration: SettingDeclaration, name: string, format: IniFile['format']): boolean {
  if (format === 'flat' && isShellVariable(name)) return false
  return (
    declaration.key === name ||
    declaration.aliases?.includes(name) === true ||
    (format === 'flat' && declaration.flatAliases?.includes(name) === true)
  )
}

export function isShellVariable(name: string): boolean {
  return shellVariables.has(name)
}

/** The lines that give a declaration's value, in their order; the last one counts. Empty values count as not given. */
export function entriesFor(ini: IniFile, section: string, declaration: SettingDeclaration): readonly IniEntry[] {
  const isFlat = ini.format === 'flat'
  if (isFlat && section.includes(':')) return []
  const entries = isFlat ? ini.entries : (ini.bySection.get(section) ?? [])
  return entries.filter((entry) => entry.value !== '' && isNameOf(declaration, entry.key, ini.format))
}
