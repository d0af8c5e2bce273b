import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { quickHealthcheck } from '../fixtures/compose-stack.js'
import { testImage } from '../fixtures/busybox-image.js'
import { sampled } from '../fixtures/sampled.js'
import { canMakeDisks, makeSmallDisk, type SmallDisk } from '../fixtures/small-disk.js'
import { makeWorld, says, until, type LogLine, type World, type WorldStack } from '../fixtures/world.js'

/** Writes a number twenty times a second, from the moment it runs. */
const writer = {
  image: testImage,
  command: ['sh', '-c', "trap 'exit 0' TERM; touch /tmp/ready; n=0; while :; do n=$$((n + 1)); echo $$n >> /data/log; sleep 0.05; done"],
  healthcheck: quickHealthcheck(),
  network_mode: 'none',
  volumes: ['./data:/data'],
}
const services = { db: writer, app: { ...writer, volumes: [], command: ['sh', '-c', "trap 'exit 0' TERM; touch /tmp/ready; sleep 1000000 & wait"], depends_on: { db: { condition: 'service_healthy' } } } }

interface Place {
  readonly world: World
  readonly disk: SmallDisk
  readonly web: WorldStack
  readonly left: () => string[]
  readonly remove: () => Promise<void>
}

/** A world whose stack lies on a disk of its own. */
async function makePlace(kind: 'btrfs' | 'xfs'): Promise<Place> {
  const world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false } } })
  const disk = await makeSmallDisk({ path: join(world.root, 'disk'), bytes: 2 ** 31, kind })
  const web = await world.stack('web', { services, parent: disk.path, files: { 'data/blob': randomBytes(20_000_000) } })
  return {
    world,
    disk,
    web,
    left: () => [...readdirSync(disk.path).filter((name) => name.startsWith('.')), ...readdirSync(join(world.state, 'frozen'))],
    async remove() {
      await web.compose('down', '--timeout', '1').catch(() => {})
      await disk.remove()
      await world.remove()
    },
  }
}

const times = (log: readonly LogLine[], message: string): number => Date.parse(log.findLast((line) => line.message === message)?.at ?? '')

