import { describe, expect, test } from 'vitest'

import { MountTable, pathOnFileSystem } from '../src/mounts.js'

const table = (...lines: readonly string[]): MountTable => new MountTable(`${lines.join('\n')}\n`)

describe('the mount that a path lies on', () => {
  const mounts = table(
    '25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
    '30 25 8:1 / /srv/a\\040b rw,noatime - xfs /dev/sda1 rw,attr2',
    '31 30 8:2 /volumes/pg /srv/a\\040b/pg rw - btrfs /dev/sdb rw,subvol=/volumes',
    '32 25 0:44 / /mnt rw - tmpfs tmpfs rw',
    '33 32 8:3 / /mnt/deep rw - xfs /dev/sdc rw',
    '34 32 0:45 / /mnt ro - tmpfs tmpfs rw',
  )

  test('is the deepest on the way to it, and no other whose name begins alike', () => {
    expect(mounts.of('/srv/a b/pg/data')?.id).toBe('31')
    expect(mounts.of('/srv/a b/pgx')?.id).toBe('30')
    expect(mounts.of('/srv/other')?.id).toBe('25')
  })

  test('is never one that another was mounted over', () => {
    expect(mounts.of('/mnt/deep/file')?.id).toBe('34')
    expect(mounts.visible.map(({ id }) => id)).toEqual(['25', '30', '31', '34'])
  })

  test('tells where on the file system the path lies', () => {
    const mount = mounts.of('/srv/a b/pg/data')
    expect(mount && pathOnFileSystem('/srv/a b/pg/data', mount)).toBe('/volumes/pg/data')
    expect(mount && pathOnFileSystem('/srv/a b/pg', mount)).toBe('/volumes/pg')
  })

  test('is writable only if the mount and the file system are', () => {
    expect(mounts.of('/mnt/x')?.isWritable).toBe(false)
    expect(table('25 1 254:0 / / rw - ext4 /dev/vda ro').of('/')?.isWritable).toBe(false)
  })

  test('is none where nothing is known', () => {
    expect(table('').of('/')).toBeNull()
  })
})
