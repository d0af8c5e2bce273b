import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, healthyCommand, politeCommand, quickHealthcheck } from '../fixtures/compose-stack.js'
import { canStartEngines, startPrivateEngine, type PrivateEngine } from '../fixtures/private-engine.js'
import { sampled } from '../fixtures/sampled.js'
import { signalProcess } from '../fixtures/signal-process.js'
import { makeWorld, says, until, type Underway, type World, type WorldStack } from '../fixtures/world.js'

const healthy = { image: testImage, command: healthyCommand, healthcheck: quickHealthcheck(), network_mode: 'none', volumes: ['./data:/data'] }
const polite = { image: testImage, command: politeCommand, network_mode: 'none' }

/** One for each way in which an engine treats containers when it comes back. */
const services = {
  db: healthy,
  // It does not stop while it is held, and nothing is removed before it has.
  plain: {
    ...polite,
    command: ['sh', '-c', "trap 'while test -e /hold/now; do sleep 0.1; done; exit 0' TERM; sleep 1000000 & wait"],
    volumes: ['./hold:/hold'],
    stop_grace_period: '60s',
    depends_on: { db: { condition: 'service_healthy' } },
  },
  always: { ...polite, restart: 'always' },
  unless: { ...polite, restart: 'unless-stopped' },
  stopped: { ...polite, restart: 'always' },
}
const ran = ['always', 'db', 'plain', 'unless']

