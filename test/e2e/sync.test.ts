import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { makeQuickRepository } from '../fixtures/quick-repository.js'
import { makeWorld, oneService, type World, type WorldStack } from '../fixtures/world.js'

let world: World
let web: WorldStack

beforeAll(async () => {
  // Stopped: what is copied is the same, and nothing has to be waited for.
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false }, cloud_sync: { RETRIES: 0 } } })
  web = await world.stack('web', { model: oneService, isUp: false })
})
afterAll(() => world.remove())

/** Another snapshot, with data of its own. */
async function addSnapshot(bytes = 100_000): Promise<string> {
  web.write('data/blob', randomBytes(bytes))
  const call = await world.backup()
  expect(call.exitCode).toBe(0)
  return call.stack('web').snapshot?.id ?? ''
}

/** Paths and contents of what makes up a repository. */
function filesOf(repository: string): string {
  const folders = ['data', 'index', 'keys', 'snapshots'].filter((name) => existsSync(join(repository, name)))
  const files = folders.flatMap((name) => (readdirSync(join(repository, name), { recursive: true }) as string[]).map((file) => `${name}/${file}`).filter((file) => /[0-9a-f]{64}$/.test(file)))
  return [...files.sort(), readFileSync(join(repository, 'config')).toString('hex')].join('\n')
}

describe('the copy', () => {
  it('is complete, equal and sound', async () => {
    await addSnapshot()
    const { exitCode, result } = await world.sync()
    expect(exitCode, JSON.stringify(result)).toBe(0)
    expect(result).toMatchObject({ command: 'sync', status: 'ok', remote: 'cloud:/backup', verified: true, deleted: { files: 0, snapshots: 0, bytes: 0 }, problems: [] })
    expect(result.uploaded.bytes).toBeGreaterThan(100_000)
    expect(filesOf(world.cloud)).toBe(filesOf(world.repository))
    await world.check(world.cloud)
  })

  it('takes nothing that is there already', async () => {
    const before = world.picture(world.cloud)
    const { result } = await world.sync()
    expect(result).toMatchObject({ status: 'ok', uploaded: { files: 0, bytes: 0 }, verified: true })
    expect(world.picture(world.cloud)).toBe(before)
  })

  it('of run comes right after the backup, also when a stack of it could not be backed up', async () => {
    world.enable('gone')
    web.write('data/blob', randomBytes(1000))
    const { exitCode, result } = await world.json<{ backup: { status: string }; sync: { status: string } }>(['run'])
    expect(result).toMatchObject({ command: 'run', status: 'partial', backup: { status: 'partial' }, sync: { status: 'ok', verified: true } })
    expect(exitCode).toBe(3)
    expect(filesOf(world.cloud)).toBe(filesOf(world.repository))
    world.disable('gone')
  })

  it('loses what stackbk has forgotten, and is still sound', async () => {
    const [oldest] = await world.snapshots()
    const forgotten = await world.run(['snapshots', 'forget', oldest?.id ?? '', '--yes'])
    expect(forgotten.exitCode, forgotten.stderr).toBe(0)
    const { exitCode, result } = await world.sync()
    expect(exitCode, JSON.stringify(result)).toBe(0)
    expect(result.deleted).toMatchObject({ snapshots: 1 })
    expect(filesOf(world.cloud)).toBe(filesOf(world.repository))
    await world.check(world.cloud)
  })

  it('is mended where a file is there only by half', async () => {
    const pack = (readdirSync(join(world.cloud, 'data'), { recursive: true }) as string[]).find((file) => /[0-9a-f]{64}$/.test(file)) ?? ''
    const path = join(world.cloud, 'data', pack)
    const whole = readFileSync(path)
    rmSync(path)
    writeFileSync(path, whole.subarray(0, 100))
    const { exitCode, result } = await world.sync()
    expect([exitCode, result.uploaded.files]).toEqual([0, 1])
    expect(readFileSync(path).equals(whole)).toBe(true)
  })
})

