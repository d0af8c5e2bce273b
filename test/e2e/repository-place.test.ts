import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { canMakeDisks, makeSmallDisk, type SmallDisk } from '../fixtures/small-disk.js'
import { makeWorld, oneService, type World } from '../fixtures/world.js'

/** A repository that was moved to a disk, and left below the mount point. */
describe.skipIf(!canMakeDisks)('a repository whose disk is not mounted', () => {
  let world: World
  let disk: SmallDisk
  let repository = ''
  let below = ''

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { ENABLE_VERIFICATION: false } } })
    await world.stack('web', { ...oneService, isUp: false })
    disk = await makeSmallDisk({ path: join(world.root, 'usb'), bytes: 32_000_000, kind: 'ext4' })
    repository = join(disk.path, 'repository')
    await disk.unmount()
    cpSync(world.repository, repository, { recursive: true })
    world.configure({ local_backup: { RESTIC_REPOSITORY: repository } })
    expect((await world.backup()).exitCode).toBe(0)
    const aside = join(world.root, 'aside')
    cpSync(repository, aside, { recursive: true })
    below = world.picture(repository)
    await disk.mount()
    cpSync(aside, repository, { recursive: true })
    rmSync(aside, { recursive: true })
    // It was on the root file system before: a disk that is mounted there is no reason to ask.
    expect((await world.backup()).exitCode).toBe(0)
  })
  afterAll(async () => {
    await disk.remove()
    await world.remove()
  })

  async function expectRefused(): Promise<void> {
    for (const command of [['backup', '--json'], ['backup', '--dry-run', '--json'], ['sync', '--json'], ['recover', 'web', '--dry-run', '--json']]) {
      const { exitCode, stdout } = await world.run(command)
      expect([command, exitCode, JSON.parse(stdout)]).toMatchObject([command, 10, { error: { code: 'repository-missing', message: expect.stringContaining(`the disk of the repository ${repository} is not mounted`) as string } }])
    }
    const status = await world.run(['status', '--json'])
    expect([status.exitCode, JSON.parse(status.stdout)]).toMatchObject([10, { repository: { reachable: false } }])
    const doctor = await world.run(['doctor', '--json'])
    expect((JSON.parse(doctor.stdout) as { checks: { id: string }[] }).checks).toContainEqual(expect.objectContaining({ id: 'repository.place', status: 'failed' }))
    expect(world.picture(repository)).toBe(below)
  }

  it('is refused, and what lies below the mount point is left alone, until the disk is back', async () => {
    await disk.unmount()
    await expectRefused()
    await disk.mount()
    expect((await world.backup()).exitCode).toBe(0)
  })

  // A folder of /tmp is bound then, which is one of the root file system unless /tmp is in memory.
  it.skipIf(statSync(tmpdir()).dev !== statSync('/').dev)('is refused also where the mount point is a folder of the disk that is bound there', async () => {
    const bound = join(world.root, 'bound')
    mkdirSync(bound, { recursive: true })
    execFileSync('mount', ['--bind', disk.path, bound])
    try {
      world.configure({ local_backup: { RESTIC_REPOSITORY: join(bound, 'repository') } })
      expect((await world.backup()).exitCode).toBe(0)
      execFileSync('umount', [bound])
      await disk.unmount()
      execFileSync('mount', ['--bind', disk.path, bound])
      const { exitCode, stdout } = await world.run(['backup', '--json'])
      expect([exitCode, JSON.parse(stdout)]).toMatchObject([10, { error: { code: 'repository-missing' } }])
    } finally {
      execFileSync('umount', [bound])
      await disk.mount()
      world.configure({ local_backup: { RESTIC_REPOSITORY: repository } })
    }
  })

  it('is used where it is when it was moved off the disk on purpose', async () => {
    await disk.unmount()
    await expectRefused()
    expect((await world.backup(['--accept-repository'])).exitCode).toBe(0)
    expect((await world.backup()).exitCode).toBe(0)
  })
})
