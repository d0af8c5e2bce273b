import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { until } from '../fixtures/until.js'
import { heldFromStopping, makeWorld, says, type Underway, type World, type WorldStack } from '../fixtures/world.js'

const nobody = 65534

let world: World
let web: WorldStack
/** A backup that holds its lock until {@link letGo}: its stack does not stop before. */
let first: Underway

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false }, docker: { DOCKER_TIMEOUT: 100 } } })
  web = await world.stack('web', { services: { app: heldFromStopping() } })
  expect((await world.backup(['--stop-mode', 'none'])).exitCode).toBe(0)
  expect((await world.run(['sync'])).exitCode).toBe(0)
  first = await world.startUntil(['backup'], says('stopping', 'web'))
})
afterAll(() => world.remove())

const letGo = (): void => web.write('data/go', '')

/** Refused, with the holder's PID and age; and the first one had not ended meanwhile. */
async function expectBusy(args: readonly string[], options: Parameters<World['run']>[1] = {}): Promise<void> {
  const ended = await world.run([...args, '--json'], { ...options, mayBeBusy: true })
  expect(first.isOver()).toBe(false)
  expect({ exitCode: ended.exitCode, stderr: ended.stderr }).toMatchObject({ exitCode: 75 })
  const { error } = JSON.parse(ended.stdout) as { error: { code: string; message: string; exitCode: number } }
  expect(error).toMatchObject({ code: 'busy', exitCode: 75 })
  expect(error.message).toContain(`PID ${first.pid}`)
  expect(error.message).toMatch(/for \d+ s/)
}

describe('while a backup is at work', () => {
  it('defect 2: a second one is refused, and a third one too: the refused one takes no lock away', async () => {
    await expectBusy(['backup'])
    await expectBusy(['backup'])
    await expectBusy(['run'])
    await expectBusy(['backup', '--dry-run'])
  })

  it('one with another configuration, state folder, stacks folder and repository is refused on the same engine', async () => {
    const other = await makeWorld()
    await other.stack('web', { isUp: false })
    await expectBusy(['backup'], { config: other.config, environment: { STACKBK_STATE_DIR: other.state } })
    await other.remove()
  })

  it('one with another configuration, state folder, stacks folder and remote is refused on the same repository', async () => {
    const other = await makeWorld({ repository: 'absent', settings: { local_backup: { RESTIC_REPOSITORY: world.repository, RESTIC_PASSWORD_FILE: world.password } } })
    await expectBusy(['sync'], { config: other.config, environment: { STACKBK_STATE_DIR: other.state } })
    await other.remove()
  })

  it.skipIf(process.getuid?.() !== 0)('one of another user is refused', async () => {
    for (const [path, mode] of [[world.root, 0o755], [world.config, 0o644], [world.password, 0o644]] as const) chmodSync(path, mode)
    mkdirSync(join(world.root, 'theirs'), { recursive: true, mode: 0o777 })
    chmodSync(join(world.root, 'theirs'), 0o777)
    await expectBusy(['backup'], { user: nobody, environment: { STACKBK_STATE_DIR: join(world.root, 'theirs'), HOME: join(world.root, 'theirs') } })
  })

  it.each([['sync'], ['resume'], ['snapshots', 'forget', 'latest', '--yes'], ['verify', '--repair']])('%s %s is refused and starts nothing of what the backup has stopped', async (...args) => {
    if (args[1] === 'forget') args[2] = (await world.snapshots())[0]?.id.slice(0, 10) ?? ''
    await expectBusy(args)
    expect(world.log().some((line) => line.message === 'starting')).toBe(false)
    expect(world.journal().map((entry) => entry.name)).toEqual(['web'])
  })

  it('a restore to quite another folder is refused too, since it would start what the backup has stopped', async () => {
    await expectBusy(['restore', join(world.root, 'another-place')])
    expect(existsSync(join(world.root, 'another-place'))).toBe(false)
  })

  it('what changes nothing is not refused', async () => {
    for (const args of [['snapshots'], ['status'], ['history'], ['doctor'], ['verify']]) {
      const { exitCode, stderr } = await world.run(args, { mayBeBusy: true })
      expect(exitCode, stderr).not.toBe(75)
    }
  })
})

describe('when it has ended', () => {
  it('in good order, the lock is free', async () => {
    expect(await web.running()).toEqual(['app'])
    expect(first.isOver()).toBe(false)
    letGo()
    const { exitCode, stderr } = await first.ended
    expect(exitCode, stderr).toBe(0)
    expect(await web.running()).toEqual(['app'])
    expect((await world.run(['sync'])).exitCode).toBe(0)
  })

  it('a run that LOCK_WAIT or --wait lets wait for it makes its backup, once and after it', async () => {
    for (const [settings, args] of [[{ LOCK_WAIT: '10m' }, ['run']], [{ LOCK_WAIT: '0' }, ['run', '--wait']]] as const) {
      rmSync(join(web.directory, 'data', 'go'))
      const before = (await world.snapshots()).length
      world.configure({ local_backup: settings })
      first = await world.startUntil(['backup'], says('stopping', 'web'))
      const second = world.start(args)
      await until('the second one waits', () => second.said().includes(`waiting for another stackbk run (stackbk backup, PID ${first.pid}`) || second.isOver())
      expect([first.isOver(), second.isOver()], second.said()).toEqual([false, false])
      letGo()
      expect([(await first.ended).exitCode, (await second.ended).exitCode]).toEqual([0, 0])
      expect((await world.snapshots()).length).toBe(before + 2)
    }
    world.configure({ local_backup: { LOCK_WAIT: null } })
  })

  it('by SIGKILL, the lock is free at once', async () => {
    rmSync(join(web.directory, 'data', 'go'))
    first = await world.startUntil(['backup'], says('stopping', 'web'))
    await expectBusy(['resume'])
    first.signal('SIGKILL')
    await first.ended
    letGo()
    const { exitCode, result } = await world.resume()
    expect([exitCode, result.stacks]).toMatchObject([0, [{ name: 'web', status: 'ok' }]])
    expect(await web.running()).toEqual(['app'])
  })
})
