import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, cpSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { rcloneConfig, startProxy, startRemote, type Proxy, type TestRemote } from '../fixtures/remotes.js'
import { canMakeDisks, makeSmallDisk } from '../fixtures/small-disk.js'
import { makeWorld, type World } from '../fixtures/world.js'

let world: World
let source: string

beforeAll(async () => {
  world = await makeWorld({ network: 'host', settings: { cloud_sync: { RETRIES: 0 } } })
  source = join(world.root, 'source')
  mkdirSync(source)
  await addSnapshot()
  expect((await world.sync()).exitCode).toBe(0)
})
afterAll(() => world.remove())

/** By restic alone: nothing has to be stopped for it. Returns its ID. */
async function addSnapshot(bytes = 300_000): Promise<string> {
  writeFileSync(join(source, 'blob'), randomBytes(bytes))
  const printed = await world.restic('backup', '--host', 'testhost', '--tag', 'stackbk,stack:web', '--json', source)
  return (JSON.parse(printed.trim().split('\n').at(-1) ?? '') as { snapshot_id: string }).snapshot_id
}

const filesIn = (folder: string): string[] => (readdirSync(folder, { recursive: true }) as string[]).filter((file) => /[0-9a-f]{64}$/.test(file)).sort()
/** Packs that the repository has and the copy has not: those of the newest snapshot. */
const newPacks = (): string[] => filesIn(join(world.repository, 'data')).filter((pack) => !filesIn(join(world.cloud, 'data')).includes(pack))
const packAt = (folder: string, pack: string): string => join(folder, 'data', pack)

/** The packs of restic are read-only; root may write all the same. */
function flipByte(path: string, at = 100): void {
  const byte = readFileSync(path)[at] ?? 0
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.of(byte ^ 0xff), 0, 1, at)
  closeSync(file)
}

describe('a repository that is not what it should be', () => {
  let copy: string

  beforeEach(() => {
    copy = world.picture(world.cloud)
    const kept = [world.repository, world.cloud, world.state].map((path) => ({ path, aside: `${path}-kept` }))
    for (const { path, aside } of kept) cpSync(path, aside, { recursive: true, preserveTimestamps: true })
    return () => {
      for (const { path, aside } of kept) {
        rmSync(path, { recursive: true, force: true })
        renameSync(aside, path)
      }
    }
  })

  it.each([
    ['a flipped byte', flipByte],
    ['a cut pack', (path: string): void => truncateSync(path, 50)],
  ])('with %s that was not sent yet sends no index and no snapshot: 6', async (_, spoil) => {
    await addSnapshot()
    const [pack = ''] = newPacks()
    spoil(packAt(world.repository, pack))
    const { exitCode, result } = await world.sync()
    expect([exitCode, result.status, result.problems]).toMatchObject([6, 'failed', [{ code: 'rotten-file', message: expect.stringContaining(pack) as string }]])
    expect(filesIn(join(world.cloud, 'data'))).not.toContain(pack.split('/').at(-1))
    for (const folder of ['index', 'snapshots']) expect(filesIn(join(world.cloud, folder))).toEqual(filesIn(join(`${world.cloud}-kept`, folder)))
    await world.check(world.cloud)
  })

  it('with a cut pack that the copy holds soundly sends what is new, says so with 6, and is mended by verify --repair', async () => {
    const [pack = ''] = filesIn(join(world.repository, 'data'))
    await addSnapshot()
    truncateSync(packAt(world.repository, pack), 50)
    const { exitCode, result } = await world.sync()
    expect([exitCode, result.status, result.verified, result.problems]).toMatchObject([6, 'partial', true, [{ code: 'rotten-here' }]])
    expect(filesIn(join(world.cloud, 'snapshots'))).toEqual(filesIn(join(world.repository, 'snapshots')))
    await world.check(world.cloud)
    const mended = await world.json<{ corrupt: unknown }>(['verify', '--repair'])
    expect([mended.exitCode, mended.result.corrupt]).toMatchObject([0, [{ where: 'local', healed: true }]])
    await world.check()
    expect((await world.sync()).exitCode).toBe(0)
  })

  it('of which one folder cannot be read sends and deletes nothing', async () => {
    await addSnapshot()
    const [folder = ''] = readdirSync(join(world.repository, 'data'))
    rmSync(join(world.repository, 'data', folder), { recursive: true })
    symlinkSync('/nowhere/at/all', join(world.repository, 'data', folder))
    const { exitCode, stdout } = await world.run(['sync', '--json'])
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([1, { error: { code: 'repository-not-listed' } }])
    expect(world.picture(world.cloud)).toBe(copy)
  })
})

it('a revoked key goes from the copy, last and not to its trash, and a new one comes', async () => {
  world.configure({ cloud_sync: { TRASH_DAYS: 3 } })
  const next = join(world.root, 'next-password')
  writeFileSync(next, 'another', { mode: 0o600 })
  const [old = ''] = filesIn(join(world.cloud, 'keys'))
  await world.restic('key', 'passwd', '--new-password-file', next)
  writeFileSync(world.password, 'another')
  const { exitCode, result } = await world.sync()
  expect([exitCode, result.deleted.files, result.uploaded.files]).toEqual([0, 1, 1])
  expect(filesIn(join(world.cloud, 'keys'))).toEqual(filesIn(join(world.repository, 'keys')))
  expect(filesIn(world.cloud).filter((file) => file.includes(old))).toEqual([])
  await world.check(world.cloud)
})

