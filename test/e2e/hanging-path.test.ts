import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { StackReport } from '../../src/stages/backup/backup-result.js'
import { canMakeHangingMounts, makeHangingMount, type HangingMount } from '../fixtures/hanging-mount.js'
import { makeWorld, oneService, until, type World, type WorldStack } from '../fixtures/world.js'

/** Five file systems may each take their limit, and a loaded machine its time. */
const goesOnWithinMs = 110_000

describe.skipIf(!canMakeHangingMounts)('with file systems that do not answer', () => {
  let world: World
  let stack: WorldStack
  let user: WorldStack
  const mounts: HangingMount[] = []
  const mount = async (path: string): Promise<HangingMount> => {
    const made = await makeHangingMount(path)
    mounts.push(made)
    return made
  }

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { ENABLE_VERIFICATION: false, INCLUDE_BINDS: 'writable' } } })
    stack = await world.stack('web', oneService)
    stack.write('data/x', 'kept\n')
    const bound = await mount(join(world.root, 'bound'))
    const below = await mount(join(stack.directory, 'data', 'below'))
    user = await world.stack('user', { services: { app: { ...oneService.services.app, volumes: ['./data:/data', `${bound.path}:/bound`] } } })
    // Of no interest to the run: a stack of the folder that is switched off, a link to one, and one that is enabled and hangs.
    const off = await mount(join(world.stacks, 'off'))
    const lost = await mount(join(world.stacks, 'lost'))
    mkdirSync(join(world.root, 'elsewhere'))
    const linked = await mount(join(world.root, 'elsewhere', 'linked'))
    symlinkSync(linked.path, join(world.stacks, 'link'))
    world.enable('lost')
    for (const each of [bound, off, lost, linked]) await each.hang()
    await below.hangInReadFolder()
  })
  afterAll(async () => {
    for (const each of mounts) await each.remove()
    await world.remove()
  })

  it('backs up the others, names what did not answer, and stops no stack that could not be started again', async () => {
    const before = await user.containers()
    const begun = performance.now()
    const call = await world.backup()
    const { exitCode, result } = call
    const report = (name: string): StackReport => call.stack(name)
    expect(performance.now() - begun).toBeLessThan(goesOnWithinMs)
    expect(exitCode).toBe(3)
    expect(result.stacks.map(({ name, status }) => `${name} ${status}`).sort()).toEqual(['lost failed', 'user partial', 'web partial'])
    expect(report('lost').problems).toMatchObject([{ code: 'stack-unavailable', message: expect.stringContaining('does not answer') as string }])
    expect(report('web')).toMatchObject({ quiet: true, problems: [{ code: 'not-readable', message: expect.stringContaining(join(stack.directory, 'data', 'below')) as string }] })
    expect(report('user').problems.map(({ code }) => code)).toContain('source-not-answering')
    expect([await stack.running(), await user.running(), await user.containers()]).toEqual([['app'], ['app'], before])
    expect((await world.dump(report('web').snapshot?.id ?? '', join(stack.directory, 'data', 'x'))).toString()).toBe('kept\n')
    expect(report('user').snapshot).not.toBeNull()
    expect(world.journal()).toEqual([])
  })

  it('starts what was left stopped all the same, with resume', async () => {
    for (const each of mounts) await each.answer()
    const underway = await world.startUntil(['backup', 'web'], (log) => log.some(({ message }) => message === 'snapshot begun'))
    underway.signal('SIGKILL')
    await underway.ended
    for (const each of mounts) await each.hang()
    expect(world.journal()).toHaveLength(1)
    const begun = performance.now()
    expect((await world.resume()).exitCode).toBe(0)
    expect(performance.now() - begun).toBeLessThan(goesOnWithinMs)
    expect(await stack.running()).toEqual(['app'])
  })

  it('ends by a signal in time', async () => {
    for (const each of mounts) await each.answer()
    const underway = await world.startUntil(['backup', 'web'], (log) => log.some(({ message }) => message === 'stopping'))
    for (const each of mounts) await each.hang()
    underway.signal('SIGINT')
    expect((await underway.ended).exitCode).toBe(130)
    expect(await stack.running()).toEqual(['app'])
  })
})

describe.skipIf(!canMakeHangingMounts)('a volume that is mounted only while the stack runs', () => {
  let world: World
  let stack: WorldStack
  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { ENABLE_VERIFICATION: false } } })
    const services = { app: { ...oneService.services.app, volumes: ['./data:/data', 'cache:/cache', './shared:/shared:rshared'], privileged: true, command: ['sh', '-c', "mount -t tmpfs inner /shared; trap 'umount /shared; exit 0' TERM; sleep 1000000 & wait"] } }
    stack = await world.stack('media', { isUp: false, model: { services, volumes: { cache: { driver_opts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' } } } } })
    const shared = join(stack.directory, 'shared')
    mkdirSync(shared)
    // The mounts of a container show on the host where its bind lies on a shared mount.
    execFileSync('mount', ['--bind', shared, shared])
    execFileSync('mount', ['--make-shared', shared])
    await stack.up()
    await until('the container has mounted', () => readFileSync('/proc/self/mountinfo', 'utf8').includes(`${shared} rw,relatime shared:`) && readFileSync('/proc/self/mountinfo', 'utf8').includes(' - tmpfs inner '))
  })
  afterAll(async () => {
    await stack.compose('down', '-t', '1', '-v')
    execFileSync('umount', ['-l', join(stack.directory, 'shared')])
    await world.remove()
  })

  it('keeps no stack down, nor does what a container mounts on its own bind', async () => {
    for (const mode of ['stop', 'down']) {
      const call = await world.backup(['--stop-mode', mode])
      expect([call.exitCode, call.stack('media').problems.filter(({ severity }) => severity === 'error')], mode).toEqual([0, []])
      expect(await stack.running()).toEqual(['app'])
    }
  })
})
