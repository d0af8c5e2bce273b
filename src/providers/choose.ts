import type { Descriptor, ProviderKind } from '@stackbk/contract'

import { StackbkError } from '../errors.js'
import type { Offers } from './collect.js'

/** The one provider that the configuration asks for. Throws (kind `configuration`) when there is none, or it cannot be used. */
export function chooseProvider<K extends ProviderKind>(offers: Offers, kind: K, id: string): Descriptor<K> {
  const found = offers.usable.find((offer) => offer.descriptor.kind === kind && offer.descriptor.id === id)
  if (found !== undefined) return found.descriptor as unknown as Descriptor<K>

  const known = offers.usable.filter((offer) => offer.descriptor.kind === kind).map((offer) => offer.descriptor.id)
  const reasons = offers.unusable.filter((offer) => offer.id === id || offer.id === '').map((offer) => `${offer.plugin}: ${offer.reason}`)
  throw new StackbkError({
    kind: 'configuration',
    code: 'provider-not-usable',
    message: `no plugin provides the ${kind} "${id}"`,
    detail: reasons.join('\n'),
    fix: known.length > 0 ? `Choose one of: ${known.join(', ')}; or install a plugin that provides "${id}"` : `Install a plugin that provides a ${kind}`,
  })
}
