import { randomBytes } from 'node:crypto'
import { appendFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import { quickHealthcheck } from '../fixtures/compose-stack.js'
import { makeQuickRepository } from '../fixtures/quick-repository.js'
import { sampled } from '../fixtures/sampled.js'
import { slowRestic } from '../fixtures/slow-restic.js'
import { canMakeDisks, makeSmallDisk, type SmallDisk } from '../fixtures/small-disk.js'
import { testImage } from '../fixtures/busybox-image.js'
import { makeWorld, says, type World, type WorldStack } from '../fixtures/world.js'

/** The tools' and the system's own words for it. */
const noSpace = /no space left on device/i
/** Of a tmpfs, as large as the largest that is common. */
const pageBytes = 65_536

/** Slow enough to stop and to start that a disk can be filled in between. */
const slow = {
  image: testImage,
  command: ['sh', '-c', "trap 'sleep 0.5; exit 0' TERM; sleep 0.5; touch /tmp/ready; sleep 1000000 & wait"],
  healthcheck: quickHealthcheck(),
  network_mode: 'none',
  volumes: ['./data:/data'],
}
const two = { db: slow, app: { ...slow, depends_on: { db: { condition: 'service_healthy' } } } }

/** Everything that must be so whatever disk was full: it runs, nothing waits, nothing of ours is left in the way. */
async function expectAsBefore(world: World, web: WorldStack): Promise<void> {
  expect(await web.running()).toEqual(['app', 'db'])
  expect(world.processes()).toEqual([])
  expect(entriesOf(join(world.state, 'journal'))).toEqual([])
  expect(entriesOf(join(world.state, 'children'))).toEqual([])
  expect(entriesOf(world.temporary)).toEqual([])
}

async function expectNextBackupGood(world: World, repository: string): Promise<void> {
  const call = await world.backup()
  expect(call.exitCode, JSON.stringify(call.result.problems)).toBe(0)
  expect(call.stack('web')).toMatchObject({ status: 'ok', stateBefore: 'running', servicesBefore: ['app', 'db'], quiet: true, verification: 'ok' })
  expect(entriesOf(join(repository, 'locks'))).toEqual([])
  await world.check(repository)
}

/** Adds empty lines, which say nothing, to the end of its last page. */
function fillPage(path: string): void {
  const page = 4096
  appendFileSync(path, '\n'.repeat((page - (statSync(path).size % page)) % page))
}

/** Files that are half of something. */
function halves(folder: string): string[] {
  return entriesOf(folder).flatMap((name) => (/\.(?:tmp|new)$|^probe$/.test(name) ? [name] : halves(join(folder, name))))
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** On a full disk the last page of a file still takes what fits into it: a few lines of a log. Empty lines take that room. */
function fillLastPage(path: string): void {
  try {
    appendFileSync(path, '\n'.repeat(pageBytes))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

describe.skipIf(!canMakeDisks)('a full disk under the state folder', () => {
  let world: World
  let web: WorldStack
  let disk: SmallDisk

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { KEEP_WITHIN: 0 } } })
    disk = await makeSmallDisk({ path: world.state, bytes: 8 << 20 })
    web = await world.stack('web', { services: two })
    expect((await world.backup()).exitCode).toBe(0)
  })
  afterEach(async () => {
    disk.drain()
    expect(halves(world.state)).toEqual([])
  })
  afterAll(async () => {
    await disk.remove()
    await world.remove()
  })

  it('from the beginning: nothing is touched, and the error says which folder, why and what to do', async () => {
    disk.fill()
    const [before, snapshots, watch] = [await web.containers(), await world.snapshots(), await world.watch()]
    const { exitCode, stdout, stderr } = await world.run(['backup'])
    expect(exitCode).toBe(1)
    expect(stdout).toBe('')
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(`the state folder ${world.state} cannot be written`), expect.stringMatching(noSpace), expect.stringMatching(/Free space/)])
    expect(await watch.close()).toEqual([])
    expect(await web.containers()).toBe(before)
    expect(await world.snapshots()).toEqual(snapshots)
    disk.drain()
    await expectAsBefore(world, web)
    await expectNextBackupGood(world, world.repository)
  })

  it('before the journal is written: nothing is stopped', async () => {
    const [before, watch] = [await web.containers(), await world.watch()]
    const underway = await world.startUntil(['backup', '--json'], says('backing up'))
    disk.fill()
    const { exitCode, stdout } = await underway.ended
    const result = JSON.parse(stdout) as BackupResult
    expect(result.stacks).toMatchObject([{ name: 'web', status: 'failed', snapshot: null, downtimeMs: null, problems: [{ severity: 'error', message: expect.stringMatching(noSpace) as string, fix: expect.stringContaining('Free space') as string, stack: 'web' }] }])
    expect(result.stacks[0]?.problems[0]?.message).toContain(world.state)
    expect(exitCode).toBe(1)
    expect(await watch.close()).toEqual([])
    expect(await web.containers()).toBe(before)
    disk.drain()
    await expectAsBefore(world, web)
    await expectNextBackupGood(world, world.repository)
  })

  it.each(sampled(['starting', 'stopped', 'stopping', 'snapshot begun']))('from the moment at which the log says "%s": the stack is started, its snapshot is whole, and the report says what could not be noted', async (moment) => {
    web.write('data/blob', randomBytes(5_000_000))
    const underway = await world.startUntil(['backup', '--no-prune', '--json'], says(moment, 'web'))
    disk.fill()
    fillLastPage(join(world.state, 'stackbk.log'))
    const { exitCode, stdout } = await underway.ended
    const result = JSON.parse(stdout) as BackupResult
    expect(exitCode, stdout).toBe(0)
    expect(result.stacks).toMatchObject([{ name: 'web', status: 'ok', quiet: true, verification: 'ok' }])
    expect(result.problems).toContainEqual({ severity: 'warning', code: 'run-log-incomplete', message: expect.stringMatching(noSpace) as string, fix: expect.stringContaining(world.state) as string })
    disk.drain()
    await expectAsBefore(world, web)
    await expectNextBackupGood(world, world.repository)
  })

  it('when old snapshots are to be forgotten: none is, since that could not be noted first, and the report says so', async () => {
    web.write('data/blob', randomBytes(5_000_000))
    const before = (await world.snapshots()).map(({ id }) => id)
    // The journal's entry gives its room back when it goes.
    const underway = await world.startUntil(['backup', '--json'], (log) => says('starting', 'web')(log) && world.journal().length === 0)
    disk.fill()
    // A last page that is not full yet would take a line more.
    for (const name of entriesOf(join(world.state, 'repositories'))) fillPage(join(world.state, 'repositories', name))
    const { exitCode, stdout } = await underway.ended
    const result = JSON.parse(stdout) as BackupResult
    expect([exitCode, result.retention], stdout).toEqual([3, { status: 'failed', removed: 0 }])
    expect(result.stacks).toMatchObject([{ name: 'web', status: 'ok' }])
    expect(result.problems).toContainEqual({ severity: 'error', code: 'retention-failed', message: expect.stringMatching(noSpace) as string, fix: expect.stringContaining(world.state) as string })
    expect((await world.snapshots()).map(({ id }) => id)).toEqual([...before, result.stacks[0]?.snapshot?.id])
    disk.drain()
    await expectAsBefore(world, web)
    await expectNextBackupGood(world, world.repository)
  })

  it('while a killed run has left the stack stopped: resume starts it all the same', async () => {
    const underway = await world.startUntil(['backup'], says('stopped', 'web'))
    underway.signal('SIGKILL')
    await underway.ended
    disk.fill()
    const { exitCode, result } = await world.resume()
    expect(result.stacks).toEqual([{ name: 'web', servicesBefore: ['app', 'db'], action: 'started', status: 'ok' }])
    expect(exitCode).toBe(0)
    disk.drain()
    expect(await web.running()).toEqual(['app', 'db'])
    await expectNextBackupGood(world, world.repository)
    await expectAsBefore(world, web)
  })
})

