import { chmodSync, existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { freePort, rcloneConfig } from '../fixtures/remotes.js'
import { makeWorld, oneService, says, slowToStop, type World, type WorldStack } from '../fixtures/world.js'

interface Status {
  readonly status: string
  readonly stacks: readonly { readonly name: string; readonly enabled: boolean; readonly state: string; readonly lastSnapshot: { readonly id: string } | null; readonly ageMs: number | null; readonly lastDowntimeMs: number | null; readonly lastReadyMs: number | null; readonly overdue: boolean }[]
  readonly repository: { readonly path: string; readonly id: string; readonly bytes: number; readonly snapshots: number; readonly reachable: boolean }
  readonly cloud: { readonly remote: string; readonly lastSync: string | null; readonly ageMs: number | null; readonly behindSnapshots: number; readonly overdue: boolean } | null
  readonly problems: readonly { readonly code: string; readonly stack?: string }[]
}

interface Doctor {
  readonly status: string
  readonly checks: readonly { readonly id: string; readonly status: string; readonly found: string; readonly needed: string; readonly fix: string }[]
}

const deadEngine = { environment: { DOCKER_HOST: 'unix:///nonexistent.sock' } }

let world: World
let web: WorldStack
let id: string

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false }, docker: { DOCKER_TIMEOUT: 20 } } })
  web = await world.stack('web', { services: { app: slowToStop(1) } })
  await world.stack('off', { model: oneService, isUp: false, isEnabled: false })
  const call = await world.backup()
  expect(call.exitCode).toBe(0)
  id = call.stack('web').snapshot?.id ?? ''
})
afterAll(() => world.remove())

const status = (options: Parameters<World['run']>[1] = {}): Promise<{ exitCode: number; result: Status }> => world.json<Status>(['status'], options)
const doctor = (options: Parameters<World['run']>[1] = {}): Promise<{ exitCode: number; result: Doctor }> => world.json<Doctor>(['doctor'], options)
const failed = ({ result }: { result: Doctor }): string[] => result.checks.filter((check) => check.status === 'failed').map((check) => check.id)

/** All but restic's cache. */
const everything = (): string[] => [world.stacks, world.repository, world.cloud, world.state, world.dirlist, world.config]

afterEach(() => {
  writeFileSync(world.password, 'secret\n')
  world.configure({ cloud_sync: { RCLONE_CONFIG: join(world.root, 'rclone.conf'), RCLONE_REMOTE: 'cloud' } })
  for (const path of [world.stacks, world.repository]) if (existsSync(`${path}-away`)) renameSync(`${path}-away`, path)
  writeFileSync(world.dirlist, 'web=true\noff=false\n')
})

async function useDeadRemote(): Promise<void> {
  writeFileSync(join(world.root, 'dead.conf'), rcloneConfig('dead', { kind: 'sftp', port: await freePort(), password: 'x' }), { mode: 0o600 })
  world.configure({ cloud_sync: { RCLONE_CONFIG: join(world.root, 'dead.conf'), RCLONE_REMOTE: 'dead' } })
}

describe('status', () => {
  it('with a copy that is still to be made is overdue: 3', async () => {
    const { exitCode, result } = await status()
    expect([exitCode, result.status]).toEqual([3, 'partial'])
    expect(result.cloud).toMatchObject({ remote: 'cloud:/backup', lastSync: null, behindSnapshots: 1, overdue: true })
    expect(result.problems.map((problem) => problem.code)).toEqual(['cloud-overdue'])
  })

  it('with all done is 0 and tells age, downtime, sizes', async () => {
    expect((await world.sync()).exitCode).toBe(0)
    const before = world.picture(...everything())
    const { exitCode, result } = await status()
    expect([exitCode, result.status, result.problems]).toEqual([0, 'ok', []])
    const newest = { id, time: expect.any(String) as string, ageMs: expect.any(Number) as number, marks: [] }
    expect(result.stacks).toEqual([
      { name: 'web', enabled: true, state: 'running', lastSnapshot: { id, time: expect.any(String) as string }, newestSnapshot: newest, ageMs: expect.any(Number) as number, lastDowntimeMs: expect.any(Number) as number, lastReadyMs: expect.any(Number) as number, overdue: false },
      { name: 'off', enabled: false, state: 'not-found', lastSnapshot: null, newestSnapshot: null, ageMs: null, lastDowntimeMs: null, lastReadyMs: null, overdue: false },
    ])
    expect(result.repository).toMatchObject({ path: world.repository, snapshots: 1, reachable: true })
    expect(result.repository.bytes).toBeGreaterThan(1000)
    expect(result.cloud).toMatchObject({ behindSnapshots: 0, overdue: false })
    expect(world.picture(...everything())).toBe(before)
  })

  it('defect 24: an enabled stack that was never saved is overdue: 3', async () => {
    world.enable('off')
    const { exitCode, result } = await status()
    expect([exitCode, result.problems]).toMatchObject([3, [{ code: 'overdue', stack: 'off' }]])
  })

  it('defect 24: one whose last good snapshot is old is overdue: 3', async () => {
    const old = await world.stack('old', { model: oneService, isUp: false })
    await world.restic('backup', '--host', 'testhost', '--tag', 'stackbk,stack:old', '--time', '2020-01-01 00:00:00', old.directory)
    await world.restic('backup', '--host', 'testhost', '--tag', 'stackbk,stack:old,partial', old.directory)
    await world.restic('backup', '--host', 'elsewhere', '--tag', 'stackbk,stack:old', old.directory)
    const { exitCode, result } = await status()
    expect(exitCode).toBe(3)
    expect(result.stacks.find((stack) => stack.name === 'old')).toMatchObject({ overdue: true, lastSnapshot: { time: expect.stringMatching(/^2020-01-01/) as string } })
  })

  it('defect 24: with a dead engine it is 4, and still tells what it can', async () => {
    const { exitCode, result } = await status(deadEngine)
    expect([exitCode, result.status]).toEqual([4, 'failed'])
    expect(result.stacks.find((stack) => stack.name === 'web')).toMatchObject({ state: 'unknown', lastSnapshot: { id } })
  })

  it('defect 24: with a wrong password it is 12, with a repository that is gone 10', async () => {
    writeFileSync(world.password, 'wrong\n')
    const unopened = await world.run(['status'])
    expect([unopened.exitCode, unopened.stdout]).toEqual([12, expect.stringMatching(/^web .*unknown/m)])
    expect(unopened.stdout).not.toContain('never')
    writeFileSync(world.password, 'secret\n')
    renameSync(world.repository, `${world.repository}-away`)
    const { exitCode, result } = await status()
    expect([exitCode, result.repository.reachable]).toEqual([10, false])
  })

  it('for people shows a line a stack', async () => {
    const { exitCode, stdout } = await world.run(['status'])
    expect(exitCode).not.toBe(1)
    expect(stdout).toMatch(/^web\s.*running/m)
  })
})

