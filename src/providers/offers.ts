import type { AnyDescriptor } from '@stackbk/contract'
import type { Interfaces } from '@oclif/core'

import type { HookHost } from './plugin-hook.js'

/** `bundled`: it comes with stackbk. `linked`: from a folder of somebody who writes it. */
export type PluginOrigin = 'bundled' | 'installed' | 'linked'

/** A provider and the package that brings it. */
export interface Offer {
  readonly plugin: string
  readonly origin: PluginOrigin
  /** What its id alone says, also where it has to be asked for as `package#id`. */
  readonly ownId: string
  readonly descriptor: AnyDescriptor
}

/** One that cannot be used, and why. It is fatal only where it is the one asked for. */
export interface UnusableOffer {
  readonly plugin: string
  readonly origin: PluginOrigin
  readonly kind: string
  readonly id: string
  readonly reason: string
  /** Of the error that it threw, for the log. */
  readonly stack?: string
}

/** A package that was loaded, whatever it provides. */
export interface LoadedPlugin {
  readonly name: string
  readonly version: string
  readonly origin: PluginOrigin
  readonly folder: string
  /** It listens to the events of a run. */
  readonly listens: boolean
}

export interface Offers {
  readonly usable: readonly Offer[]
  readonly unusable: readonly UnusableOffer[]
  /** All that have anything to do with stackbk, by name. */
  readonly plugins: readonly LoadedPlugin[]
}

/** What is needed of oclif for this. */
export type PluginHost = HookHost & Pick<Interfaces.Config, 'root' | 'pjson' | 'dataDir'>

/** Where a plugin comes from. */
export function originOf({ type }: Pick<Interfaces.Plugin, 'type'>): PluginOrigin {
  return type === 'user' ? 'installed' : type === 'link' ? 'linked' : 'bundled'
}
