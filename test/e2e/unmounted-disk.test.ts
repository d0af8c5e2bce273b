import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { politeCommand } from '../fixtures/compose-stack.js'
import { sampled } from '../fixtures/sampled.js'
import { canMakeDisks, makeSmallDisk, type SmallDisk } from '../fixtures/small-disk.js'
import { makeWorld, says, type World, type WorldStack } from '../fixtures/world.js'

const polite = { image: testImage, command: politeCommand, network_mode: 'none' }

/** Does not end while there is a file called `on`: that leaves the time to take the disk away from the other. */
const late = { ...polite, command: ['sh', '-c', "trap 'while [ -e /hold/on ]; do sleep 0.05; done; exit 0' TERM; sleep 1000000 & wait"], volumes: ['./hold:/hold'] }

/** As a database does: where it finds no data it begins anew, and is well. */
const database = { ...polite, command: ['sh', '-c', "trap 'exit 0' TERM; [ -e /data/rows ] || echo none > /data/rows; sleep 1000000 & wait"], volumes: ['./disk/data:/data'] }

describe.skipIf(!canMakeDisks).each(sampled(['down', 'stop'] as const))('a stack whose disk is unmounted while it is down, by mode %s', (mode) => {
  let world: World
  let stack: WorldStack
  let other: WorldStack
  let disk: SmallDisk
  let isMounted = true
  /** The stack's good snapshots, with every row in them. */
  let good: readonly string[]

  beforeAll(async () => {
    world = await makeWorld({ settings: { docker: { STOP_MODE: mode, DOCKER_TIMEOUT: 60 }, local_backup: { ENABLE_VERIFICATION: false, KEEP_WITHIN: 0, KEEP_LAST: 1, KEEP_DAILY: 0, KEEP_WEEKLY: 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0 } } })
    disk = await makeSmallDisk({ path: join(world.stacks, 'media', 'disk'), bytes: 8_000_000, kind: 'ext4' })
    mkdirSync(join(disk.path, 'data'))
    writeFileSync(join(disk.path, 'data', 'rows'), 'all the rows\n')
    stack = await world.stack('media', { services: { db: database, late }, files: { 'hold/off': '' } })
    other = await world.stack('other', { services: { app: polite } })
  })
  afterAll(async () => {
    await disk.remove()
    await world.remove()
  })

  const ofStack = async (): Promise<Awaited<ReturnType<World['snapshots']>>> => (await world.snapshots()).filter(({ tags }) => tags.includes('stack:media'))
  const unmount = async (): Promise<void> => {
    await disk.unmount()
    isMounted = false
  }
  beforeEach(async () => {
    const call = await world.backup(['media'])
    expect([call.exitCode, call.result.problems, call.stack('media')]).toMatchObject([0, [], { status: 'ok', quiet: true, stopMode: mode }])
    // What was made of the empty folder says of itself that it is not whole, and is kept apart.
    good = (await ofStack()).filter(({ tags }) => !tags.includes('partial')).map(({ id }) => id)
    expect(good).toEqual([call.stack('media').snapshot?.id])
  })
  afterEach(async () => {
    if (!isMounted) await disk.mount()
    isMounted = true
    await world.resume()
  })

  /** Nothing runs on the empty folder, nothing was made in it, and nothing is lost. */
  async function expectKeptDown(): Promise<void> {
    expect(await stack.running()).toEqual([])
    expect(readdirSync(disk.path)).toEqual([])
    expect(world.journal().map(({ name }) => name)).toEqual(['media'])
    expect((await ofStack()).map(({ id }) => id)).toEqual(expect.arrayContaining([...good]))
    const { result } = await world.json<{ stacks: { name: string; lastSnapshot: { id: string } | null }[] }>(['status'])
    expect(result.stacks.find(({ name }) => name === 'media')?.lastSnapshot?.id).toBe(good[0])
  }

  async function expectBackOnceMounted(): Promise<void> {
    await disk.mount()
    isMounted = true
    const { exitCode, result } = await world.resume()
    expect([exitCode, result.stacks]).toEqual([0, [{ name: 'media', servicesBefore: ['db', 'late'], action: 'started', status: 'ok' }]])
    await expectAllBack()
  }

  async function expectAllBack(): Promise<void> {
    expect([await stack.running(), stack.read('disk/data/rows'), world.journal()]).toEqual([['db', 'late'], 'all the rows\n', []])
  }

  it('defect 31: is not started, keeps its journal and its snapshots, and is started by resume once the disk is back; the others go on', async () => {
    stack.write('hold/on', '')
    const underway = await world.startUntil(['backup', '--json'], says('stopping', 'media'))
    await unmount()
    rmSync(join(stack.directory, 'hold', 'on'))
    const { exitCode, stdout } = await underway.ended
    const result = JSON.parse(stdout) as BackupResult
    expect(exitCode, stdout).toBe(3)
    expect(result.stacks).toMatchObject([{ name: 'media', status: 'failed' }, { name: 'other', status: 'ok', stateBefore: 'running', quiet: true }])
    expect(result.stacks[0]?.problems.find(({ code }) => code === 'source-moved')).toMatchObject({ severity: 'error', message: expect.stringMatching(/NOT STARTED.*disk/) as string, fix: 'Mount the disk, then run: stackbk resume' })
    await expectKeptDown()
    expect(await other.running()).toEqual(['app'])

    const resumed = await world.resume()
    expect([resumed.exitCode, resumed.result]).toMatchObject([1, { status: 'failed', stacks: [{ name: 'media', action: 'waiting', status: 'failed' }], problems: [{ severity: 'error', code: 'source-moved', stack: 'media' }] }])
    const night = await world.backup()
    expect([night.exitCode, night.stack('media'), night.stack('other')]).toMatchObject([3, { status: 'failed', snapshot: null, problems: [{ code: 'left-stopped' }] }, { status: 'ok' }])
    await expectKeptDown()
    await expectBackOnceMounted()
  })

  it('defect 31: after a kill as well, whether resume or the next backup comes first', async () => {
    const underway = await world.startUntil(['backup'], says('stopped', 'media'))
    underway.signal('SIGKILL')
    await underway.ended
    await unmount()
    expect((await world.resume()).exitCode).toBe(1)
    await expectKeptDown()
    const night = await world.backup()
    expect([night.exitCode, night.stack('media'), night.stack('other')]).toMatchObject([3, { status: 'failed', snapshot: null }, { status: 'ok' }])
    await expectKeptDown()
    expect(existsSync(join(disk.path, 'data'))).toBe(false)
    await expectBackOnceMounted()
  })

  it.skipIf(mode === 'down')('defect 31: a disk that has another number when it is mounted again may be another one: it is asked for, and then started', async () => {
    const underway = await world.startUntil(['backup'], says('stopped', 'media'))
    underway.signal('SIGKILL')
    await underway.ended
    await unmount()
    await disk.renumber()
    await disk.mount()
    isMounted = true
    const { exitCode, result } = await world.resume()
    expect([exitCode, result.problems]).toMatchObject([1, [{ code: 'source-moved', fix: expect.stringContaining('stackbk resume --force media') as string }]])
    expect(await stack.running()).toEqual([])
    expect((await world.resume('--force', 'media')).exitCode).toBe(0)
    await expectAllBack()
  })
})
