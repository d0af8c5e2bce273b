import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as passTime } from 'node:timers/promises'

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand, quickHealthcheck } from '../fixtures/compose-stack.js'
import { type EngineFault, type EngineProxy, startEngineProxy } from '../fixtures/engine-proxy.js'
import type { EngineEvent, EngineWatch } from '../fixtures/engine-watch.js'
import { sampled } from '../fixtures/sampled.js'
import { slowRestic } from '../fixtures/slow-restic.js'
import { makeWorld, says, signalProcess, slowToStop, until, type World, type WorldStack } from '../fixtures/world.js'

const quick = { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } }
const polite = { image: testImage, command: politeCommand, network_mode: 'none' }

let world: World
beforeAll(async () => {
  world = await makeWorld({ settings: quick })
})
afterAll(() => world.remove())

const eventsOf = (stack: WorldStack, { events }: Pick<EngineWatch, 'events'>, action: string, service?: string): readonly EngineEvent[] =>
  events.filter((event) => event.project === stack.project && event.action === action && (service === undefined || event.service === service))

describe('a signal while restic reads the stack', () => {
  let stack: WorldStack
  let environment: { readonly PATH: string }
  beforeAll(async () => {
    environment = slowRestic(world, 2_000)
    stack = await world.stack('read', { services: { app: polite }, files: { 'data/blob': randomBytes(40_000_000) } })
  })

  it.each([
    ['SIGINT', 130, 'down'],
    ['SIGTERM', 143, 'stop'],
    ['SIGHUP', 129, 'stop'],
  ] as const)('defect 7: %s (exit %i, %s): restic and its lock are gone before the first container is started', async (signal, exitCode, mode) => {
    const watch = await world.watch()
    const underway = await world.startUntil(['backup', 'read', '--stop-mode', mode], says('snapshot begun', 'read'), { environment })
    const atWork = (): boolean => world.processes().some(({ command }) => /restic .*backup/.test(command)) || readdirSync(join(world.repository, 'locks')).length > 0
    expect(atWork()).toBe(true)
    underway.signal(signal)
    let lastSeenAt = 0
    for (; !underway.isOver(); await passTime(2)) {
      const lookedAt = Date.now()
      if (atWork()) lastSeenAt = lookedAt
    }
    expect((await underway.ended).exitCode).toBe(exitCode)
    await watch.close()
    const starts = eventsOf(stack, watch, 'start')
    expect(starts).toHaveLength(1)
    expect(lastSeenAt).toBeLessThan(starts[0]!.at)
    expect([atWork(), await stack.running(), world.journal()]).toEqual([false, ['app'], []])
    expect((await world.snapshots()).filter(({ tags }) => tags.includes('stack:read'))).toEqual([])
  })
})