describe.skipIf(!canMakeDisks)('a stack on btrfs', () => {
  let place: Place
  beforeAll(async () => {
    place = await makePlace('btrfs')
  })
  afterAll(() => place.remove())

  it('is started again before it is read, from a copy of the moment in which it was stopped', async () => {
    const { world, web, left } = place
    const call = await world.backup()
    expect(call.exitCode, JSON.stringify(call.result.problems)).toBe(0)
    const report = call.stack('web')
    expect(report).toMatchObject({ status: 'ok', frozenBy: 'btrfs', warmPass: false, quiet: true, problems: [] })
    const log = world.log()
    expect(times(log, 'confirmed up')).toBeLessThan(times(log, 'snapshot of the frozen copy ended'))
    expect(report.downtimeMs).toBeLessThan(times(log, 'snapshot of the frozen copy ended') - times(log, 'stopping'))

    // What the writer has written since it was started again is not in it, and all that it wrote before is.
    const id = report.snapshot?.id ?? ''
    const kept = (await world.dump(id, join(web.directory, 'data/log'))).toString()
    const live = web.read('data/log')
    expect(live.startsWith(kept)).toBe(true)
    const restarts = live.split('\n').map((line, index, lines) => (line === '1' ? lines.slice(0, index).join('\n').length + 1 : -1)).filter((position) => position > 0)
    expect(kept.length).toBe(restarts.at(-1))
    expect((await world.dump(id, join(web.directory, 'data/blob'))).equals(readFileSync(join(web.directory, 'data/blob')))).toBe(true)
    expect((await world.snapshots()).at(-1)?.paths).toContain(web.directory)
    expect(left()).toEqual([])
    await world.check()
  })

  it('is known again by restic the next time: only what has changed is read', async () => {
    const call = await place.world.backup()
    // The log, and the capsule.
    expect(call.stack('web')).toMatchObject({ status: 'ok', frozenBy: 'btrfs', snapshot: { filesNew: 0, filesChanged: 2, filesUnmodified: 2 } })
  })

  it.each(sampled(['down', 'stop', 'pause']))('is frozen after %s, and gives back what ran', async (mode) => {
    const call = await place.world.backup(['--stop-mode', mode])
    expect(call.stack('web')).toMatchObject({ status: 'ok', stopMode: mode, frozenBy: 'btrfs', quiet: true })
    expect(await place.web.running()).toEqual(['app', 'db'])
    expect(place.left()).toEqual([])
  })

  it('is not frozen where that is said, or for a dry run, which says that it would be', async () => {
    const { world, left } = place
    world.configure({ 'stack:web': { FREEZE: 'none' } })
    expect((await world.backup()).stack('web')).toMatchObject({ status: 'ok', frozenBy: null })
    world.configure({ 'stack:web': { FREEZE: null } })
    const dry = await world.run(['backup', '--dry-run'])
    expect(dry.stdout + dry.stderr).toMatch(/would stop it \(down\), freeze this \(btrfs\), start it again, and read the frozen copy\n {2}\S+\/web\n/)
    expect(left()).toEqual([])
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('that %s meets while its copy is read runs, and no copy and no lock is left', async (signal, exitCode) => {
    const { world, web, left } = place
    web.write('data/blob', randomBytes(100_000_000))
    const underway = await world.startUntil(['backup'], says('confirmed up', 'web'))
    underway.signal(signal)
    expect((await underway.ended).exitCode).toBe(exitCode)
    expect(await web.running()).toEqual(['app', 'db'])
    expect([left(), world.journal(), world.processes(), readdirSync(join(world.repository, 'locks'))]).toEqual([[], [], [], []])
  })

  it.each(sampled(['frozen', 'stopping', 'confirmed up']))('of which a run was killed after "%s" has no copy left after resume', async (message) => {
    const { world, web, left } = place
    web.write('data/blob', randomBytes(100_000_000))
    const underway = await world.startUntil(['backup'], says(message, 'web'))
    underway.signal('SIGKILL')
    await underway.ended
    if (message !== 'stopping') expect(left()).not.toEqual([])
    expect((await world.resume()).exitCode).toBe(0)
    expect(await web.running()).toEqual(['app', 'db'])
    expect([left(), world.journal()]).toEqual([[], []])
    await until('nothing of it lives on', () => world.processes().length === 0)
    await world.check()
  })

  it('with a place elsewhere is read while it is stopped, and says so where freezing was asked for', async () => {
    const { world, web } = place
    web.write('compose.yaml', { name: web.project, services: { ...services, db: { ...writer, volumes: ['./data:/data', 'keep:/keep'] } }, volumes: { keep: {} } })
    await web.up()
    expect((await world.backup()).stack('web')).toMatchObject({ status: 'ok', frozenBy: null, problems: [] })
    world.configure({ 'stack:web': { FREEZE: 'btrfs' } })
    const asked = (await world.backup()).stack('web')
    expect(asked).toMatchObject({ status: 'ok', frozenBy: null, problems: [{ severity: 'warning', code: 'not-frozen' }] })
    world.configure({ 'stack:web': { FREEZE: 'zfs' } })
    expect((await world.backup()).stack('web')).toMatchObject({ status: 'ok', frozenBy: null, problems: [{ severity: 'warning', code: 'not-frozen', message: expect.stringContaining('zfs') as string }] })
  })
})

describe.skipIf(!canMakeDisks)('a stack on XFS', () => {
  let place: Place
  beforeAll(async () => {
    place = await makePlace('xfs')
  })
  afterAll(() => place.remove())

  it('is copied by reflink for its first backup, and by itself for no other', async () => {
    const { world, web, left } = place
    const first = (await world.backup()).stack('web')
    expect(first).toMatchObject({ status: 'ok', frozenBy: 'reflink', quiet: true, problems: [], snapshot: { filesChanged: 0, filesUnmodified: 0 } })
    expect((await world.dump(first.snapshot?.id ?? '', join(web.directory, 'data/blob'))).equals(readFileSync(join(web.directory, 'data/blob')))).toBe(true)
    expect(left()).toEqual([])
    expect((await world.backup()).stack('web')).toMatchObject({ status: 'ok', frozenBy: null })
    world.configure({ 'stack:web': { FREEZE: 'reflink' } })
    expect((await world.backup()).stack('web')).toMatchObject({ status: 'ok', frozenBy: 'reflink' })
    expect(left()).toEqual([])
  })

  it('of which all has to be read anew after that gets a warm pass', async () => {
    const { world, web } = place
    world.configure({ 'stack:web': { FREEZE: null } })
    web.write('data/more', randomBytes(70_000_000))
    expect((await world.backup()).stack('web')).toMatchObject({ status: 'ok', frozenBy: null, warmPass: true })
    expect((await world.backup()).stack('web')).toMatchObject({ status: 'ok', frozenBy: null, warmPass: false })
  })
})
