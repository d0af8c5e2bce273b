import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { makeWorld, oneService, type World, type WorldStack } from '../fixtures/world.js'

const realRestic = execFileSync('sh', ['-c', 'command -v restic'], { encoding: 'utf8' }).trim()

function packs(repository: string): string[] {
  const files = (readdirSync(join(repository, 'data'), { recursive: true }) as string[]).filter((file) => /[0-9a-f]{64}$/.test(file))
  return files.map((file) => join(repository, 'data', file)).sort((one, other) => statSync(other).size - statSync(one).size)
}

describe('retention', () => {
  let world: World
  let web: WorldStack
  let other: WorldStack

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { KEEP_WITHIN: 0, KEEP_LAST: 2, KEEP_DAILY: 0, KEEP_WEEKLY: 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0, ENABLE_VERIFICATION: false } } })
    web = await world.stack('web', { model: oneService, isUp: false })
    other = await world.stack('other', { model: oneService, isUp: false })
  })
  afterAll(() => world.remove())

  it('defect 17: thins only this host and the stacks that were backed up, each with a quota of its own', async () => {
    const make = (host: string, tag: string): Promise<string> => world.restic('backup', '--host', host, '--tag', tag, '--force', web.directory)
    for (let round = 0; round < 3; round++) {
      await make('elsewhere', 'stackbk,stack:web')
      await make('testhost', 'stackbk,stack:other')
      await make('testhost', 'made-by-hand')
    }
    for (let round = 0; round < 3; round++) {
      web.write('data/blob', randomBytes(1000))
      const call = await world.backup(['web'])
      expect(call.exitCode, JSON.stringify(call.result)).toBe(0)
      expect(call.result.retention).toMatchObject({ status: 'ok', removed: round === 2 ? 1 : 0 })
      expect((call.result.retention.forgotten ?? []).map(({ stack }) => stack)).toEqual(round === 2 ? ['web'] : [])
    }
    // What this host forgot is for the other one to read.
    const left = (await world.snapshots()).filter(({ tags }) => !tags.includes('stackbk-ledger')).map((snapshot) => `${snapshot.hostname} ${snapshot.tags.join(',')}`).sort()
    expect(left).toEqual([
      ...Array<string>(3).fill('elsewhere stackbk,stack:web'),
      ...Array<string>(3).fill('testhost made-by-hand'),
      ...Array<string>(3).fill('testhost stackbk,stack:other'),
      ...Array<string>(2).fill('testhost stackbk,stack:web'),
    ])
  })

  it('leaves the snapshots of a stack that is switched off to it, while another one of its name is backed up, and goes on with those of a stack that was moved', async () => {
    const media = await world.stack('media', { model: oneService, isUp: false, isEnabled: false })
    const older = join(world.root, 'old')
    const namesake = await world.stack('media', { model: oneService, isUp: false, isEnabled: false, parent: older })
    const lastOf = async (directory: string): Promise<readonly string[]> => (await world.snapshots()).filter(({ tags, paths }) => tags.includes('stack:media') && paths.includes(directory)).map(({ id }) => id)
    world.disable('web', 'other')
    world.enable('media')
    expect((await world.backup()).exitCode).toBe(0)
    world.disable('media')
    world.enable(namesake.directory)
    const [first] = await lastOf(media.directory)
    for (let round = 0; round < 3; round++) {
      namesake.write('data/blob', randomBytes(1000))
      const call = await world.backup()
      expect([call.exitCode, call.result.retention.removed], JSON.stringify(call.result)).toEqual([0, round === 2 ? 1 : 0])
      expect(call.result.problems).toMatchObject([{ severity: 'warning', code: 'stacks-not-distinct', stack: 'media', message: expect.stringContaining(media.directory) as string }])
    }
    expect([await lastOf(media.directory), (await lastOf(namesake.directory)).length]).toEqual([[first], 2])

    const moved = join(world.root, 'new', 'media')
    mkdirSync(join(world.root, 'new'))
    renameSync(namesake.directory, moved)
    rmSync(media.directory, { recursive: true })
    world.disable(namesake.directory)
    world.enable(moved)
    writeFileSync(join(older, 'note'), 'the disk is mounted')
    const call = await world.backup()
    expect([call.exitCode, call.result.retention.removed, call.result.problems], JSON.stringify(call.result)).toEqual([0, 2, []])
    expect((await lastOf(moved)).length + (await lastOf(namesake.directory)).length).toBe(2)
    world.disable(moved)
    world.enable('web', 'other')
  })

  it('keeps by default the snapshot from before an upgrade of the same day', async () => {
    const made = await makeWorld()
    const stack = await made.stack('web', { model: oneService, isUp: false })
    for (const version of ['before', 'after']) {
      stack.write('data/version', version)
      const { exitCode, result } = await made.backup()
      expect([exitCode, result.retention.removed], JSON.stringify(result.problems)).toEqual([0, 0])
    }
    const before = (await made.snapshots()).find(({ tags }) => tags.includes('stack:web'))
    expect((await made.dump(before?.id ?? '', join(stack.directory, 'data/version'))).toString()).toBe('before')
    await made.remove()
  })

  it.each([[['--no-prune'], {}], [[], { AUTO_PRUNE: false }]])('forgets nothing with %j and %j', async (flags, settings) => {
    world.configure({ local_backup: settings })
    const count = (await world.snapshots()).length
    const call = await world.backup(['web', ...flags])
    expect(call.result.retention).toEqual({ status: 'skipped', removed: 0 })
    expect((await world.snapshots()).length).toBe(count + 1)
    world.configure({ local_backup: { AUTO_PRUNE: null } })
  })

  it('forgets nothing of a stack that has shrunk, which is partial until --accept-shrink', async () => {
    other.write('data/blob', randomBytes(2_000_000))
    for (let index = 0; index < 10; index++) other.write(`data/file-${index}`, String(index))
    expect((await world.backup(['other', '--no-prune'])).exitCode).toBe(0)
    for (const file of readdirSync(join(other.directory, 'data'))) rmSync(join(other.directory, 'data', file))
    const count = (await world.snapshots()).length
    const shrunk = await world.backup(['other'])
    expect(shrunk.exitCode).toBe(3)
    expect(shrunk.stack('other')).toMatchObject({ status: 'partial', problems: [{ code: 'shrunk', fix: expect.stringContaining('--accept-shrink') as string }] })
    expect((await world.snapshots()).length).toBe(count + 1)
    expect((await world.snapshots()).find((one) => one.id === shrunk.stack('other').snapshot?.id)?.tags).toContain('shrunk')
    const accepted = await world.backup(['other', '--accept-shrink'])
    expect([accepted.exitCode, accepted.result.retention.status]).toEqual([0, 'ok'])
  })

  it('forgets nothing after a snapshot in which something could not be read: it is marked, and the stack partial', async () => {
    // Root can read everything, so it is restic's exit code for that which is made up; the snapshot is real.
    world.fake('restic', `#!/bin/sh\n[ "$1" = backup ] || exec ${realRestic} "$@"\n${realRestic} "$@"\ncode=$?\n[ $code = 0 ] && exit 3\nexit $code\n`)
    const call = await world.backup(['web'], { environment: { PATH: world.fakePath } })
    expect([call.exitCode, call.stack('web').status, call.result.retention.status]).toEqual([3, 'partial', 'skipped'])
    expect((await world.snapshots()).find((one) => one.id === call.stack('web').snapshot?.id)?.tags).toContain('partial')
  })
})

