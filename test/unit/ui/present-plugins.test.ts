import { describe, expect, it } from 'vitest'

import type { Offers } from '../../../src/providers/offers.js'
import { listPlugins } from '../../../src/stages/plugins.js'
import { describeInstalled, presentKeys, presentPlugins } from '../../../src/ui/present-plugins.js'

const facts = { id: 'r', command: 'plugins', startedAt: new Date(), interruptedBy: () => null } as unknown as Parameters<typeof listPlugins>[0]
const setting = { section: 'plugin:matrix', key: 'ROOM', type: 'string', required: true, help: 'the room to write to' }
const offers = {
  plugins: [{ name: 'stackbk-plugin-matrix', version: '1.0.0', origin: 'installed', folder: '/p', listens: false }],
  usable: [{ plugin: 'stackbk-plugin-matrix', origin: 'installed', ownId: 'matrix', descriptor: { kind: 'notifier', id: 'matrix', title: 'Matrix', settings: [setting] } }],
  unusable: [{ plugin: 'stackbk-plugin-matrix', origin: 'installed', kind: '', id: 'sftp', reason: 'there is no kind of provider called "undefined"' }],
} as unknown as Offers
const { result } = listPlugins(facts, offers)

describe('what plugins provide, shown', () => {
  it("heads a notifier's keys with the section that they are read in", () => {
    expect(presentKeys(result, false)).toMatch(/^\[notify:NAME\] with TYPE=matrix, of stackbk-plugin-matrix\nKEY +TYPE +DEFAULT +MEANING\nROOM +string +required +the room to write to/)
  })

  it('says what cannot be used, with one blank where its kind is not known', () => {
    expect(presentPlugins(result, false)).toContain('cannot be used: sftp: there is no kind of provider called "undefined"')
    expect(describeInstalled(offers, ['stackbk-plugin-matrix'])).toBe('stackbk-plugin-matrix: notifier matrix: Matrix [notify:NAME] with TYPE=matrix\nstackbk-plugin-matrix: cannot be used: sftp: there is no kind of provider called "undefined"')
  })
})
