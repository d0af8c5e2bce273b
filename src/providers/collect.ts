import type { AnyDescriptor } from '@stackbk/contract'

import { reserveStandardOutput } from '../host/foreign-code.js'
import { type SharedKeys, whyUnusable } from './descriptor-check.js'
import { type LoadedPlugin, type Offer, type Offers, originOf, type PluginHost, type UnusableOffer } from './offers.js'
import { type HookAnswer, runPluginHook } from './plugin-hook.js'
import { pluginsNotLoaded, restoreBundledPlugins } from './plugin-loading.js'
import { reasonOf } from './thrown.js'

export type { LoadedPlugin, Offer, Offers, PluginOrigin, UnusableOffer } from './offers.js'

/** A plugin that takes longer to say what it provides is left out: descriptors cost no I/O. */
const hookLimitMs = 5_000

/**
 * Asks every plugin what it provides. A plugin that throws, hangs, prints, wants to exit or answers nonsense is among the
 * unusable; nothing is thrown, and nothing of it reaches standard output.
 */
export async function collectOffers(host: PluginHost): Promise<Offers> {
  const release = reserveStandardOutput()
  try {
    const replaced = await restoreBundledPlugins(host)
    const answers = await runPluginHook(host, { event: 'stackbk:providers', options: {}, limitMs: hookLimitMs })
    const { offers, unusable } = judged(answers)
    const notLoaded = [...replaced, ...pluginsNotLoaded(host)].map(({ name, origin, reason }): UnusableOffer => ({ plugin: name, origin, kind: '', id: '', reason }))
    return { ...withoutTwins(offers, [...notLoaded, ...unusable]), plugins: loadedPlugins(host) }
  } finally {
    release()
  }
}

function judged(answers: readonly HookAnswer[]): { readonly offers: readonly Offer[]; readonly unusable: readonly UnusableOffer[] } {
  const offers: Offer[] = []
  const unusable: UnusableOffer[] = []
  // What comes with stackbk first: of two declarations of one key its own counts.
  const isForeign = ({ plugin }: HookAnswer): number => (originOf(plugin) === 'bundled' ? 0 : 1)
  for (const answer of answers.toSorted((one, other) => isForeign(one) - isForeign(other))) {
    const [plugin, origin] = [answer.plugin.name, originOf(answer.plugin)]
    if (!answer.ok) {
      unusable.push({ plugin, origin, kind: '', id: '', reason: `its providers hook failed: ${answer.reason}`, stack: answer.stack })
      continue
    }
    for (const found of Array.isArray(answer.result) ? (answer.result as unknown[]) : [answer.result]) {
      const { descriptor, kind, id, reason } = read(found, origin === 'bundled' ? null : sharedKeysOf(offers))
      const isTwice = descriptor !== null && offers.some((other) => other.plugin === plugin && other.descriptor.kind === kind && other.ownId === id)
      if (descriptor === null || isTwice) unusable.push({ plugin, origin, kind, id, reason: isTwice ? 'it provides this twice' : reason })
      else offers.push({ plugin, origin, ownId: id, descriptor })
    }
  }
  return { offers, unusable }
}

/** A transport of somebody else's may heed the bandwidth limit that all heed, and keep its own keys to itself. */
function sharedKeysOf(offers: readonly Offer[]): SharedKeys {
  const settings = offers.filter(({ origin }) => origin === 'bundled').flatMap(({ descriptor }) => descriptor.settings)
  return new Map(settings.map(({ section, key, type }) => [`${section}/${key}`, type]))
}

/** A copy of what the core needs of it: what is looked at now must be what is used later, whatever the plugin does to its own. */
function read(found: unknown, shared: SharedKeys | null): { readonly descriptor: AnyDescriptor | null; readonly kind: string; readonly id: string; readonly reason: string } {
  try {
    const reason = whyUnusable(found, shared)
    if (reason !== null) return { descriptor: null, kind: textOf(found, 'kind'), id: textOf(found, 'id'), reason }
    const { kind, id, apiVersion, title, settings } = found as AnyDescriptor
    const create = (...args: Parameters<AnyDescriptor['create']>): unknown => (found as AnyDescriptor).create(...args)
    const commandFiles = (...args: Parameters<NonNullable<AnyDescriptor['commandFiles']>>): unknown => (found as AnyDescriptor).commandFiles?.(...args)
    // The declarations stay the objects that they are: which descriptor a setting is of is told by that.
    return { descriptor: { kind, id, apiVersion, title, settings: [...settings], ...(typeof (found as Partial<AnyDescriptor>).commandFiles === 'function' ? { commandFiles } : {}), create } as unknown as AnyDescriptor, kind, id, reason: '' }
  } catch (error) {
    return { descriptor: null, kind: '', id: '', reason: `what it returned cannot be read: ${reasonOf(error)}` }
  }
}

function textOf(found: unknown, key: string): string {
  const value = typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[key] : undefined
  return typeof value === 'string' ? value : ''
}

/**
 * Two plugins with the same kind and id: what comes with stackbk keeps the id, so that nothing that is installed takes its place,
 * and no night's backup is lost to it. Any other is asked for as `package#id`.
 */
function withoutTwins(offers: readonly Offer[], unusable: readonly UnusableOffer[]): Pick<Offers, 'usable' | 'unusable'> {
  const usable: Offer[] = []
  const twins: UnusableOffer[] = []
  for (const offer of offers) {
    const { plugin, origin, ownId } = offer
    const others = offers.filter((other) => other !== offer && other.ownId === ownId && other.descriptor.kind === offer.descriptor.kind)
    if (origin === 'bundled' || others.length === 0) {
      usable.push(offer)
      continue
    }
    const id = `${plugin}#${ownId}`
    usable.push({ ...offer, descriptor: { ...offer.descriptor, id } })
    const names = others.map((other) => other.plugin).join(', ')
    const isTaken = others.some((other) => other.origin === 'bundled')
    twins.push({ plugin, origin, kind: offer.descriptor.kind, id: ownId, reason: `${names} provides it too${isTaken ? ', and is the one that is used' : ''}; this one is asked for as "${id}"` })
  }
  return { usable, unusable: [...unusable, ...twins] }
}

function loadedPlugins(host: PluginHost): readonly LoadedPlugin[] {
  return [...host.plugins.values()]
    .filter((plugin) => plugin.root !== host.root)
    .filter((plugin) => originOf(plugin) !== 'bundled' || Object.keys(plugin.hooks).some((event) => event.startsWith('stackbk:')))
    .map((plugin) => ({ name: plugin.name, version: plugin.version, origin: originOf(plugin), folder: plugin.root, listens: plugin.hooks['stackbk:event'] !== undefined }))
    .toSorted((one, other) => one.name.localeCompare(other.name))
}