describe('verification', () => {
  let world: World
  let web: WorldStack

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { VERIFICATION_DEPTH: 'data', AUTO_PRUNE: false } } })
    web = await world.stack('web', { model: oneService, isUp: false, files: { 'data/blob': randomBytes(300_000) } })
  })
  afterAll(() => world.remove())

  it('defect 14: looks at the very snapshot just made, when host and path have changed too', async () => {
    const calls = join(world.root, 'calls')
    world.fake('restic', `#!/bin/sh\necho "$*" >> ${calls}\nexec ${realRestic} "$@"\n`)
    const first = await world.backup([], { environment: { PATH: world.fakePath } })
    const moved = join(world.root, 'moved')
    renameSync(world.stacks, moved)
    world.configure({ docker: { DOCKER_STACKS_DIR: moved }, local_backup: { HOSTNAME: 'renamed', VERIFICATION_DEPTH: 'files' } })
    rmSync(calls)
    const second = await world.backup([], { environment: { PATH: world.fakePath } })
    const [old, fresh] = [first.stack('web').snapshot?.id ?? '', second.stack('web').snapshot?.id ?? '']
    expect([first.exitCode, second.exitCode, second.stack('web').verification]).toEqual([0, 0, 'ok'])
    expect(second.stack('web').directory).toBe(join(moved, 'web'))
    const verifying = readFileSync(calls, 'utf8').split('\n').filter((line) => /^(ls|check|stats|dump) /.test(line))
    expect(verifying.some((line) => line.includes(fresh))).toBe(true)
    expect(verifying.some((line) => line.includes(old))).toBe(false)
    renameSync(moved, world.stacks)
    world.configure({ docker: { DOCKER_STACKS_DIR: world.stacks }, local_backup: { HOSTNAME: 'testhost', VERIFICATION_DEPTH: 'data' } })
  })

  it('defect 15: data that does not read back fails the stack and the run with 6', async () => {
    const [largest = ''] = packs(world.repository)
    const whole = readFileSync(largest)
    chmodSync(largest, 0o600)
    writeFileSync(largest, Buffer.from(whole).fill(0, whole.length >> 1, (whole.length >> 1) + 100))
    const call = await world.backup()
    expect(call.exitCode).toBe(6)
    expect(call.result.status).toBe('failed')
    expect(call.stack('web')).toMatchObject({ status: 'failed', verification: 'failed', problems: [{ severity: 'error', code: 'verification-failed' }] })
    const damaged = call.stack('web').snapshot?.id ?? ''
    expect((await world.snapshots()).find((one) => one.id === damaged)?.tags).toContain('partial')
    const status = await world.json<{ stacks: { lastSnapshot: { id: string } }[] }>(['status'])
    expect(status.result.stacks[0]?.lastSnapshot.id).toMatch(/^[0-9a-f]{64}$/)
    expect(status.result.stacks[0]?.lastSnapshot.id).not.toBe(damaged)
    writeFileSync(largest, whole)
    expect((await world.backup()).exitCode).toBe(0)
  })

  it('is skipped by --no-verify, and that is said', async () => {
    const call = await world.backup(['--no-verify'])
    expect([call.exitCode, call.stack('web').verification]).toEqual([0, 'skipped'])
  })

  it('defect 15: a retention that fails makes the run partial, 3', async () => {
    world.configure({ local_backup: { VERIFICATION_DEPTH: 'metadata', AUTO_PRUNE: null, KEEP_WITHIN: 0 } })
    web.write('data/blob', randomBytes(400_000))
    expect((await world.backup(['--no-prune'])).exitCode).toBe(0)
    // The data of a snapshot that stays is gone: its trees load, and no prune may go on.
    rmSync(packs(world.repository)[0] ?? '')
    const call = await world.backup()
    expect(call.stack('web').status).toBe('ok')
    expect(call.result.retention).toEqual({ status: 'failed', removed: 0 })
    expect(call.result.problems).toMatchObject([{ severity: 'error', code: 'retention-failed' }])
    expect([call.exitCode, call.result.status]).toEqual([3, 'partial'])
    expect((await world.run(['verify'])).exitCode).toBe(6)
  })
})

