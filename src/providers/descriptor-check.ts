import { CONTRACT_VERSION, type AnyDescriptor, type ProviderKind, type SettingDeclaration, type SettingType } from '@stackbk/contract'

const kinds: readonly ProviderKind[] = ['runtime', 'engine', 'transport', 'freezer', 'notifier']

const settingTypes: readonly SettingType[] = ['string', 'path', 'integer', 'boolean', 'choice', 'duration', 'percentage', 'list']

/** Keys in sections that providers share, as `section/key`, with their types. */
export type SharedKeys = ReadonlyMap<string, SettingType>

/**
 * Why what a plugin gave for a descriptor cannot be used; `null` where it can. Looks at everything that the core reads of it.
 * `shared`: keys that one which does not come with stackbk may read beside its own; `null`: it may declare any.
 */
export function whyUnusable(found: unknown, shared: SharedKeys | null): string | null {
  if (typeof found !== 'object' || found === null) return 'what it returned is not a provider'
  const { kind, id, apiVersion, title, settings, create } = found as Partial<Record<keyof AnyDescriptor, unknown>>
  if (!kinds.includes(kind as ProviderKind)) return `there is no kind of provider called "${String(kind)}"`
  if (typeof id !== 'string' || id === '') return 'it has no id'
  if (!/^[A-Za-z0-9][\w.-]*$/.test(id)) return `its id ${JSON.stringify(id)} has other characters than letters, digits, "_", "." and "-"`
  const versionTrouble = whyNotVersion(apiVersion)
  if (versionTrouble !== null) return versionTrouble
  if (typeof title !== 'string' || title === '') return 'it has no title'
  if (typeof create !== 'function') return 'it has no create()'
  if (!Array.isArray(settings)) return 'its settings are not a list'
  return settings.map((setting: unknown) => whyNotSetting(setting, kind === 'notifier' ? null : shared)).find((reason) => reason !== null) ?? null
}

/** The same for the version of the contract alone, wherever a plugin says it. */
export function whyNotVersion(apiVersion: unknown): string | null {
  if (typeof apiVersion !== 'number') return 'it does not say which version of the contract it was written for (apiVersion)'
  if (apiVersion === CONTRACT_VERSION) return null
  return `it was written for version ${apiVersion} of the contract and this stackbk has version ${CONTRACT_VERSION}`
}

/** Its keys must stand in a section of the plugin's own, where they can change nothing of what others read, or be such a shared one. */
function whyNotSetting(setting: unknown, shared: SharedKeys | null): string | null {
  if (typeof setting !== 'object' || setting === null) return 'one of its settings is not a declaration'
  const { section, key, type, choices, pattern, range, help, aliases, flatAliases } = setting as Partial<Record<keyof SettingDeclaration, unknown>>
  if (typeof key !== 'string' || !/^[A-Z][A-Z0-9_]*$/.test(key)) return `one of its settings has no key in upper case: ${JSON.stringify(key ?? null)}`
  if (typeof section !== 'string' || section === '') return `its setting ${key} has no section`
  if (shared !== null && !/^plugin:./.test(section) && shared.get(`${section}/${key}`) !== type) return `its setting ${key} stands in [${section}], and a plugin's own keys belong in [plugin:ID]`
  if (!settingTypes.includes(type as SettingType)) return `its setting ${key} has an unknown type: ${JSON.stringify(type ?? null)}`
  if (typeof help !== 'string') return `its setting ${key} has no help`
  if (type === 'choice' && !(areTexts(choices) && choices.length > 0)) return `its setting ${key} has no choices`
  for (const names of [aliases, flatAliases]) if (names !== undefined && !areTexts(names)) return `other names of its setting ${key} are not texts`
  if (pattern !== undefined && !isPattern(pattern)) return `the pattern of its setting ${key} is not a regular expression with words`
  if (range !== undefined && !isRange(range)) return `the range of its setting ${key} is not a range`
  return null
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}

function isPattern(value: unknown): boolean {
  const { matches, inWords } = (value ?? {}) as { readonly matches?: unknown; readonly inWords?: unknown }
  if (typeof matches !== 'string' || typeof inWords !== 'string') return false
  try {
    return new RegExp(matches) instanceof RegExp
  } catch {
    return false
  }
}

function isRange(value: unknown): boolean {
  const { min, max } = (value ?? {}) as { readonly min?: unknown; readonly max?: unknown }
  return [min, max].every((bound) => bound === undefined || typeof bound === 'number')
}
