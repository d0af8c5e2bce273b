import { describe, expect, it } from 'vitest'

import { chooseOffer } from '../../../src/providers/choose.js'
import type { Offers } from '../../../src/providers/offers.js'

const offers = (unusable: readonly object[] = [], usable: readonly object[] = [{ plugin: 'p', origin: 'bundled', ownId: 'rclone', descriptor: { kind: 'transport', id: 'rclone' } }]): Offers => ({ plugins: [], usable, unusable }) as unknown as Offers

describe('a provider that nobody has', () => {
  it.each([
    ['is one to choose or install', offers(), 'Choose one of: rclone; or install a plugin that provides it, as the user that runs stackbk: stackbk plugins install NAME', ''],
    ['is one to install where there is no other', offers([], []), 'Install a plugin that provides it, as the user that runs stackbk: stackbk plugins install NAME', ''],
    ['is one to mend where its plugin is broken', offers([{ plugin: 'theirs', origin: 'user', id: 'sftp', reason: 'unexpected token' }]), 'Update or mend that plugin (what is wrong with each: stackbk plugins); or choose one of: rclone; or install another that provides it, as the user that runs stackbk: stackbk plugins install NAME', 'theirs: unexpected token'],
  ] as const)('%s', (_what, given, fix, detail) => {
    expect(() => chooseOffer(given, 'transport', 'sftp')).toThrow(expect.objectContaining({ kind: 'configuration', message: 'no plugin provides the transport "sftp"', fix, detail }) as Error)
  })
})