/** A mount namespace of a system that has no machine ID, such as Alpine. */
const withoutMachineId = ['unshare', '--mount', 'sh', '-c', 'for file in /etc/machine-id /var/lib/dbus/machine-id; do if [ -e $file ]; then mount --bind /dev/null $file; fi; done; exec "$@"', 'sh']

describe.skipIf(process.getuid?.() !== 0)('two machines of one hostname whose systems have no machine ID', () => {
  it('do not forget the snapshots of each other', async () => {
    const world = await makeWorld({ settings: { local_backup: { KEEP_WITHIN: 0, KEEP_LAST: 1, KEEP_DAILY: 0, KEEP_WEEKLY: 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0, ENABLE_VERIFICATION: false } } })
    try {
      await world.stack('web', { model: oneService, isUp: false })
      const first = await world.backup(['web'], { through: withoutMachineId })
      expect(first.exitCode, JSON.stringify(first.result)).toBe(0)
      // The other machine has all but the state folder, in which each has an ID of its own.
      const second = await world.backup(['web'], { through: withoutMachineId, environment: { STACKBK_STATE_DIR: join(world.root, 'other-state') } })
      expect(second.result).toMatchObject({ retention: { removed: 0 }, problems: [{ code: 'same-hostname' }] })
      const ids = (await world.snapshots()).map(({ id }) => id)
      expect(ids).toEqual([first.stack('web').snapshot?.id, second.stack('web').snapshot?.id])
    } finally {
      await world.remove()
    }
  })
})
