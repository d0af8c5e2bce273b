import type { ProviderKind, SettingDeclaration } from '@stackbk/contract'

import { describeRange, writeSetting } from './setting-value.js'

/** A declared key, for people. */
export interface DescribedKey {
  readonly section: string
  /** Where the configuration file has it: `[plugin:shelf]`, and for a notifier `[notify:NAME] with TYPE=matrix`, whatever section it declares. */
  readonly readIn: string
  readonly key: string
  /** Other names that are read too. */
  readonly aliases: readonly string[]
  /** With its range or choices: `integer, between 1 and 9`. */
  readonly type: string
  /** In the notation of the file; `null` for none. */
  readonly default: string | null
  readonly required: boolean
  /** It is masked wherever it is shown. */
  readonly secret: boolean
  readonly help: string
}

/** From its declaration, which is all that there is to say of it. */
export function describeKey(declaration: SettingDeclaration, provider: { readonly kind: ProviderKind; readonly id: string }): DescribedKey {
  const { section, key, aliases = [], type, choices = [], pattern, required = false, secret = false, default: value = null, help } = declaration
  const range = describeRange(declaration)
  const words = type === 'choice' ? choices.join(', ') : [type, pattern?.inWords ?? '', range].filter((part) => part !== '').join(', ')
  const readIn = provider.kind === 'notifier' ? `[notify:NAME] with TYPE=${provider.id}` : `[${section}]`
  return { section, readIn, key, aliases, type: words, default: value === null ? null : writeSetting(declaration, value), required, secret, help }
}