describe.skipIf(!canStartEngines)('an engine that goes away', () => {
  let engine: PrivateEngine
  let world: World
  let web: WorldStack

  beforeAll(async () => {
    engine = await startPrivateEngine()
    world = await makeWorld({ settings: { docker: { HEALTH_TIMEOUT: 60, WARM_PASS: false }, local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
    web = await world.stack('web', { services })
  })
  beforeEach(async () => {
    await engine.start()
    const left = await halfRemoved()
    if (left.length > 0) await docker('rm', '--force', ...left)
    web.write('data/blob', randomBytes(60_000_000))
    rmSync(join(web.directory, 'hold', 'now'), { force: true })
    await web.compose('up', '--no-start', '--pull', 'never')
    await web.compose('up', '-d', '--pull', 'never', '--wait', ...ran)
    await until('the stack runs as it should', async () => {
      await web.compose('stop', 'stopped')
      return (await web.running()).join() === ran.join()
    })
  })
  afterEach(() => world.configure({ docker: { HEALTH_TIMEOUT: 60 } }))
  afterAll(async () => {
    await engine.start()
    await world.remove()
    await engine.remove()
  })

  async function inWindow(mode: string): Promise<Underway> {
    return world.startUntil(['backup', '--json', '--stop-mode', mode], says('snapshot begun', 'web'))
  }
  async function expectUp(): Promise<void> {
    // What the user had stopped may run by its own policy, where it is still there: an engine that comes back starts it.
    expect((await web.running()).filter((service) => service !== 'stopped')).toEqual(ran)
    expect(await docker('ps', '--filter', `label=com.docker.compose.project=${web.project}`, '--filter', 'health=healthy', '--format', '{{.Label "com.docker.compose.service"}}')).toBe('db')
    // With a container that is half removed, Compose could not start the stack again.
    expect(await halfRemoved()).toEqual([])
    expect(world.journal()).toEqual([])
    expect(world.processes()).toEqual([])
  }
  const halfRemoved = async (): Promise<string[]> => (await docker('ps', '--all', '--quiet', '--filter', 'status=dead')).split('\n').filter((id) => id !== '')

  it('before anything began: exit 4, no snapshot, and nothing is stopped', async () => {
    const pids = await pidsOf(web)
    const snapshots = await world.snapshots()
    await engine.crash()
    const { exitCode, stderr } = await world.run(['backup'])
    expect(exitCode, stderr).toBe(4)
    expect(stderr.trim().split('\n')).toHaveLength(3)
    expect(await world.snapshots()).toEqual(snapshots)
    expect(pids.every((pid) => existsSync(`/proc/${pid}`))).toBe(true)
  })

  it('between the look and the stop: nothing is stopped, and the stack is partial', async () => {
    const pids = await pidsOf(web)
    const underway = await world.startUntil(['backup', '--json'], says('backing up'))
    await engine.crash()
    const { exitCode, stdout } = await underway.ended
    expect(JSON.parse(stdout)).toMatchObject({ stacks: [{ name: 'web', quiet: false, stopMode: 'none', downtimeMs: null }] })
    expect(exitCode).toBe(3)
    expect(world.journal()).toEqual([])
    expect(pids.every((pid) => existsSync(`/proc/${pid}`))).toBe(true)
  })

  it.each(sampled(['down', 'stop']))('while the stack is down (%s), and comes back in time: the same run starts it', async (mode) => {
    const underway = await inWindow(mode)
    await engine.crash()
    await until('the snapshot is over', () => says('starting', 'web')(world.log().slice(-60)) || underway.isOver())
    await engine.start()
    const { exitCode, stdout } = await underway.ended
    const result = JSON.parse(stdout) as BackupResult
    expect([0, 3], stdout).toContain(exitCode)
    expect(result.stacks[0]?.problems.filter(({ code }) => code === 'not-up')).toEqual([])
    await expectUp()
  })

  it.each(sampled(['stop', 'down']))('while the stack is down (%s), and stays away: an error, the journal is kept, and resume starts all of it when the engine is back', async (mode) => {
    world.configure({ docker: { HEALTH_TIMEOUT: 3 } })
    const underway = await inWindow(mode)
    await engine.crash()
    const { exitCode, stdout } = await underway.ended
    const result = JSON.parse(stdout) as BackupResult
    expect(result, stdout).toMatchObject({ status: 'failed', stacks: [{ name: 'web', status: 'failed' }] })
    expect(result.problems).toContainEqual(expect.objectContaining({ severity: 'error', code: 'not-up', fix: expect.stringContaining('stackbk resume') as string }))
    expect([1, 4]).toContain(exitCode)
    expect(world.journal().map(({ name }) => name)).toEqual(['web'])

    const away = await world.run(['resume'])
    expect([away.exitCode, away.stderr.includes('web')]).toEqual([4, true])
    expect(world.journal().map(({ name }) => name)).toEqual(['web'])

    await engine.start()
    const resumed = await world.resume()
    expect(resumed.result.stacks).toEqual([{ name: 'web', servicesBefore: ran, action: 'started', status: 'ok' }])
    expect(resumed.exitCode).toBe(0)
    await expectUp()
  })

  it.each(sampled(['stop', 'down']))('with the machine (%s): after the restart, resume gives back what ran and no more, whatever the policies have started', async (mode) => {
    const underway = await inWindow(mode)
    underway.signal('SIGKILL')
    for (const { pid } of world.processes()) signalProcess(pid, 'SIGKILL')
    await underway.ended
    await engine.cutPower()
    await engine.start()
    // Only what the policy `always` starts, and none where its container had been removed before the power went.
    expect((await web.running()).filter((service) => service !== 'always' && service !== 'stopped')).toEqual([])
    const { exitCode, stdout } = await world.run(['resume', '--json'], { through: withNewBootId(world) })
    expect(JSON.parse(stdout)).toMatchObject({ status: 'ok', stacks: [{ name: 'web', servicesBefore: ran, action: 'started', status: 'ok' }] })
    expect(exitCode).toBe(0)
    // What the user had stopped may run by its own policy: that is his own engine's doing.
    expect((await web.running()).filter((service) => service !== 'stopped')).toEqual(ran)
    expect(world.journal()).toEqual([])
  })

  it('with the machine, while it removed the containers: resume removes what is left of them and starts all of it', async () => {
    web.write('hold/now', '')
    const underway = await world.startUntil(['backup', '--json', '--stop-mode', 'down'], says('stopping', 'web'))
    underway.signal('SIGKILL')
    for (const { pid } of world.processes()) signalProcess(pid, 'SIGKILL')
    await underway.ended
    await engine.cutPower()
    engine.leaveHalfRemoved()
    await engine.start()
    expect((await docker('ps', '--all', '--filter', 'status=dead', '--format', '{{.Label "com.docker.compose.service"}}')).split('\n').sort()).toEqual([...ran, 'stopped'].sort())
    const { exitCode, stdout } = await world.run(['resume', '--json'], { through: withNewBootId(world) })
    expect(JSON.parse(stdout)).toMatchObject({ status: 'ok', stacks: [{ name: 'web', servicesBefore: ran, action: 'started', status: 'ok' }] })
    expect(exitCode).toBe(0)
    await expectUp()
    // Compose can go on with it.
    await web.compose('up', '-d', '--pull', 'never', '--wait', ...ran)
  })

  it('with the machine: the next backup does the same by itself', async () => {
    const underway = await inWindow('down')
    underway.signal('SIGKILL')
    for (const { pid } of world.processes()) signalProcess(pid, 'SIGKILL')
    await underway.ended
    await engine.cutPower()
    await engine.start()
    const { exitCode, stdout } = await world.run(['backup', '--json'], { through: withNewBootId(world) })
    expect(JSON.parse(stdout)).toMatchObject({ status: 'ok', stacks: [{ name: 'web', status: 'ok', stateBefore: 'running' }] })
    // The same as in {@link expectUp} holds for what the backup found.
    expect((JSON.parse(stdout) as BackupResult).stacks[0]?.servicesBefore.filter((service) => service !== 'stopped')).toEqual(ran)
    expect(exitCode).toBe(0)
    await expectUp()
  })
})

/** A mount namespace in which the kernel tells of another start of the machine. */
function withNewBootId(world: World): readonly string[] {
  const file = join(world.root, 'boot_id')
  writeFileSync(file, `${randomUUID()}\n`)
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', 'mount --bind -- "$0" /proc/sys/kernel/random/boot_id && exec "$@"', file]
}

async function pidsOf(stack: WorldStack): Promise<string[]> {
  const ids = await docker('ps', '-q', '--filter', `label=com.docker.compose.project=${stack.project}`)
  return (await docker('inspect', '--format', '{{.State.Pid}}', ...ids.split('\n'))).split('\n')
}
