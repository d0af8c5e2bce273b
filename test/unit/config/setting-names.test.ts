import { defineEngine, defineSettings, defineTransport, type AnyDescriptor } from '@stackbk/contract'
import { restic } from '@stackbk/plugin-restic'
import { rclone } from '@stackbk/plugin-rclone'
import { describe, expect, it } from 'vitest'

import { settingNamesOf } from '../../../src/config/setting-names.js'

const nothing = (): never => {
  throw new Error('nothing is created in this test')
}
const borg = defineEngine({
  id: 'borg',
  title: 'borg',
  settings: defineSettings([
    { section: 'plugin:borg', key: 'CACHE', type: 'path', help: 'cache' },
    { section: 'plugin:borg', key: 'REPOSITORY', type: 'path', required: true, help: 'folder' },
    { section: 'plugin:borg', key: 'PASSPHRASE_FILE', type: 'path', oneOf: 'password', help: 'passphrase' },
  ]),
  create: nothing,
})
const shelf = defineTransport({ id: 'shelf', title: 'shelf', settings: [], create: nothing })
const descriptors: readonly AnyDescriptor[] = [restic, rclone, borg, shelf]

describe('the names of keys for advice', () => {
  it('are those with the role location, and the first way to the password', () => {
    expect(settingNamesOf(descriptors, { engine: 'restic', transport: 'rclone' })).toEqual({ repository: ['RESTIC_REPOSITORY'], password: 'RESTIC_PASSWORD_FILE', remote: ['RCLONE_REMOTE', 'RCLONE_PATH'] })
  })

  it('are the first required key of a provider that names none, with its section', () => {
    expect(settingNamesOf(descriptors, { engine: 'stackbk-plugin-borg#borg', transport: 'shelf' })).toEqual({ repository: ['REPOSITORY in [plugin:borg]'], password: 'PASSPHRASE_FILE in [plugin:borg]', remote: [] })
  })

  it('are none for a provider that is not there', () => {
    expect(settingNamesOf(descriptors, { engine: 'none', transport: 'none' })).toEqual({ repository: [], password: null, remote: [] })
  })
})
