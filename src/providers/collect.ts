import { CONTRACT_VERSION, type AnyDescriptor, type ProviderKind } from '@stackbk/contract'
import type { Interfaces } from '@oclif/core'

/** A plugin that takes longer to say what it provides is left out: descriptors cost no I/O. */
const hookLimitMs = 5_000

const kinds: readonly ProviderKind[] = ['runtime', 'engine', 'transport', 'freezer', 'notifier']

/** A provider and the package that brings it. */
export interface Offer {
  readonly plugin: string
  readonly descriptor: AnyDescriptor
}

/** One that cannot be used, and why. It is fatal only where it is the one asked for. */
export interface UnusableOffer {
  readonly plugin: string
  readonly kind: string
  readonly id: string
  readonly reason: string
}

export interface Offers {
  readonly usable: readonly Offer[]
  readonly unusable: readonly UnusableOffer[]
}

/** Asks every plugin what it provides. A plugin that throws, hangs or answers nonsense is among the unusable; nothing is thrown. */
export async function collectOffers(config: Interfaces.Config): Promise<Offers> {
  // Without the last argument oclif swallows plain errors and lets its own kind reject the whole call.
  const answers = await config.runHook('stackbk:providers', {}, hookLimitMs, true)
  const offers: Offer[] = []
  const unusable: UnusableOffer[] = answers.failures.map(({ plugin, error }) => ({
    plugin: plugin.name,
    kind: '',
    id: '',
    reason: `it could not say what it provides: ${error.message}`,
  }))
  for (const { plugin, result } of answers.successes) {
    for (const found of Array.isArray(result) ? (result as unknown[]) : [result]) {
      const reason = whyUnusable(found)
      if (reason === null) offers.push({ plugin: plugin.name, descriptor: found as AnyDescriptor })
      else unusable.push({ plugin: plugin.name, kind: textOf(found, 'kind'), id: textOf(found, 'id'), reason })
    }
  }
  // Hooks answer in the order in which they finish: sorted, a run is the same every night.
  offers.sort((one, other) => one.plugin.localeCompare(other.plugin))
  return withoutTwins(offers, unusable)
}

function whyUnusable(found: unknown): string | null {
  if (typeof found !== 'object' || found === null) return 'what it returned is no provider'
  const { kind, id, apiVersion, settings, create } = found as Partial<AnyDescriptor>
  if (kind === undefined || !kinds.includes(kind)) return `there is no kind of provider called "${String(kind)}"`
  if (typeof id !== 'string' || id === '') return 'it has no id'
  if (typeof apiVersion !== 'number') return 'it does not say which version of the contract it was written for (apiVersion)'
  if (apiVersion !== CONTRACT_VERSION) {
    return `it was written for version ${apiVersion} of the contract and this stackbk has version ${CONTRACT_VERSION}`
  }
  if (!Array.isArray(settings)) return 'its settings are no list'
  if (typeof create !== 'function') return 'it has no create()'
  return null
}

function textOf(found: unknown, key: string): string {
  const value = typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[key] : undefined
  return typeof value === 'string' ? value : ''
}

/** Two plugins with the same kind and id: neither can be meant by the id alone, so each is asked for as `package#id`. */
function withoutTwins(offers: readonly Offer[], unusable: readonly UnusableOffer[]): Offers {
  const nameOf = (offer: Offer): string => `${offer.descriptor.kind} ${offer.descriptor.id}`
  const counts = new Map<string, Offer[]>()
  for (const offer of offers) counts.set(nameOf(offer), [...(counts.get(nameOf(offer)) ?? []), offer])
  const usable: Offer[] = []
  const twins: UnusableOffer[] = []
  for (const offer of offers) {
    const { kind, id } = offer.descriptor
    const others = (counts.get(nameOf(offer)) ?? []).filter((other) => other !== offer)
    if (others.length === 0) {
      usable.push(offer)
      continue
    }
    usable.push({ plugin: offer.plugin, descriptor: { ...offer.descriptor, id: `${offer.plugin}#${id}` } })
    const names = others.map((other) => other.plugin).join(', ')
    twins.push({ plugin: offer.plugin, kind, id, reason: `${names} provides it too; ask for "${offer.plugin}#${id}"` })
  }
  return { usable, unusable: [...unusable, ...twins] }
}