describe('a stop or a start that fails', () => {
  let stack: WorldStack
  beforeAll(async () => {
    stack = await world.stack('told', { services: { app: polite } })
  })

  let proxy: EngineProxy
  beforeAll(async () => {
    proxy = await startEngineProxy()
  })
  afterEach(() => proxy.clear())
  afterAll(() => proxy.close())

  /** The engine, which refuses these calls. */
  function refusing(fault: Omit<EngineFault, 'answer' | 'method'>): { readonly DOCKER_HOST: string } {
    proxy.fail({ ...fault, method: 'POST', answer: 500 })
    return { DOCKER_HOST: proxy.host }
  }
  const stops = { path: /^\/containers\/[0-9a-f]+\/stop/ }
  /** After a `down` containers are made before they are started. */
  const starts = { down: { path: /^\/containers\/(create|[0-9a-f]+\/start)/ }, stop: { path: /^\/containers\/[0-9a-f]+\/start/ } } as const
  const engineWords = "refused by the test's proxy"

  /** What all that is scripted against says of the run. */
  async function recorded(): Promise<{ readonly status: string; readonly exitCode: number; readonly last: string | null }> {
    const [{ result: history }, { result: status }] = await Promise.all([
      world.json<{ runs: { status: string; exitCode: number }[] }>(['history', '--limit', '1']),
      world.json<{ stacks: { name: string; lastSnapshot: { id: string } | null }[] }>(['status']),
    ])
    const [latest = { status: 'none', exitCode: -1 }] = history.runs
    return { status: latest.status, exitCode: latest.exitCode, last: status.stacks.find(({ name }) => name === 'told')?.lastSnapshot?.id ?? null }
  }

  it.each(sampled(['down', 'stop'] as const))('defect 18: a stop that fails (%s) is told with the engine\'s words, the stack is partial everywhere, and its snapshot is not the last good one', async (mode) => {
    const before = await stack.containers()
    const earlier = (await recorded()).last
    const call = await world.backup(['told', '--stop-mode', mode], { environment: refusing(stops) })
    expect(call.exitCode).toBe(3)
    expect(call.result).toMatchObject({ status: 'partial', stacks: [{ name: 'told', status: 'partial', quiet: false, downtimeMs: null, stopMode: mode }] })
    const failure = call.stack('told').problems.find(({ code }) => code === 'stop-failed')
    expect(failure).toMatchObject({ severity: 'error', message: expect.stringContaining(engineWords) as string })
    expect(await stack.containers()).toBe(before)
    expect(world.journal()).toEqual([])
    expect(await recorded()).toEqual({ status: 'partial', exitCode: 3, last: earlier })
    expect((await world.snapshots()).find(({ id }) => id === call.stack('told').snapshot?.id)?.tags).toContain('live')
  })

  it.each(sampled(['stop', 'down'] as const))('defect 18: a stop that is called a failure (%s) and was none is none', async (mode) => {
    const call = await world.backup(['told', '--stop-mode', mode], { environment: refusing({ ...stops, isCarriedOut: true }) })
    expect(call.result.problems).toEqual([])
    expect([call.exitCode, call.stack('told')]).toMatchObject([0, { status: 'ok', quiet: true, problems: [] }])
    expect(await stack.running()).toEqual(['app'])
    expect(await recorded()).toEqual({ status: 'ok', exitCode: 0, last: call.stack('told').snapshot?.id })
  })

  it.each(sampled(['down', 'stop'] as const))('defect 18: a start that fails once (%s) and works when it is tried again is a success', async (mode) => {
    const call = await world.backup(['told', '--stop-mode', mode], { environment: refusing({ ...starts[mode], nth: 1 }) })
    expect(JSON.stringify(world.log())).toContain(engineWords)
    expect(call.stack('told').problems.filter(({ severity }) => severity === 'error')).toEqual([])
    expect([call.exitCode, call.result.status, call.stack('told').status]).toEqual([0, 'ok', 'ok'])
    expect(await stack.running()).toEqual(['app'])
    expect(world.journal()).toEqual([])
    expect(await recorded()).toEqual({ status: 'ok', exitCode: 0, last: call.stack('told').snapshot?.id })
  })

  it.each(sampled(['stop', 'down'] as const))('defect 18: a start that fails for good (%s) is a failed stack with the engine\'s words, whatever became of its snapshot, until resume', async (mode) => {
    const call = await world.backup(['told', '--stop-mode', mode], { environment: refusing(starts[mode]) })
    expect([call.exitCode, call.result.status]).toEqual([1, 'failed'])
    expect(call.stack('told')).toMatchObject({ status: 'failed', problems: [{ severity: 'error', code: 'not-up', message: expect.stringContaining(engineWords) as string }] })
    expect(await recorded()).toMatchObject({ status: 'failed', exitCode: 1 })
    expect(world.journal().map(({ name }) => name)).toEqual(['told'])
    const { exitCode, result } = await world.resume()
    expect([exitCode, result.stacks]).toEqual([0, [{ name: 'told', servicesBefore: ['app'], action: 'started', status: 'ok' }]])
    expect(await stack.running()).toEqual(['app'])
  })
})

describe('the order', () => {
  let stack: WorldStack
  beforeAll(async () => {
    // The job has ended once, as it has to before `web` is made, and is at work again when the backup comes: it runs until it is stopped.
    stack = await world.stack('order', {
      services: {
        web: { ...polite, depends_on: { job: { condition: 'service_completed_successfully' }, cache: { condition: 'service_started' } } },
        job: { ...polite, command: ['sh', '-c', "trap 'rm -f /data/long; exit 0' TERM; [ -e /data/long ] && { sleep 1000000 & wait; }; sleep 0.5"], volumes: ['./data:/data'], depends_on: { db: { condition: 'service_healthy' } } },
        db: { ...polite, command: ['sh', '-c', "trap 'exit 0' TERM; rm -f /tmp/ready; sleep 0.7; touch /tmp/ready; sleep 1000000 & wait"], healthcheck: quickHealthcheck() },
        cache: polite,
      },
    })
  })

  it.each(sampled(['down', 'stop'] as const))('defect 20: is that of depends_on (%s), and waits for health and for jobs that have to be done', async (mode) => {
    await until('the job has ended', async () => (await stack.running()).join() === 'cache,db,web')
    stack.write('data/long', '')
    await docker('start', `${stack.project}-job-1`)
    const watch = await world.watch()
    const call = await world.backup(['order', '--stop-mode', mode])
    await watch.close()
    expect([call.exitCode, call.stack('order')]).toMatchObject([0, { status: 'ok', quiet: true, servicesBefore: ['cache', 'db', 'job', 'web'], stopMode: mode }])
    const at = (action: string, service: string): number => {
      const found = eventsOf(stack, watch, action, service)
      expect(found.map((event) => `${event.service} ${event.action}`)).toHaveLength(action === 'die' && service === 'job' ? 2 : 1)
      return found.at(-1)!.at
    }
    const firstAt = (action: string, service: string): number => eventsOf(stack, watch, action, service)[0]!.at
    // Who needs something goes first,
    expect(firstAt('die', 'web')).toBeLessThan(firstAt('kill', 'job'))
    expect(firstAt('die', 'web')).toBeLessThan(firstAt('kill', 'cache'))
    expect(firstAt('die', 'job')).toBeLessThan(firstAt('kill', 'db'))
    // and comes back last, when what it needs is there: healthy, or done.
    const healthyAt = watch.healthy.find(({ service }) => service === 'db')!.at
    expect(at('start', 'db')).toBeLessThan(healthyAt)
    expect(healthyAt).toBeLessThan(at('start', 'job'))
    expect(at('start', 'job')).toBeLessThan(at('die', 'job'))
    expect(at('die', 'job')).toBeLessThan(at('start', 'web'))
    expect(at('start', 'cache')).toBeLessThan(at('start', 'web'))
    expect(await stack.running()).toEqual(['cache', 'db', 'web'])
  })
})

