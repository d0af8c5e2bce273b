import { join } from 'node:path'

import type { Exec, Finding, LiveProvider, Log, ProviderKind, ProviderKinds, SettingValues, AnyDescriptor } from '@stackbk/contract'

import { StackbkError } from '../errors.js'
import { chooseProvider } from './choose.js'
import type { Offers } from './collect.js'

export interface LiveProvidersOptions {
  readonly offers: Offers
  /** The id that the configuration asks for. */
  readonly idOf: (kind: ProviderKind) => string
  readonly settingsOf: (descriptor: AnyDescriptor) => SettingValues
  readonly signal: AbortSignal
  readonly log: Log
  readonly exec: Exec
  readonly dryRun: boolean
  readonly cacheFolder: string
}

/** The providers of one run, each created at its first use and closed with the run. */
export class LiveProviders {
  readonly #options: LiveProvidersOptions
  readonly #live = new Map<ProviderKind, Promise<LiveProvider>>()

  constructor(options: LiveProvidersOptions) {
    this.#options = options
  }

  /** The live object of the provider asked for. Throws (kind `configuration`) when there is none or it cannot be created. */
  get<K extends 'runtime' | 'engine' | 'transport'>(kind: K): Promise<ProviderKinds[K]> {
    const existing = this.#live.get(kind)
    if (existing !== undefined) return existing as Promise<ProviderKinds[K]>
    const created = this.#create(kind)
    this.#live.set(kind, created)
    return created
  }

  /** What each created provider says of itself, for `doctor`. */
  async examine(kind: 'runtime' | 'engine' | 'transport'): Promise<readonly Finding[]> {
    return (await this.get(kind)).examine({ signal: this.#options.signal })
  }

  /** Closes what was created. A provider that fails to close is noted and no more. */
  async close(): Promise<void> {
    for (const [kind, live] of this.#live) {
      try {
        await (await live).close()
      } catch (error) {
        this.#options.log('debug', `the ${kind} did not close`, { reason: String(error) })
      }
    }
    this.#live.clear()
  }

  async #create<K extends ProviderKind>(kind: K): Promise<ProviderKinds[K]> {
    const { offers, idOf, settingsOf, signal, log, exec, dryRun, cacheFolder } = this.#options
    const descriptor = chooseProvider(offers, kind, idOf(kind))
    const cacheDir = join(cacheFolder, descriptor.id.replaceAll(/[^A-Za-z0-9._-]/g, '_'))
    try {
      return await descriptor.create(settingsOf(descriptor as unknown as AnyDescriptor), { signal, log, exec, dryRun, cacheDir })
    } catch (error) {
      throw new StackbkError({
        kind: 'configuration',
        code: 'provider-not-usable',
        message: `the ${kind} "${descriptor.id}" could not be set up`,
        detail: error instanceof Error ? error.message : String(error),
        fix: 'Run: stackbk doctor',
      })
    }
  }
}