describe('doctor', () => {
  it('finds nothing wrong with a good host: 0, and changes nothing', async () => {
    const before = world.picture(...everything())
    const call = await doctor()
    expect([failed(call), call.exitCode, call.result.status]).toEqual([[], 0, 'ok'])
    expect(call.result.checks.map((check) => check.id)).toEqual(expect.arrayContaining(['configuration', 'plugin.compose', 'plugin.restic', 'plugin.rclone', 'state.folder', 'stacks.folder', 'stacks.enabled', 'leftovers.stacks', 'compose.engine', 'compose.version', 'restic.version', 'restic.repository', 'repository.space', 'rclone.version', 'rclone.connection']))
    expect(world.picture(...everything())).toBe(before)
  })

  it('warns of a password that others can read, as every command does', async () => {
    chmodSync(world.password, 0o644)
    try {
      const { exitCode, result } = await doctor()
      expect([exitCode, result.checks.filter(({ id, status }) => id === 'configuration' && status === 'warning')]).toMatchObject([0, [{ found: expect.stringContaining('which anyone can read (mode 0644)') as string, fix: `Run: chmod 600 ${world.password}` }]])
    } finally {
      chmodSync(world.password, 0o600)
    }
  })

  it.each([
    ['a dead engine', deadEngine, 'compose.engine'],
    ['no docker', { environment: { PATH: '/nonexistent' } }, 'compose.engine'],
  ])('defect 24: %s is 4', async (_, options, check) => {
    const call = await doctor(options)
    expect([call.exitCode, call.result.status]).toEqual([4, 'failed'])
    expect(failed(call)).toContain(check)
  })

  it('defect 24: no restic and no rclone are 4, each with what to do', async () => {
    const call = await doctor({ environment: { PATH: world.pathOf('docker') } })
    expect(call.exitCode).toBe(4)
    const broken = call.result.checks.filter((check) => check.status === 'failed')
    expect(broken.map((check) => check.id.split('.')[0])).toEqual(expect.arrayContaining(['restic', 'rclone']))
    expect(broken.filter((check) => check.fix === '')).toEqual([])
  })

  it('defect 24: a wrong password and an unreachable remote are both told: 1', async () => {
    writeFileSync(world.password, 'wrong\n')
    await useDeadRemote()
    const call = await doctor()
    expect([call.exitCode, failed(call)]).toEqual([1, ['restic.repository', 'rclone.connection']])
  })

  it('a broken configuration is told, and the rest looked at all the same: 1', async () => {
    writeFileSync(join(world.root, 'bad.ini'), '[local_backup]\nKEEP_DAILY=many\n', { mode: 0o600 })
    for (const options of [{ config: join(world.root, 'bad.ini') }, { config: '/nonexistent/config.ini' }]) {
      const call = await doctor(options)
      expect(call.exitCode).toBe(1)
      expect(failed(call)).toContain('configuration')
      expect(call.result.checks.find((check) => check.id === 'compose.engine')?.status).toBe('ok')
    }
  })

  it('an unmounted stacks folder is 1', async () => {
    renameSync(world.stacks, `${world.stacks}-away`)
    const call = await doctor()
    expect([call.exitCode, failed(call)]).toEqual([1, ['stacks.folder']])
  })
})

describe('a stack that a killed run has left stopped', () => {
  it('is told by status and doctor until resume', async () => {
    const underway = await world.startUntil(['backup', 'web'], says('stopping', 'web'))
    underway.signal('SIGKILL')
    await underway.ended
    const [now, health] = [await status(), await doctor()]
    expect([now.exitCode, now.result.problems]).toMatchObject([3, expect.arrayContaining([expect.objectContaining({ code: 'left-stopped', stack: 'web' })])])
    expect([health.exitCode, failed(health)]).toEqual([1, ['leftovers.stacks']])
    expect((await world.resume()).exitCode).toBe(0)
    expect(await web.running()).toEqual(['app'])
    expect((await doctor()).exitCode).toBe(0)
  })
})