it.each(sampled(['stop', 'down'] as const))("defect 21: a service's own longer stop_grace_period counts (%s): it ends in its own time and is not killed", async (mode) => {
  world.configure({ docker: { DOCKER_TIMEOUT: 1 } })
  const stack = await world.stack(`patient-${mode}`, { services: { app: { ...slowToStop(2.5), stop_grace_period: '25s' } } })
  const watch = await world.watch()
  const call = await world.backup([stack.name, '--stop-mode', mode])
  await watch.close()
  world.configure({ docker: { DOCKER_TIMEOUT: 5 } })
  expect([call.exitCode, call.stack(stack.name)]).toMatchObject([0, { status: 'ok', quiet: true, problems: [] }])
  expect(call.stack(stack.name).downtimeMs).toBeGreaterThan(0)
  expect(eventsOf(stack, watch, 'kill')).toHaveLength(1)
  expect(eventsOf(stack, watch, 'die')[0]!.at - eventsOf(stack, watch, 'kill')[0]!.at).toBeGreaterThan(2_000)
  const snapshot = (await world.snapshots()).find(({ id }) => id === call.stack(stack.name).snapshot?.id)!
  const capsule = JSON.parse((await world.dump(snapshot.id, snapshot.paths.find((path) => path.endsWith('/stackbk-capsule.json'))!)).toString()) as { ended: object[] }
  expect(capsule.ended).toMatchObject([{ service: 'app', exitCode: 0, wasKilled: false, graceSeconds: 25 }])
})

describe('when stackbk and its client die in the middle of a stop', () => {
  it.each([
    ['down', 'resume'],
    ['down', 'backup'],
    ['stop', 'resume'],
    ['stop', 'backup'],
  ] as const)('defect 29: by mode %s, %s waits until the engine has finished it, and the stack ends up running', async (mode, command) => {
    const stack = await world.stack(`late-${mode}-${command}`, { services: { app: slowToStop(3), web: polite } })
    world.configure({ docker: { DOCKER_TIMEOUT: 20 } })
    const watch = await world.watch()
    const underway = await world.startUntil(['backup', stack.name, '--stop-mode', mode], says('stopping', stack.name))
    await until('the engine has been told', () => eventsOf(stack, watch, 'kill', 'app').length === 1)
    underway.signal('SIGKILL')
    for (let left = world.processes(); left.length > 0; left = world.processes()) for (const { pid } of left) signalProcess(pid, 'SIGKILL')
    expect((await underway.ended).exitCode).toBe(137)
    // What a start would take for running, and would leave alone.
    const killedAt = Date.now()
    expect(await stack.running()).toContain('app')
    expect(eventsOf(stack, watch, 'die', 'app')).toEqual([])

    const call = await world.run([command, ...(command === 'backup' ? [stack.name, '--stop-mode', mode] : []), '--json'])
    expect(call.exitCode, call.stdout).toBe(0)
    const { stacks } = JSON.parse(call.stdout) as BackupResult
    if (command === 'resume') expect(stacks).toEqual([{ name: stack.name, servicesBefore: ['app', 'web'], action: 'started', status: 'ok' }])
    else expect(stacks).toMatchObject([{ name: stack.name, status: 'ok', stateBefore: 'running', servicesBefore: ['app', 'web'] }])
    await watch.close()
    const [dies, starts] = [eventsOf(stack, watch, 'die', 'app'), eventsOf(stack, watch, 'start', 'app')]
    expect([dies.length, starts.length]).toEqual(command === 'resume' ? [1, 1] : [2, 2])
    expect(dies[0]!.at).toBeGreaterThan(killedAt)
    expect(starts[0]!.at).toBeGreaterThan(dies[0]!.at)
    expect(await stack.running()).toEqual(['app', 'web'])
    expect([world.journal(), world.processes(), existsSync(join(world.state, 'children')) ? readdirSync(join(world.state, 'children')) : []]).toEqual([[], [], []])
    world.disable(stack.name)
    await stack.compose('kill')
  })
})