describe.skipIf(!canMakeDisks)('a full disk under the repository', () => {
  let world: World
  let web: WorldStack
  let disk: SmallDisk
  let repository: string

  beforeAll(async () => {
    world = await makeWorld({ settings: { docker: { WARM_PASS: false }, local_backup: { KEEP_WITHIN: 0, KEEP_LAST: 1, KEEP_DAILY: 0, KEEP_WEEKLY: 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0 } } })
    disk = await makeSmallDisk({ path: join(world.root, 'disk'), bytes: 150 << 20 })
    repository = join(disk.path, 'repository')
    makeQuickRepository(repository, 'secret')
    world.configure({ local_backup: { RESTIC_REPOSITORY: repository } })
    web = await world.stack('web', { services: two })
    expect((await world.backup()).exitCode).toBe(0)
  })
  afterEach(() => disk.drain())
  afterAll(async () => {
    await disk.remove()
    await world.remove()
  })

  it('in mid-snapshot: the stack is started, the error has restic\'s own words, and nothing is in the way of the next one', async () => {
    web.write('data/blob', randomBytes(30_000_000))
    const underway = await world.startUntil(['backup', '--json'], says('snapshot begun', 'web'), { environment: slowRestic(world, 4_000) })
    disk.fill()
    const { exitCode, stdout } = await underway.ended
    const result = JSON.parse(stdout) as BackupResult
    expect(result.stacks, JSON.stringify(result)).toMatchObject([{ name: 'web', status: 'failed', snapshot: null, problems: [{ severity: 'error', code: 'snapshot-failed', message: expect.stringMatching(noSpace) as string, stack: 'web' }] }])
    expect(exitCode).toBe(1)
    await expectAsBefore(world, web)
    disk.drain()
    await expectNextBackupGood(world, repository)
  })

  it('before the stop: nothing is stopped', async () => {
    disk.fill()
    const [before, watch] = [await web.containers(), await world.watch()]
    const call = await world.backup()
    expect(call.exitCode).toBe(1)
    expect(call.stack('web')).toMatchObject({ status: 'failed', snapshot: null, downtimeMs: null, problems: [{ severity: 'error', message: expect.stringMatching(noSpace) as string }] })
    expect(await watch.close()).toEqual([])
    expect(await web.containers()).toBe(before)
    await expectAsBefore(world, web)
    disk.drain()
    await expectNextBackupGood(world, repository)
  })

  it('after the start: the snapshot counts, and what could not be thinned out is said', async () => {
    web.write('data/blob', randomBytes(30_000_000))
    const underway = await world.startUntil(['backup', '--no-verify', '--json'], says('starting', 'web'))
    disk.fill()
    const { exitCode, stdout } = await underway.ended
    const result = JSON.parse(stdout) as BackupResult
    expect(result.stacks[0]?.snapshot?.id).toMatch(/^[0-9a-f]{64}$/)
    expect([exitCode, result.retention.status], stdout).toEqual([3, 'failed'])
    expect(result.problems).toContainEqual(expect.objectContaining({ code: 'retention-failed', message: expect.stringMatching(noSpace) as string }))
    await expectAsBefore(world, web)
    disk.drain()
    await expectNextBackupGood(world, repository)
  })
})

describe.skipIf(!canMakeDisks)('a full disk under TMPDIR', () => {
  let world: World
  let web: WorldStack
  let disk: SmallDisk

  beforeAll(async () => {
    world = await makeWorld()
    disk = await makeSmallDisk({ path: join(world.root, 'small'), bytes: 4 << 20 })
    web = await world.stack('web', { services: two })
  })
  afterEach(() => disk.drain())
  afterAll(async () => {
    await disk.remove()
    await world.remove()
  })

  it('fails the snapshot, with the reason, and the stack runs', async () => {
    web.write('data/blob', randomBytes(20_000_000))
    disk.fill()
    const call = await world.backup([], { environment: { TMPDIR: disk.path } })
    expect(call.exitCode).toBe(1)
    expect(call.stack('web')).toMatchObject({ status: 'failed', snapshot: null, problems: [{ severity: 'error', message: expect.stringMatching(noSpace) as string }] })
    await expectAsBefore(world, web)
    expect(readdirSync(disk.path)).toEqual(['filler'])
    disk.drain()
    await expectNextBackupGood(world, world.repository)
  })
})