it('verify --cloud --repair brings back what is rotten, and what went to the trash without proof', async () => {
  world.configure({ cloud_sync: { TRASH_DAYS: 3 } })
  const [oldest] = await world.snapshots()
  await addSnapshot()
  expect((await world.sync()).exitCode).toBe(0)
  await world.restic('forget', oldest?.id ?? '')
  await world.restic('prune', '--max-unused', '0')
  expect((await world.sync()).exitCode).toBe(7)
  const allowed = await world.sync('--allow-delete')
  expect([allowed.exitCode, allowed.result.deleted.snapshots]).toEqual([0, 1])
  expect(filesIn(join(world.cloud, 'snapshots'))).not.toContain(oldest?.id)

  const [pack = ''] = filesIn(join(world.cloud, 'data'))
  flipByte(packAt(world.cloud, pack))
  const found = await world.json<{ corrupt: unknown }>(['verify', '--cloud'])
  expect([found.exitCode, found.result.corrupt]).toMatchObject([6, [{ where: 'remote', healed: false }]])
  const mended = await world.json<{ corrupt: { healed: boolean }[]; problems: unknown }>(['verify', '--cloud', '--repair'])
  expect([mended.exitCode, mended.result.problems]).toMatchObject([0, [{ code: 'brought-back' }]])
  expect(mended.result.corrupt.every(({ healed }) => healed)).toBe(true)
  expect(filesIn(join(world.cloud, 'snapshots'))).toContain(oldest?.id)
  await world.restic('-r', world.cloud, '--no-cache', 'check', '--read-data')
  expect((await world.sync('--allow-delete')).exitCode).toBe(0)
  await world.check(world.cloud)
})

describe('a remote in trouble', () => {
  let remote: TestRemote
  let proxy: Proxy
  let path: string

  beforeAll(async () => {
    remote = await startRemote('webdav')
    proxy = await startProxy(remote.port ?? 0)
    const config = join(world.root, 'proxy.conf')
    writeFileSync(config, rcloneConfig('proxy', { kind: 'webdav', port: proxy.port, password: remote.password }), { mode: 0o600 })
    path = remote.freshPath()
    world.configure({ local_backup: { STALL_TIMEOUT: 5 }, cloud_sync: { RCLONE_CONFIG: config, RCLONE_REMOTE: 'proxy', RCLONE_PATH: path, TRASH_DAYS: 0 } })
    expect((await world.sync('--allow-new-remote')).exitCode).toBe(0)
  })
  afterAll(async () => {
    await proxy?.close()
    await remote?.close()
  })

  it.each(['hangs', 'dies'] as const)('that %s in mid-transfer: 5, the copy sound, and complete the next time', async (is) => {
    await addSnapshot(3_000_000)
    proxy.trouble({ is, afterBytes: 1_000_000 })
    const { exitCode, result } = await world.sync()
    expect([exitCode, result.problems]).toMatchObject([5, [{ code: 'transfer-failed' }]])
    proxy.trouble(null)
    await world.check(join(remote.folder ?? '', path))
    const next = await world.sync()
    expect([next.exitCode, next.result.verified]).toEqual([0, true])
    await world.check(join(remote.folder ?? '', path))
  })

  it('that is slow gets all of it: slow is no standstill', async () => {
    // What the kernel's buffers take at once rclone counts as sent, so a standstill has to be longer than they last.
    world.configure({ local_backup: { STALL_TIMEOUT: 20 } })
    await addSnapshot(600_000)
    proxy.trouble({ is: 'slow', bytesPerSecond: 90_000 })
    const { exitCode, result } = await world.sync()
    proxy.trouble(null)
    expect([exitCode, result.verified]).toEqual([0, true])
  })
})

describe.runIf(canMakeDisks)('a remote that takes nothing', () => {
  it('for want of room: 5, the copy sound, and complete when there is some', async () => {
    const disk = await makeSmallDisk({ path: join(world.root, 'remote', 'small'), bytes: 24 * 1024 * 1024, kind: 'ext4' })
    try {
      world.configure({ local_backup: { STALL_TIMEOUT: null }, cloud_sync: { RCLONE_CONFIG: join(world.root, 'rclone.conf'), RCLONE_REMOTE: 'cloud', RCLONE_PATH: '/small/copy' } })
      expect((await world.sync('--allow-new-remote')).exitCode).toBe(0)
      const copy = join(disk.path, 'copy')
      await addSnapshot(2_000_000)
      disk.fill()
      const { exitCode, result } = await world.sync()
      expect([exitCode, result.problems]).toMatchObject([5, [{ code: 'transfer-failed' }]])
      await world.restic('-r', copy, '--no-cache', '--no-lock', 'check')
      disk.drain()
      expect((await world.sync()).result.verified).toBe(true)
      await world.check(copy)

      const before = world.picture(copy)
      await addSnapshot()
      execFileSync('mount', ['-o', 'remount,ro', disk.path])
      expect((await world.sync()).exitCode).toBe(5)
      expect(world.picture(copy)).toBe(before)
    } finally {
      await disk.remove()
    }
  })
})