describe('the copy is never worse than before', () => {
  let copy: string

  /** As it was before each of these: repository, copy and what this host remembers of both. */
  beforeEach(async () => {
    if ((await world.snapshots()).length < 2) await addSnapshot()
    expect((await world.sync()).exitCode).toBe(0)
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
    ['emptied', () => readdirSync(world.repository).forEach((name) => rmSync(join(world.repository, name), { recursive: true })), 10],
    ['unmounted', () => rmSync(world.repository, { recursive: true }), 10],
    ['left with config and keys alone', () => ['data', 'index', 'snapshots'].forEach((name) => readdirSync(join(world.repository, name)).forEach((file) => rmSync(join(world.repository, name, file), { recursive: true }))), 7],
    ['without its snapshots', () => readdirSync(join(world.repository, 'snapshots')).forEach((file) => rmSync(join(world.repository, 'snapshots', file))), 7],
  ])('defect 9: a sync from a repository that was %s deletes nothing', async (_, wipe, code) => {
    wipe()
    const { exitCode } = await world.run(['sync'])
    expect(exitCode).toBe(code)
    expect(world.picture(world.cloud)).toBe(copy)
  })

  it('defect 9: another repository at the place of the known one is not synced, whatever the flags', async () => {
    rmSync(world.repository, { recursive: true })
    makeQuickRepository(world.repository, 'secret')
    for (const flags of [[], ['--allow-delete'], ['--allow-delete', '--yes']]) {
      const { exitCode, stdout } = await world.run(['sync', '--json', ...flags])
      expect([exitCode, JSON.parse(stdout)]).toMatchObject([10, { error: { code: 'repository-changed', exitCode: 10 } }])
    }
    const { exitCode, stdout } = await world.run(['sync', '--json', '--accept-repository', '--allow-delete', '--yes'])
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([7, { error: { code: 'another-repository', exitCode: 7 } }])
    expect(world.picture(world.cloud)).toBe(copy)
  })

  it('defect 33: a rolled-back repository with the same ID deletes no newer snapshot', async () => {
    const older = join(world.root, 'older')
    cpSync(world.repository, older, { recursive: true })
    const newer = await addSnapshot()
    expect((await world.sync()).exitCode).toBe(0)
    rmSync(world.repository, { recursive: true })
    renameSync(older, world.repository)
    copy = world.picture(world.cloud)

    const refused = await world.sync()
    expect(refused.exitCode).toBe(7)
    expect(refused.result).toMatchObject({ status: 'partial', deleted: { files: 0, snapshots: 0 }, problems: [{ code: 'unproven-deletion', fix: expect.stringContaining('--allow-delete') as string }] })
    expect(world.picture(world.cloud)).toBe(copy)

    // What is new here goes up all the same, and nothing goes.
    const own = await addSnapshot()
    expect((await world.sync()).exitCode).toBe(7)
    expect(readdirSync(join(world.cloud, 'snapshots'))).toEqual(expect.arrayContaining([newer, own]))
    await world.check(world.cloud)

    const allowed = await world.sync('--allow-delete')
    expect([allowed.exitCode, allowed.result.deleted.snapshots]).toEqual([0, 1])
    expect(readdirSync(join(world.cloud, 'snapshots'))).not.toContain(newer)
    await world.check(world.cloud)
  })

  it("a snapshot that this host never held stays until --allow-delete, with a state folder that was lost too", async () => {
    const [oldest] = await world.snapshots()
    await world.restic('forget', oldest?.id ?? '')
    rmSync(world.state, { recursive: true })
    const { exitCode, result } = await world.sync()
    expect(exitCode).toBe(7)
    expect(result.problems).toMatchObject([{ code: 'unproven-deletion' }])
    expect(world.picture(world.cloud)).toBe(copy)
  })

  it('a damaged repository deletes nothing from its sound copy', async () => {
    const [oldest] = await world.snapshots()
    expect((await world.run(['snapshots', 'forget', oldest?.id ?? '', '--yes'])).exitCode).toBe(0)
    const packs = (readdirSync(join(world.repository, 'data'), { recursive: true }) as string[]).filter((file) => /[0-9a-f]{64}$/.test(file))
    for (const pack of packs) rmSync(join(world.repository, 'data', pack))
    const { exitCode } = await world.run(['sync'])
    expect(exitCode).not.toBe(0)
    const packsThere = (readdirSync(join(world.cloud, 'data'), { recursive: true }) as string[]).filter((file) => /[0-9a-f]{64}$/.test(file))
    expect(packsThere).toEqual(expect.arrayContaining(packs))
    await world.check(world.cloud)
  })

  it('a folder that holds something else is left alone', async () => {
    const photos = join(world.root, 'remote', 'photos')
    mkdirSync(photos)
    writeFileSync(join(photos, 'one.jpg'), 'x')
    world.configure({ cloud_sync: { RCLONE_PATH: '/photos' } })
    const { exitCode, stdout } = await world.run(['sync', '--json'])
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([7, { error: { code: 'remote-not-a-repository' } }])
    expect(readdirSync(photos)).toEqual(['one.jpg'])
    world.configure({ cloud_sync: { RCLONE_PATH: '/backup' } })
  })

  it('half of another repository, its config gone, is not mixed with ours, whatever the flags', async () => {
    const other = join(world.root, 'remote', 'other')
    makeQuickRepository(other, 'secret')
    rmSync(join(other, 'config'))
    const before = world.picture(other)
    world.configure({ cloud_sync: { RCLONE_PATH: '/other' } })
    const { exitCode, stdout } = await world.run(['sync', '--allow-delete', '--json'])
    world.configure({ cloud_sync: { RCLONE_PATH: '/backup' } })
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([7, { error: { code: 'another-repository' } }])
    expect(world.picture(other)).toBe(before)
  })

  it.each([
    ['gone', (config: string): void => rmSync(config), []],
    ['cut short', (config: string): void => (rmSync(config), writeFileSync(config, '')), [{ severity: 'warning', code: 'remote-config-damaged' }]],
    ['rotten', (config: string): void => (rmSync(config), writeFileSync(config, randomBytes(155))), [{ severity: 'warning', code: 'remote-config-damaged' }]],
  ])('our own copy with a config that is %s gets it again', async (_, spoil, problems) => {
    spoil(join(world.cloud, 'config'))
    const { exitCode, result } = await world.sync()
    expect([exitCode, result.problems, result.uploaded.files]).toMatchObject([0, problems, 1])
    expect(filesOf(world.cloud)).toBe(filesOf(world.repository))
    await world.check(world.cloud)
  })

  it('defect 28: a sync killed in mid-upload leaves a copy that is sound, and the next one completes it', async () => {
    await addSnapshot(6_000_000)
    world.configure({ cloud_sync: { BANDWIDTH: '2M' } })
    const packs = (): number => (readdirSync(join(world.cloud, 'data'), { recursive: true }) as string[]).length
    const before = packs()
    const underway = await world.startUntil(['sync'], () => packs() > before)
    underway.signal('SIGKILL')
    await underway.ended
    world.configure({ cloud_sync: { BANDWIDTH: null } })
    await world.check(world.cloud)
    const { exitCode, result } = await world.sync()
    expect(exitCode, JSON.stringify(result)).toBe(0)
    expect(world.processes()).toEqual([])
    expect(filesOf(world.cloud)).toBe(filesOf(world.repository))
    await world.check(world.cloud)
  })
})

it('sync --test reaches the remote and writes nothing', async () => {
  const before = world.picture(world.cloud, world.repository, world.state)
  const { exitCode, result } = await world.sync('--test')
  expect([exitCode, result]).toMatchObject([0, { status: 'ok', remote: 'cloud:/backup', verified: false, uploaded: { files: 0 } }])
  expect(world.picture(world.cloud, world.repository, world.state)).toBe(before)
})
