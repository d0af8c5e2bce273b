import { join } from 'node:path'

import type { CommandFile, Descriptor, Exec, LiveProvider, Log, ProviderKind, ProviderKinds, SettingValues, AnyDescriptor } from '@stackbk/contract'

import { StackbkError } from '../errors.js'
import { assertTrusted } from '../host/trust.js'
import { chooseOffer } from './choose.js'
import { guardedProvider, whyNotLive } from './guarded-provider.js'
import type { Offers } from './offers.js'
import { within } from './plugin-hook.js'
import { reasonIn, reasonOf, stackOf } from './thrown.js'

/** What does no I/O takes no time, and what a provider is closed with must not hold up the end of a run. Milliseconds. */
const limits = { create: 10_000, close: 15_000 }

export interface LiveProvidersOptions {
  readonly offers: Offers
  /** The id that the configuration asks for. */
  readonly idOf: (kind: 'runtime' | 'engine' | 'transport') => string
  readonly settingsOf: (descriptor: AnyDescriptor) => SettingValues
  readonly signal: AbortSignal
  readonly log: Log
  readonly exec: Exec
  readonly dryRun: boolean
  readonly cacheFolder: string
  /** Where providers keep what must last, each in a folder of its own. */
  readonly dataFolder: string
  /** Receives the error where a file that another user can change is used all the same: a resume has to start stacks. Absent: the file is refused. */
  readonly onDistrust?: (error: StackbkError) => void
}

/** The providers of one run, each created at its first use and closed with the run. */
export class LiveProviders {
  readonly #options: LiveProvidersOptions
  readonly #live = new Map<string, Promise<LiveProvider>>()
  /** Packages of which something was created. */
  readonly #plugins = new Set<string>()

  constructor(options: LiveProvidersOptions) {
    this.#options = options
  }

  /** The live object of the provider asked for. Throws (kind `configuration`) when there is none or it cannot be created. */
  get<K extends 'runtime' | 'engine' | 'transport'>(kind: K): Promise<ProviderKinds[K]> {
    return this.#get(kind, this.#options.idOf(kind))
  }

  /** The ids of all freezers that can be used, in the order of their plugins. */
  freezerIds(): readonly string[] {
    return this.#options.offers.usable.filter(({ descriptor }) => descriptor.kind === 'freezer').map(({ descriptor }) => descriptor.id)
  }

  /** Whether anything that this package provides is in use. */
  uses(plugin: string): boolean {
    return this.#plugins.has(plugin)
  }

  /** As {@link get}, of the one with this id. */
  freezer(id: string): Promise<ProviderKinds['freezer']> {
    return this.#get('freezer', id)
  }

  #get<K extends ProviderKind>(kind: K, id: string): Promise<ProviderKinds[K]> {
    const key = `${kind} ${id}`
    const existing = this.#live.get(key)
    if (existing !== undefined) return existing as Promise<ProviderKinds[K]>
    const created = this.#create(kind, id)
    this.#live.set(key, created)
    return created
  }

  /** Closes what was created. A provider that fails to close is noted and no more. */
  async close(): Promise<void> {
    for (const [which, live] of this.#live) {
      try {
        await within(limits.close, (await live).close())
      } catch (error) {
        this.#options.log('debug', `the ${which} did not close`, { reason: reasonOf(error), stack: stackOf(error) })
      }
    }
    this.#live.clear()
  }

  /** Throws (kind `configuration`) as root for a file that another user can change and by which a tool would run a program. */
  #assertTrusted(descriptor: AnyDescriptor, unusable: (reason: string) => StackbkError): void {
    const { settingsOf, onDistrust } = this.#options
    let named: readonly CommandFile[]
    try {
      named = (descriptor.commandFiles?.(settingsOf(descriptor), process.env) ?? []).filter(({ namedBy, path }) => typeof namedBy === 'string' && typeof path === 'string')
    } catch (error) {
      throw unusable(reasonOf(error))
    }
    for (const { namedBy, path } of named) {
      try {
        assertTrusted(namedBy, path, `Copy it to a folder that only root can change, such as /etc/stackbk, and set ${namedBy} to the copy`)
      } catch (error) {
        if (onDistrust === undefined || !(error instanceof StackbkError)) throw error
        onDistrust(error)
      }
    }
  }

  async #create<K extends ProviderKind>(kind: K, id: string): Promise<ProviderKinds[K]> {
    const { offers, settingsOf, signal, log, exec, dryRun, cacheFolder, dataFolder } = this.#options
    const { descriptor: found, plugin, origin } = chooseOffer(offers, kind, id)
    const descriptor = found as unknown as Descriptor<K>
    const folder = descriptor.id.replaceAll(/[^A-Za-z0-9._-]/g, '_')
    const [cacheDir, dataDir] = [join(cacheFolder, kind === 'engine' ? folder : `${kind}-${folder}`), join(dataFolder, `${kind}-${folder}`)]
    const unusable = (reason: string): StackbkError =>
      new StackbkError({ kind: 'configuration', code: 'provider-not-usable', message: `the ${kind} "${descriptor.id}" of ${plugin} could not be set up`, detail: reason, fix: `Update the plugin, or report it to its authors; what each plugin provides: stackbk plugins` })
    this.#assertTrusted(found, unusable)
    let live: ProviderKinds[K]
    try {
      live = await within(limits.create, Promise.resolve(descriptor.create(settingsOf(found), { signal, log, exec, dryRun, cacheDir, dataDir })))
    } catch (error) {
      log('error', `create() of the ${kind} "${descriptor.id}" of ${plugin} failed`, { stack: stackOf(error) })
      throw unusable(await reasonIn(origin === 'bundled' ? null : (offers.plugins.find(({ name }) => name === plugin)?.folder ?? null), error))
    }
    this.#plugins.add(plugin)
    const reason = whyNotLive(kind, live)
    if (reason !== null) throw unusable(reason)
    return origin === 'bundled' ? live : guardedProvider(kind, live, { id: descriptor.id, plugin, log })
  }
}
