import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { testImage } from '../fixtures/busybox-image.js'
import { sampled } from '../fixtures/sampled.js'
import { makeWorld, says, until, type World, type WorldStack } from '../fixtures/world.js'

const polite = { image: testImage, command: ['sh', '-c', "trap 'exit 0' TERM; sleep 1000000 & wait"], network_mode: 'none', volumes: ['./data:/data'] }

let world: World
let web: WorldStack

beforeAll(async () => {
  world = await makeWorld({ settings: { docker: { WARM_PASS: 'true' }, local_backup: { AUTO_PRUNE: false } } })
  web = await world.stack('web', { services: { app: polite }, files: { 'data/one': 'one', 'data/two': randomBytes(5_000_000) } })
})
afterAll(() => world.remove())

const warm = async (): Promise<string[]> => (await world.snapshots()).filter(({ tags }) => tags.includes('stackbk-warm')).map(({ id }) => id)
const locks = (): string[] => readdirSync(join(world.repository, 'locks'))
const warmFrom = (log: readonly { message: string; snapshot?: unknown }[]): unknown => log.findLast(({ message }) => message === 'warm pass ended')?.snapshot

describe('a warm pass', () => {
  it('reads the live stack first, is the parent of the snapshot, and is gone at the end', async () => {
    const call = await world.backup()
    expect(call.exitCode, JSON.stringify(call.result.problems)).toBe(0)
    // The three files of the stack, the one of ours.
    expect(call.stack('web')).toMatchObject({ status: 'ok', quiet: true, warmPass: true, frozenBy: null, problems: [], snapshot: { filesNew: 4, filesChanged: 0, filesUnmodified: 0 } })
    expect(call.stack('web').snapshot?.bytesAdded).toBeGreaterThan(5_000_000)
    expect(await warm()).toEqual([])
    const [only] = await world.snapshots()
    expect(only).toMatchObject({ id: call.stack('web').snapshot?.id, parent: warmFrom(world.log()), tags: ['stackbk', 'stack:web'] })
    const order = world.log().map(({ message }) => message).filter((message) => ['warm pass begun', 'warm pass ended', 'stopping', 'snapshot ended', 'confirmed up', 'snapshots of warm passes removed'].includes(message))
    expect(order).toEqual(['warm pass begun', 'warm pass ended', 'stopping', 'snapshot ended', 'confirmed up', 'snapshots of warm passes removed'])
  })

  it('counts what is new against the snapshot before, and not against its own', async () => {
    web.write('data/three', 'three')
    web.write('data/one', 'changed')
    const call = await world.backup()
    // The capsule, which the warm pass leaves to the snapshot, has changed too.
    expect(call.stack('web')).toMatchObject({ status: 'ok', warmPass: true, snapshot: { filesNew: 2, filesChanged: 1, filesUnmodified: 2 } })
  })

  it('does not hide what a memory map writes to a page that stays dirty', async () => {
    for (const file of ['stopping', 'done']) rmSync(join(web.directory, 'data', file), { force: true })
    // The writer counts up in one page without end, and does its last write while the container stops.
    web.write('compose.yaml', {
      name: web.project,
      services: { app: { ...polite, command: ['sh', '-c', "trap 'touch /data/stopping; while [ ! -e /data/done ]; do sleep 0.02; done; exit 0' TERM; sleep 1000000 & wait"] } },
    })
    await web.up()
    web.write('data/mapped', Buffer.alloc(4096))
    const writer = spawn('python3', ['-c', mapWriter, join(web.directory, 'data')], { stdio: ['ignore', 'ignore', 'inherit'] })
    try {
      const mapped = (): bigint => readFileSync(join(web.directory, 'data/mapped')).readBigUInt64LE(0)
      await until('the writer writes', () => mapped() > 0n)
      const call = await world.backup()
      expect(call.stack('web')).toMatchObject({ status: 'ok', warmPass: true })
      const suspects = world.log().findLast(({ message }) => message === 'warm pass ended')?.['suspects']
      expect(suspects).toBeGreaterThanOrEqual(1)
      const kept = await world.dump(call.stack('web').snapshot?.id ?? '', join(web.directory, 'data/mapped'))
      expect(kept.readBigUInt64LE(0)).toBe(mapped())
    } finally {
      writer.kill('SIGKILL')
    }
  })

  it.each(sampled(['pause', 'none']))('is not needed for this: what a memory map writes after a backup with %s is in the next one', async (mode) => {
    for (const file of ['stopping', 'done']) rmSync(join(web.directory, 'data', file), { force: true })
    web.write('data/mapped', Buffer.alloc(4096))
    const writer = spawn('python3', ['-c', mapWriter, join(web.directory, 'data')], { stdio: ['ignore', 'ignore', 'inherit'] })
    try {
      const mapped = (): bigint => readFileSync(join(web.directory, 'data/mapped')).readBigUInt64LE(0)
      await until('the writer writes', () => mapped() > 0n)
      world.configure({ docker: { WARM_PASS: 'false' } })
      const first = (await world.backup(['--stop-mode', mode])).stack('web')
      web.write('data/stopping', '')
      await until('the writer has ended', () => existsSync(join(web.directory, 'data/done')))
      const second = (await world.backup(['--stop-mode', mode])).stack('web')
      expect([first.status, second.status, second.warmPass]).toEqual(['ok', 'ok', false])
      const kept = async (id = ''): Promise<bigint> => (await world.dump(id, join(web.directory, 'data/mapped'))).readBigUInt64LE(0)
      expect(await kept(second.snapshot?.id)).toBe(mapped())
      expect(await kept(first.snapshot?.id)).not.toBe(mapped())
    } finally {
      world.configure({ docker: { WARM_PASS: 'true' } })
      writer.kill('SIGKILL')
    }
  })

  it('is not made of a stack that is not stopped', async () => {
    const call = await world.backup(['--stop-mode', 'none'])
    expect(call.stack('web')).toMatchObject({ warmPass: false, stopMode: 'none' })
    expect(await warm()).toEqual([])
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('that %s meets ends the run with %i, the stack untouched, the lock and the snapshot gone', async (signal, exitCode) => {
    web.write('data/big', randomBytes(60_000_000))
    const before = await web.containers()
    const underway = await world.startUntil(['backup'], says('warm pass begun', 'web'))
    underway.signal(signal)
    expect((await underway.ended).exitCode).toBe(exitCode)
    expect(await web.containers()).toBe(before)
    expect([locks(), await warm(), world.processes(), world.journal()]).toEqual([[], [], [], []])
  })

  it('of a run that was killed after it is removed by the next one', async () => {
    const underway = await world.startUntil(['backup'], says('stopping', 'web'))
    underway.signal('SIGKILL')
    await underway.ended
    expect((await world.resume()).exitCode).toBe(0)
    expect(await warm()).toHaveLength(1)
    const left = await warm()
    const call = await world.backup()
    expect(call.exitCode, JSON.stringify(call.result.problems)).toBe(0)
    expect(await warm()).toEqual([])
    expect((await world.snapshots()).map(({ id }) => id)).not.toContain(left[0])
    await world.check()
  })

  it('that fails costs a longer stop, and not the backup', async () => {
    world.fake('sync', '#!/bin/sh\necho "sync: cannot" >&2\nexit 1\n')
    const call = await world.backup([], { environment: { PATH: world.fakePath } })
    // What was read is kept, and not built upon.
    expect(call.stack('web')).toMatchObject({ status: 'ok', warmPass: false, quiet: true })
    const { parent } = (await world.snapshots()).find(({ id }) => id === call.stack('web').snapshot?.id) ?? {}
    expect(parent).not.toBe(warmFrom(world.log()))
    expect(await warm()).toEqual([])
  })
})

const mapWriter = `
import mmap, os, sys
folder = sys.argv[1]
with open(folder + '/mapped', 'r+b') as file:
    page = mmap.mmap(file.fileno(), 4096)
    count = 0
    while not os.path.exists(folder + '/stopping'):
        count += 1
        page[0:8] = count.to_bytes(8, 'little')
    page[0:8] = (count + 1000000).to_bytes(8, 'little')
open(folder + '/done', 'w').close()
`
