import { describeKey, type DescribedKey } from '../config/described-key.js'
import type { LoadedPlugin, Offers, PluginOrigin } from '../providers/offers.js'
import { concluded, type Outcome, type ResultHeader, type RunFacts } from './result.js'

/** One package, what it brings, and what of that cannot be used. */
export interface ListedPlugin {
  readonly name: string
  /** `null` where it could not be loaded. */
  readonly version: string | null
  readonly origin: PluginOrigin
  readonly folder: string | null
  readonly provides: readonly {
    readonly kind: string
    /** What the configuration asks for it by. */
    readonly id: string
    readonly title: string
    /** What it understands of the configuration. */
    readonly keys: readonly DescribedKey[]
  }[]
  /** It is told of what happens in a run. */
  readonly listens: boolean
  /** Sentences. */
  readonly troubles: readonly string[]
}

export type PluginsResult = ResultHeader & { readonly plugins: readonly ListedPlugin[] }

/** All plugins and what each provides. That one cannot be used is no failure: `doctor` judges. */
export function listPlugins(run: RunFacts, offers: Offers): Outcome<PluginsResult> {
  return concluded(run, { plugins: listedPlugins(offers) }, { status: 'ok', problems: [] })
}

/** The same by name, without a header. */
export function listedPlugins(offers: Offers): readonly ListedPlugin[] {
  const loaded = new Map(offers.plugins.map((plugin) => [plugin.name, plugin]))
  const names = [...new Set([...loaded.keys(), ...offers.unusable.map(({ plugin }) => plugin)])].toSorted((one, other) => one.localeCompare(other))
  return names.map((name) => listed(name, loaded.get(name), offers))
}

function listed(name: string, loaded: LoadedPlugin | undefined, { usable, unusable }: Offers): ListedPlugin {
  const troubles = unusable.filter(({ plugin }) => plugin === name)
  return {
    name,
    version: loaded?.version ?? null,
    origin: loaded?.origin ?? troubles[0]?.origin ?? 'installed',
    folder: loaded?.folder ?? null,
    provides: usable
      .filter(({ plugin }) => plugin === name)
      .map(({ descriptor: { kind, id, title, settings } }) => ({ kind, id, title, keys: settings.map((setting) => describeKey(setting, { kind, id })) })),
    listens: loaded?.listens ?? false,
    troubles: troubles.map(({ kind, id, reason }) => (id === '' ? reason : `${[kind, id].filter((word) => word !== '').join(' ')}: ${reason}`)),
  }
}
