import type { Descriptor, ProviderKind } from '@stackbk/contract'

import { StackbkError } from '../errors.js'
import type { Offer, Offers } from './offers.js'

/**
 * The one provider that the configuration asks for, by its id or as `package#id`. Throws (kind `configuration`) when there is
 * none, or it cannot be used.
 */
export function chooseOffer(offers: Offers, kind: ProviderKind, id: string): Offer {
  const ofKind = offers.usable.filter((offer) => offer.descriptor.kind === kind)
  const found = ofKind.find((offer) => offer.descriptor.id === id || `${offer.plugin}#${offer.ownId}` === id)
  if (found !== undefined) return found

  const known = ofKind.map((offer) => offer.descriptor.id)
  const reasons = offers.unusable.filter((offer) => isMeant(offer, id)).map((offer) => `${offer.plugin}: ${offer.reason}`)
  throw new StackbkError({
    kind: 'configuration',
    code: 'provider-not-usable',
    message: `no plugin provides the ${kind} "${id}"`,
    detail: reasons.join('\n'),
    fix: fixFor(known, reasons.length > 0),
  })
}

/** The same without where it comes from. */
export function chooseProvider<K extends ProviderKind>(offers: Offers, kind: K, id: string): Descriptor<K> {
  return chooseOffer(offers, kind, id).descriptor as unknown as Descriptor<K>
}

/** A plugin that is installed and broken is mended, not looked for. */
function fixFor(known: readonly string[], isBroken: boolean): string {
  const others = known.length > 0 ? `choose one of: ${known.join(', ')}; or ` : ''
  const fix = isBroken ? `Update or mend that plugin (what is wrong with each: stackbk plugins); or ${others}install another` : `${others}install a plugin`
  return `${fix[0]!.toUpperCase()}${fix.slice(1)} that provides it, as the user that runs stackbk: stackbk plugins install NAME`
}

/** Of a plugin that could not even say what it provides, anything may be meant. */
function isMeant({ plugin, id: unusable }: Offers['unusable'][number], id: string): boolean {
  const [name, own] = id.includes('#') ? [id.slice(0, id.lastIndexOf('#')), id.slice(id.lastIndexOf('#') + 1)] : ['', id]
  return (name === '' || name === plugin) && (unusable === own || unusable === '')
}
