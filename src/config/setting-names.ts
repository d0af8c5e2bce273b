import type { AnyDescriptor, ProviderKind, SettingDeclaration } from '@stackbk/contract'

/** Names of the keys that advice speaks of, of the providers that are chosen. */
export interface SettingNames {
  /** The keys that say where the repository is; empty where that is not known. */
  readonly repository: readonly string[]
  /** The first way to give the password of the repository; `null` for an engine without one. */
  readonly password: string | null
  /** The keys that say where the copy is. */
  readonly remote: readonly string[]
}

/** Returns the names for the engine and the transport of these ids, each as it is asked for in the configuration. */
export function settingNamesOf(descriptors: readonly AnyDescriptor[], { engine, transport }: { readonly engine: string; readonly transport: string }): SettingNames {
  const ofEngine = settingsOf(descriptors, 'engine', engine)
  const password = ofEngine.find(({ oneOf }) => oneOf !== undefined)
  return {
    repository: locationsIn(ofEngine),
    password: password === undefined ? null : nameOf(password),
    remote: locationsIn(settingsOf(descriptors, 'transport', transport)),
  }
}

function settingsOf(descriptors: readonly AnyDescriptor[], kind: ProviderKind, id: string): readonly SettingDeclaration[] {
  const own = id.slice(id.lastIndexOf('#') + 1)
  return descriptors.find((descriptor) => descriptor.kind === kind && descriptor.id === own)?.settings ?? []
}

/** A provider that does not say which keys these are has at least one that it cannot work without. */
function locationsIn(settings: readonly SettingDeclaration[]): readonly string[] {
  const named = settings.filter(({ role }) => role === 'location')
  return (named.length > 0 ? named : settings.filter(({ required }) => required === true).slice(0, 1)).map(nameOf)
}

/** The sections that a user expects these keys in are not named. */
function nameOf({ section, key }: SettingDeclaration): string {
  return section === 'local_backup' || section === 'cloud_sync' ? key : `${key} in [${section}]`
}
