import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { politeCommand } from '../fixtures/compose-stack.js'
import { slowRestic } from '../fixtures/slow-restic.js'
import { makeWorld, says, signalProcess, until, type World, type WorldStack } from '../fixtures/world.js'

const polite = { image: testImage, command: politeCommand, network_mode: 'none' }

let world: World
let web: WorldStack
let other: WorldStack
let environment: { readonly PATH: string }

beforeAll(async () => {
  // Retention wants the repository for itself: any lock that is left is in its way.
  world = await makeWorld({ settings: { local_backup: { LOCK_TIMEOUT: 1, ENABLE_VERIFICATION: false, KEEP_WITHIN: 0, KEEP_LAST: 1, KEEP_DAILY: 0, KEEP_WEEKLY: 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0 } } })
  environment = slowRestic(world, 2_000)
  web = await world.stack('web', { services: { app: polite } })
  other = await world.stack('other', { services: { app: polite } })
  web.write('data/blob', randomBytes(20_000_000))
  expect((await world.backup()).exitCode).toBe(0)
})
afterAll(() => world.remove())

/** Without those that are still being written. */
const locks = (): string[] => readdirSync(join(world.repository, 'locks')).filter((name) => /^[0-9a-f]{64}$/.test(name)).sort()

async function expectNextNightIsWell(): Promise<void> {
  expect([await web.running(), await other.running()]).toEqual([['app'], ['app']])
  const call = await world.backup()
  expect([call.exitCode, call.result.problems]).toEqual([0, []])
  expect(call.result).toMatchObject({ status: 'ok', retention: { status: 'ok' }, stacks: [{ name: 'web', stateBefore: 'running', status: 'ok' }, { name: 'other', status: 'ok' }] })
  expect(locks()).toEqual([])
  await world.check()
}

describe('the lock that is left', () => {
  it('defect 25: by a restic that alone was killed in mid-snapshot is in the way of neither this run nor the next one', async () => {
    web.write('data/blob', randomBytes(20_000_000))
    const underway = await world.startUntil(['backup', '--json'], says('snapshot begun', 'web'), { environment })
    const restic = world.processes().find(({ command }) => /restic .*backup/.test(command))!
    signalProcess(restic.pid, 'SIGKILL')
    const { exitCode, stdout } = await underway.ended
    const result = JSON.parse(stdout) as BackupResult
    expect(result.stacks).toMatchObject([
      { name: 'web', status: 'failed', snapshot: null, problems: [{ code: 'snapshot-failed', message: expect.stringContaining('SIGKILL') as string }] },
      { name: 'other', status: 'ok' },
    ])
    expect(result).toMatchObject({ status: 'partial', retention: { status: 'ok' } })
    expect(exitCode).toBe(3)
    await expectNextNightIsWell()
  })

  it('defect 25: by a stackbk that was killed with its restic is not in the way of the next one', async () => {
    web.write('data/blob', randomBytes(20_000_000))
    const underway = await world.startUntil(['backup'], says('snapshot begun', 'web'), { environment })
    underway.signal('SIGKILL')
    for (let left = world.processes(); left.length > 0; left = world.processes()) for (const { pid } of left) signalProcess(pid, 'SIGKILL')
    await underway.ended
    expect(locks()).toHaveLength(1)
    expect((await world.resume()).exitCode).toBe(0)
    await expectNextNightIsWell()
  })
})

describe.skipIf(process.getuid?.() !== 0)('the lock of a restic of another host', () => {
  let holder: ChildProcess | null = null
  afterEach(async () => {
    if (holder !== null && holder.exitCode === null && holder.signalCode === null) {
      holder.kill('SIGKILL')
      await once(holder, 'exit')
    }
    await world.restic('unlock', '--remove-all')
  })

  /** Stands still while it has the lock; only another host's name tells it from one of ours. */
  async function restic(...args: string[]): Promise<ChildProcess> {
    const before = locks()
    const child = spawn('unshare', ['--uts', 'sh', '-c', 'busybox hostname elsewhere && exec restic "$@"', 'sh', '--no-cache', ...args], {
      env: { ...process.env, RESTIC_REPOSITORY: world.repository, RESTIC_PASSWORD_FILE: world.password },
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    holder = child
    await until('it has its lock', () => locks().length > before.length)
    child.kill('SIGSTOP')
    return child
  }

  it('defect 25: that has the repository for itself is named with 11, nothing is stopped, and it keeps its lock, until it has ended', async () => {
    const child = await restic('prune')
    const before = [await web.containers(), await other.containers()]
    const held = locks()
    const call = await world.backup()
    expect(call.exitCode).toBe(11)
    expect(call.result.stacks).toMatchObject(['web', 'other'].map((name) => ({ name, status: 'failed', downtimeMs: null, problems: [{ code: 'repository-locked', message: expect.stringMatching(new RegExp(`PID ${child.pid} on elsewhere`)) as string }] })))
    expect([await web.containers(), await other.containers()]).toEqual(before)
    expect([locks(), world.journal()]).toEqual([held, []])

    child.kill('SIGCONT')
    await once(child, 'exit')
    await expectNextNightIsWell()
  })

  it('defect 25: is waited for as long as LOCK_TIMEOUT says, with every stack running', async () => {
    const child = await restic('prune')
    world.configure({ local_backup: { LOCK_TIMEOUT: 60 } })
    try {
      const underway = world.start(['backup', '--json'])
      await until('a restic of ours waits', () => world.processes().some(({ command }) => /restic backup .*--retry-lock=60s/.test(command)))
      expect([await web.running(), await other.running()]).toEqual([['app'], ['app']])
      child.kill('SIGCONT')
      const { exitCode, stdout } = await underway.ended
      expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { status: 'ok', stacks: [{ name: 'web', status: 'ok' }, { name: 'other', status: 'ok' }], retention: { status: 'ok' } }])
    } finally {
      world.configure({ local_backup: { LOCK_TIMEOUT: 1 } })
    }
  })

  it('defect 25: that shares it keeps no stack from its snapshot, and the retention that could not be is told with its name', async () => {
    const child = await restic('backup', '--stdin')
    const call = await world.backup()
    expect(call.result.stacks).toMatchObject([{ name: 'web', status: 'ok' }, { name: 'other', status: 'ok' }])
    expect(call.result.retention.status).toBe('failed')
    expect(call.result.problems).toMatchObject([{ severity: 'error', code: 'retention-failed', message: expect.stringContaining('elsewhere') as string }])
    expect(call.exitCode).toBe(3)
    child.kill('SIGCONT')
    child.stdin?.end('data')
    await once(child, 'exit')
    await expectNextNightIsWell()
  })

  it('defect 25: is not removed when it has died, since nobody here can know that: it is named, with what to do', async () => {
    const child = await restic('prune')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const before = await web.containers()
    const { exitCode, stdout } = await world.run(['backup', 'web'])
    expect([exitCode, stdout]).toEqual([11, expect.stringMatching(new RegExp(`PID ${child.pid} on elsewhere`))])
    expect(stdout).toContain('restic unlock')
    expect([await web.containers(), locks().length]).toEqual([before, 1])
    await world.restic('unlock', '--remove-all')
    await expectNextNightIsWell()
  })
})
