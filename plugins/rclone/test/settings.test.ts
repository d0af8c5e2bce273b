import { refuseNames } from '@stackbk/contract'
import { describe, expect, test } from 'vitest'

import { rclone } from '../src/index.js'
import { address, folderOn, remoteOf } from '../src/remote.js'
import { transportWith } from './transport.js'

describe('the configured remote', () => {
  test('may be written with and without its colon', () => {
    for (const given of ['cloud', 'cloud:', ' cloud: ']) {
      expect(remoteOf({ RCLONE_REMOTE: given, RCLONE_PATH: '/backup/restic' })).toEqual({ ok: true, value: { name: 'cloud', folder: '/backup/restic' } })
    }
  })

  test('is not a connection string, and what one holds is shown nowhere', async () => {
    for (const given of [':sftp,host=h,pass=geheim:', 'cloud,pass=geheim:', 'cloud,pass=geheim']) {
      const transport = await transportWith({ RCLONE_REMOTE: given })
      const ready = await transport.ready()
      expect(ready).toMatchObject({ ok: false, failure: { kind: 'configuration' } })
      expect(JSON.stringify(ready) + transport.location).not.toContain('geheim')
    }
  })

  test('has its folder in a setting of its own', () => {
    for (const given of ['cloud:backup', '/mnt/disk', '-flag', '']) expect(remoteOf({ RCLONE_REMOTE: given })).toMatchObject({ ok: false, failure: { kind: 'configuration' } })
    expect(remoteOf({ RCLONE_REMOTE: null })).toMatchObject({ ok: false, failure: { kind: 'configuration', message: 'RCLONE_REMOTE is not set' } })
  })

  test('is shown as rclone writes it, without a slash at the end', async () => {
    expect((await transportWith({ RCLONE_REMOTE: 'cloud:', RCLONE_PATH: '/backup/restic/' })).location).toBe('cloud:/backup/restic')
  })

  test('may be a root', () => {
    expect(address({ name: 'cloud', folder: '/' }, 'config')).toBe('cloud:/config')
    expect(address({ name: 'cloud', folder: '' }, 'config')).toBe('cloud:config')
    expect(address({ name: 'cloud', folder: 'bucket' }, 'a/b')).toBe('cloud:bucket/a/b')
    expect(address(folderOn({ name: 'cloud', folder: '/' }, 'aside'), 'a')).toBe('cloud:/aside/a')
    expect(folderOn({ name: 'cloud', folder: '/x' }, '')).toEqual({ name: 'cloud', folder: '/x' })
  })
})

test('a name that is no path below a folder is refused', () => {
  for (const name of ['', '/a', 'a/', 'a//b', '..', 'a/../b', './a', 'a\nb', 'a\rb', 'a\0b']) expect(refuseNames(['fine', name])).toMatchObject({ ok: false, failure: { kind: 'usage' } })
  expect(refuseNames(['a', 'a/b', '..a', 'a..', '...', ' ', '-a', '#a'])).toMatchObject({ ok: true })
})

test('the descriptor declares its keys as data, defaults within their ranges', () => {
  expect(rclone).toMatchObject({ kind: 'transport', id: 'rclone', apiVersion: 1 })
  expect(rclone.settings.map(({ section, key }) => `${section}.${key}`)).toEqual([
    'cloud_sync.RCLONE_REMOTE',
    'cloud_sync.RCLONE_PATH',
    'cloud_sync.RCLONE_CONFIG',
    'cloud_sync.TRANSFERS',
    'cloud_sync.BANDWIDTH',
  ])
})

test('the hook provides the descriptor', async () => {
  const { default: providers } = await import('../src/hooks/providers.js')
  expect(await providers.call({} as never, {} as never)).toEqual([rclone])
})
