import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Runtime, StackState } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { importImage, testImage } from '../../../test/fixtures/busybox-image.js'
import { type ComposeStack, docker, healthyCommand, quickHealthcheck, service, stubbornCommand } from '../../../test/fixtures/compose-stack.js'
import { startEngineProxy } from '../../../test/fixtures/engine-proxy.js'
import { freeSubnet } from '../../../test/fixtures/free-subnet.js'
import { sampled } from '../../../test/fixtures/sampled.js'
import { until } from '../../../test/fixtures/world.js'
import { useEngine } from './fake-engine.js'
import { containersOf, good, liveRuntime, liveStack, look, stopAndStart } from './runtime-for-test.js'

const db = service({ command: healthyCommand, healthcheck: quickHealthcheck(), volumes: ['data:/data'] })

/** Ends three seconds after it was asked to. */
const slowCommand = ['sh', '-c', "trap 'sleep 3; exit 0' TERM; sleep 1000000 & wait"]

/** IDs and process starts, of what runs. */
function running(state: StackState): Record<string, string> {
  return Object.fromEntries(containersOf(state).filter((container) => container.condition === 'running').map((container) => [container.id, container.startedAt ?? '']))
}

test.each(sampled(['down', 'stop'] as const))('a running service of a profile comes back by mode %s, and one that is not used does not (4)', async (mode) => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service(), admin: service({ profiles: ['admin'] }), debug: service({ profiles: ['debug'] }) } }, isUp: false })
  await stack.compose('--profile', 'admin', 'up', '-d')
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.preflight(state)).whyNotDown).toEqual([])
  await stopAndStart(runtime, state, mode)
  expect(await stack.running()).toEqual(['admin', 'web'])
})

test.each(sampled(['stop', 'down'] as const))('replicas come back in their number by mode %s', async (mode) => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } }, isUp: false })
  await stack.up('--scale', 'web=2')
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.preflight(state)).whyNotDown).toEqual([])
  await stopAndStart(runtime, state, mode)
  expect(await stack.running()).toEqual(['web', 'web'])
})

test('a service that the user had stopped is neither started nor, by mode stop, removed (13)', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { db, web: service({ depends_on: { db: { condition: 'service_started' } } }) }, volumes: { data: {} } } })
  await stack.compose('stop', '-t', '5', 'db')
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.preflight(state)).whyNotDown).toEqual([`${stack.project}-db-1 does not run (exited) and would be removed`])
  await stopAndStart(runtime, state, 'stop')
  expect(await stack.running()).toEqual(['web'])
  expect(Object.keys(await stack.containers())).toContain(`${stack.project}-db-1`)
})

test('even taken down, a stack comes back without the service that the user had stopped', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { db, web: service({ depends_on: { db: { condition: 'service_healthy' } } }) }, volumes: { data: {} } } })
  await stack.compose('stop', '-t', '5', 'db')
  await stopAndStart(runtime, await look(runtime, stack.directory), 'down')
  expect(await stack.running()).toEqual(['web'])
})

test('an anonymous volume speaks against down, and keeps its data by stop and start (13)', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service({ volumes: ['/data'] }) } } })
  await stack.compose('exec', '-T', 'web', 'sh', '-c', 'echo kept > /data/file')
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.preflight(state)).whyNotDown).toEqual([`${stack.project}-web-1 has an anonymous volume at /data`])
  await stopAndStart(runtime, state, 'stop')
  expect(await stack.compose('exec', '-T', 'web', 'cat', '/data/file')).toBe('kept')
})

test('a one-off container speaks against down, and comes back by stop and start', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  await stack.compose('run', '-d', '--name', `${stack.project}-once`, 'web')
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.preflight(state)).whyNotDown).toEqual([`${stack.project}-once is a one-off container`])
  await stopAndStart(runtime, state, 'stop')
  expect(await stack.running()).toEqual(['web', 'web'])
})

test.each(sampled(['stop', 'down', 'pause'] as const))('a paused service is paused again after mode %s', async (mode) => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service(), cache: service() } } })
  await stack.compose('pause', 'cache')
  const state = await look(runtime, stack.directory)
  await stopAndStart(runtime, state, mode)
  const after = containersOf(await look(runtime, stack.directory)).map((container) => [container.service, container.condition])
  expect(after).toEqual([['cache', 'paused'], ['web', 'running']])
})

test('after down a moved tag does not change the image (22, 34)', async () => {
  const { runtime } = await liveRuntime()
  const reference = `stackbk-test/moving:${Date.now()}`
  await importImage(reference)
  const stack = await liveStack({ compose: { services: { web: service({ image: reference }) } } })
  const state = await look(runtime, stack.directory)
  const imageId = containersOf(state)[0]!.image.id
  await importImage(reference, ['LABEL newer=true'])
  onTestFinished(async () => {
    await stack.remove()
    await docker('image', 'rm', reference, imageId)
  })
  const preflight = good(await runtime.preflight(state))
  expect(preflight.whyNotDown).toEqual([`image ${reference} has been replaced since ${stack.project}-web-1 was made`])
  expect(preflight.missingImages).toEqual([])
  await stopAndStart(runtime, state, 'down')
  expect(containersOf(await look(runtime, stack.directory))[0]?.image.id).toBe(imageId)
})

test('a container that has to be killed is said to have been (21)', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { deaf: service({ command: stubbornCommand, stop_grace_period: '1s' }), web: service() } } })
  for (const mode of ['stop', 'down'] as const) {
    const state = await look(runtime, stack.directory)
    const { ended } = good(await runtime.stop(state, { mode, graceSeconds: 1 }))
    const ends = Object.fromEntries(ended.map((end) => [end.service, end]))
    expect(ends['deaf']).toMatchObject({ exitCode: 137, wasKilled: true, project: stack.project })
    expect(ends['web']).toMatchObject({ exitCode: 0, wasKilled: false })
    good(await runtime.start(state, { mode, healthTimeoutMs: 10_000 }))
  }
})

test('a container gets the grace of its label, else of its service, else the one of the request, shorter ones too', async () => {
  const { runtime } = await liveRuntime()
  const stubborn = { command: stubbornCommand }
  const stack = await liveStack({
    compose: {
      services: {
        label: service({ ...stubborn, stop_grace_period: '50s', labels: { 'stackbk.stop-timeout': '1s' } }),
        invalid: service({ ...stubborn, stop_grace_period: '2s', labels: { 'stackbk.stop-timeout': 'soon' } }),
        own: service({ ...stubborn, stop_grace_period: '1s', init: false, stop_signal: 'SIGINT' }),
        none: service({ init: true }),
      },
    },
  })
  const state = await look(runtime, stack.directory)
  const begunAt = performance.now()
  const { ended } = good(await runtime.stop(state, { mode: 'stop', graceSeconds: 40 }))
  expect(performance.now() - begunAt).toBeLessThan(30_000)
  const ends = Object.fromEntries(ended.map((end) => [end.service, [end.graceSeconds, end.wasKilled]]))
  expect(ends).toEqual({ label: [1, true], invalid: [2, true], own: [1, true], none: [40, false] })
  for (const end of ended.filter(({ wasKilled }) => wasKilled)) expect(end.tookSeconds).toBeGreaterThanOrEqual(end.graceSeconds - 0.5)
  const [byName] = [Object.fromEntries(containersOf(state).map((container) => [container.service, container]))]
  expect([byName['own']?.stopSignal, byName['own']?.hasInit, byName['none']?.hasInit]).toEqual(['SIGINT', undefined, true])
})

test('who was healthy is up again only when healthy again', async () => {
  const { runtime } = await liveRuntime()
  const command = ['sh', '-c', "trap 'exit 0' TERM; rm -f /tmp/ready; until [ -e /data/go ]; do sleep 0.1; done; touch /tmp/ready; sleep 1000000 & wait"]
  const healthcheck = { test: ['CMD', 'test', '-f', '/tmp/ready'], interval: '300ms', timeout: '2s', retries: 1 }
  const stack = await liveStack({ compose: { services: { db: service({ command, healthcheck, volumes: ['./data:/data'] }) } }, files: { 'data/go': '' }, isUp: false })
  await stack.up('--wait')
  const state = await look(runtime, stack.directory)
  const since = new Date()
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  await rm(join(stack.directory, 'data', 'go'))
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 1_000 }))
  const early = good(await runtime.waitUntilUp(state, { since, timeoutMs: 1_000 }))
  expect([early.isUp, early.missing.map(({ service: name }) => name)]).toEqual([false, ['db']])
  await stack.write('data/go', '')
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 30_000 }))).toEqual({ isUp: true, missing: [], completed: [] })
})

test('a service is up again only with as many containers as before', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } }, isUp: false })
  await stack.up('--scale', 'web=2')
  const state = await look(runtime, stack.directory)
  const since = new Date()
  await stopAndStart(runtime, state, 'stop')
  await docker('rm', '-f', `${stack.project}-web-2`)
  const report = good(await runtime.waitUntilUp(state, { since, timeoutMs: 1_000 }))
  expect(report).toMatchObject({ isUp: false, missing: [{ service: 'web' }] })
  expect(report.missing[0]?.reason).toContain('1 of its 2 containers')
})

test('a start waits for the health of what others depend on, and for nothing else (20)', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({
    compose: {
      services: {
        db: service({ command: ['sh', '-c', "trap 'exit 0' TERM; rm -f /tmp/ready; sleep 1; touch /tmp/ready; sleep 1000000 & wait"], healthcheck: quickHealthcheck() }),
        web: service({ depends_on: { db: { condition: 'service_healthy' } } }),
        free: service(),
      },
    },
  })
  const state = await look(runtime, stack.directory)
  for (const mode of ['stop', 'down'] as const) {
    const watch = good(await runtime.watch(state))
    await stopAndStart(runtime, state, mode)
    const started = Object.fromEntries(watch.report().starts.map((start) => [start.container.replace(/^.*-([a-z]+)-1$/, '$1'), start.at]))
    await watch.close()
    expect(started['web']! - started['db']!).toBeGreaterThanOrEqual(900)
    expect(started['free']! - started['db']!).toBeLessThan(900)
  }
})

test('a stack that goes down ends what depends on others first', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { a: service(), b: service({ depends_on: ['a'] }), c: service({ depends_on: ['b'] }) } } })
  const { ended } = good(await runtime.stop(await look(runtime, stack.directory), { mode: 'stop', graceSeconds: 5 }))
  expect(ended.map((end) => end.service)).toEqual(['c', 'b', 'a'])
})

/** What has to wait for a job that is done once. */
const afterMigration = {
  services: {
    db,
    migrate: service({ command: ['true'], depends_on: { db: { condition: 'service_healthy' } } }),
    web: service({ depends_on: { migrate: { condition: 'service_completed_successfully' } } }),
  },
  volumes: { data: {} },
}

test('what waits for a finished job waits for what that job needed, and the job is not run again', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: afterMigration })
  const state = await look(runtime, stack.directory)
  const watch = good(await runtime.watch(state))
  await stopAndStart(runtime, state, 'stop')
  const { starts } = watch.report()
  expect(starts.map((start) => start.container)).toEqual([`${stack.project}-db-1`, `${stack.project}-web-1`])
})

test('a one-shot that ran at the stop and ends with 0 after the start is confirmed', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { job: service({ command: ['sh', '-c', 'test -e /tmp/again && exit 0; touch /tmp/again; sleep 1000000'], stop_grace_period: '1s' }), web: service() } } })
  const state = await look(runtime, stack.directory)
  const since = new Date()
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 1 }))
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 10_000 }))
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 10_000 }))).toEqual({ isUp: true, missing: [], completed: ['job'] })
})

test('what was started again is up, although the clock was set back meanwhile', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { db, web: service() }, volumes: { data: {} } } })
  const state = await look(runtime, stack.directory)
  const since = new Date(Date.now() + 3_600_000)
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 500 })).isUp).toBe(false)
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 20_000 }))
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 20_000 }))).toMatchObject({ isUp: true, missing: [] })
})

test('a crash loop is not up', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service({ command: ['sh', '-c', "trap 'exit 0' TERM; test -e /tmp/again && exit 3; touch /tmp/again; sleep 1000000 & wait"], restart: 'always' }) } } })
  const state = await look(runtime, stack.directory)
  const since = new Date()
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 5_000 }))
  await expect.poll(async () => containersOf(await look(runtime, stack.directory))[0]?.condition, { timeout: 10_000 }).toBe('restarting')
  const report = good(await runtime.waitUntilUp(state, { since, timeoutMs: 3_000 }))
  expect(report).toMatchObject({ isUp: false, missing: [{ service: 'web' }] })
})

test('a service that was healthy and is not any more is not up', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { db: service({ command: healthyCommand, healthcheck: { ...quickHealthcheck(), start_period: '0s', timeout: '1s' } }) } } })
  const health = async (): Promise<string | undefined> => containersOf(await look(runtime, stack.directory))[0]?.health
  await expect.poll(health, { timeout: 20_000 }).toBe('healthy')
  const state = await look(runtime, stack.directory)
  await stack.compose('exec', '-T', 'db', 'rm', '/tmp/ready')
  await expect.poll(health, { timeout: 20_000 }).toBe('unhealthy')
  const report = good(await runtime.waitUntilUp(state, { since: new Date(state.takenAt), timeoutMs: 1_000 }))
  expect(report).toMatchObject({ isUp: false, missing: [{ service: 'db', reason: `${stack.project}-db-1 is unhealthy, and was healthy before` }] })
})

test('a stop whose client died is waited for before the start (6, 29)', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { slow: service({ command: slowCommand }), web: service() } } })
  const state = await look(runtime, stack.directory)
  const watch = good(await runtime.watch(state))
  const container = containersOf(state).find((one) => one.service === 'slow')!
  const client = spawn('docker', ['stop', '-t', '30', container.id], { stdio: 'ignore' })
  const { runtime: other } = await liveRuntime()
  const heard = good(await other.watch(state))
  onTestFinished(() => heard.close())
  // The engine was told when the trap runs: a `sleep 3` is there.
  await expect.poll(async () => docker('top', container.id), { timeout: 10_000 }).toContain('sleep 3')
  client.kill('SIGKILL')
  await once(client, 'exit')
  const since = new Date(state.takenAt)
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 10_000 }))
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 10_000 })).isUp).toBe(true)
  const { ended, starts } = watch.report()
  expect([ended.map((end) => end.service), starts.map((start) => start.container)]).toEqual([['slow'], [container.name]])
  expect(await stack.running()).toEqual(['slow', 'web'])
})

test.each(sampled(['down', 'stop'] as const))('a stop by mode %s that is cancelled midway ends in everything running', async (mode) => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { slow: service({ command: slowCommand }), web: service({ depends_on: ['slow'] }) } } })
  const state = await look(runtime, stack.directory)
  const slow = containersOf(state).find((one) => one.service === 'slow')!
  const controller = new AbortController()
  const stopping = runtime.stop(state, { mode, graceSeconds: 30, signal: controller.signal })
  await expect.poll(async () => docker('top', slow.id), { timeout: 10_000 }).toContain('sleep 3')
  controller.abort()
  expect(await stopping).toMatchObject({ ok: false, failure: { kind: 'cancelled' } })
  good(await runtime.start(state, { mode, healthTimeoutMs: 10_000 }))
  expect(await stack.running()).toEqual(['slow', 'web'])
  expect(good(await runtime.waitUntilUp(state, { since: new Date(state.takenAt), timeoutMs: 10_000 })).isUp).toBe(true)
})

test('partly removed, a stack comes back: what is left is started, what is gone is made', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { a: service(), b: service({ depends_on: ['a'] }), c: service() } } })
  const state = await look(runtime, stack.directory)
  const before = await stack.containers()
  await docker('rm', '-f', `${stack.project}-b-1`)
  await docker('stop', '-t', '5', `${stack.project}-a-1`)
  good(await runtime.start(state, { mode: 'down', healthTimeoutMs: 10_000 }))
  expect(await stack.running()).toEqual(['a', 'b', 'c'])
  const after = await stack.containers()
  expect(after[`${stack.project}-a-1`]).toBe(before[`${stack.project}-a-1`])
  expect(after[`${stack.project}-b-1`]).not.toBe(before[`${stack.project}-b-1`])
})

test('an edited compose file is not applied by a start of what still exists (34)', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  const state = await look(runtime, stack.directory)
  await stack.write('compose.yaml', { services: { web: service({ environment: { NEW: 'yes' } }), more: service() } })
  await stopAndStart(runtime, state, 'stop')
  expect(Object.keys(running(await look(runtime, stack.directory)))).toEqual(Object.keys(running(state)))
  expect(await stack.running()).toEqual(['web'])
})

test('a container of elsewhere in the network namespace of one of the stack is stopped and started with it', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { vpn: service() } } })
  const guest = `${stack.project}-guest`
  await docker('run', '-d', '--name', guest, '--network', `container:${stack.project}-vpn-1`, testImage, 'sh', '-c', "trap 'exit 0' TERM; sleep 1000000 & wait")
  onTestFinished(async () => void (await docker('rm', '-f', guest)))
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.preflight(state)).whyNotDown).toEqual([`${guest} shares the network of a container of this stack`])
  await stopAndStart(runtime, state, 'stop')
  expect(await docker('inspect', '--format', '{{.State.Running}}', guest)).toBe('true')
  const links = async (name: string): Promise<string> => docker('exec', name, 'readlink', '/proc/self/ns/net')
  expect(await links(guest)).toBe(await links(`${stack.project}-vpn-1`))
})

test('two projects of one folder are both stopped and both started', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  const other = `${stack.project}-blue`
  stack.alsoRemove(other)
  await stack.compose('-p', other, 'up', '-d')
  for (const mode of ['stop', 'down'] as const) {
    await stopAndStart(runtime, await look(runtime, stack.directory), mode)
    expect([await stack.running(), await stack.running(other)]).toEqual([['web'], ['web']])
  }
})

test.each(sampled(['stop', 'down'] as const))('lifecycle hooks are run by mode %s', async (mode) => {
  const { runtime } = await liveRuntime()
  const web = service({ volumes: ['./log:/log'], pre_stop: [{ command: ['sh', '-c', 'echo stopping >> /log/hooks'] }], post_start: [{ command: ['sh', '-c', 'echo started >> /log/hooks'] }] })
  const stack = await liveStack({ compose: { services: { web, other: service({ depends_on: ['web'] }) } } })
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.preflight(state)).whyNotDown).toEqual([])
  await stopAndStart(runtime, state, mode)
  expect(await stack.running()).toEqual(['other', 'web'])
  expect(await readFile(join(stack.directory, 'log/hooks'), 'utf8')).toBe('started\nstopping\nstarted\n')
})

test.each(sampled(['down', 'stop'] as const))('a service in the network namespace of another is in it again after mode %s', async (mode) => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { vpn: service(), behind: service({ network_mode: 'service:vpn' }) } } })
  await stopAndStart(runtime, await look(runtime, stack.directory), mode)
  const namespace = (name: string): Promise<string> => stack.compose('exec', '-T', name, 'readlink', '/proc/self/ns/net')
  expect(await namespace('behind')).toBe(await namespace('vpn'))
})

test('a stack is not up while a container of elsewhere that was stopped with it, and lives in its network, is down', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { vpn: service() } } })
  const guest = `${stack.project}-guest`
  await docker('run', '-d', '--name', guest, '--network', `container:${stack.project}-vpn-1`, testImage, 'sh', '-c', "trap 'exit 0' TERM; sleep 1000000 & wait")
  onTestFinished(async () => void (await docker('rm', '-f', guest)))
  const state = await look(runtime, stack.directory)
  const since = new Date()
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  await stack.compose('start')
  const report = good(await runtime.waitUntilUp(state, { since, timeoutMs: 1000 }))
  expect(report).toMatchObject({ isUp: false, missing: [{ service: guest }] })
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 30_000 }))
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 30_000 })).isUp).toBe(true)
})

test('a stack is not up while a service runs that the user had paused', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service(), cache: service() } } })
  await stack.compose('pause', 'cache')
  const state = await look(runtime, stack.directory)
  const since = new Date()
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  await stack.compose('start')
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 1000 }))).toMatchObject({ isUp: false, missing: [{ service: 'cache' }] })
})

test('a container that crashes over and over counts as restarting, also in the moment in which it runs', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service({ command: ['sh', '-c', 'sleep 1; exit 1'], restart: 'always' }) } } })
  await until('it was restarted', async () => Number(await docker('inspect', '--format', '{{.RestartCount}}', `${stack.project}-web-1`)) > 0)
  expect(containersOf(await look(runtime, stack.directory))[0]?.condition).toBe('restarting')
})

/** As a backup does it: it listens from then on, and has looked once more since. */
async function lookListening(runtime: Runtime, directory: string): Promise<StackState> {
  const state = await look(runtime, directory)
  const watch = good(await runtime.watch(state))
  onTestFinished(() => watch.close())
  await look(runtime, directory)
  return state
}

test('in the window nothing is asked that the events have told, and a start does not wait for a look', async () => {
  const { runtime, calls } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { db, web: service({ depends_on: { db: { condition: 'service_healthy' } } }) }, volumes: { data: {} } } })
  const state = await lookListening(runtime, stack.directory)
  good(await runtime.preflight(state))
  const before = calls.length
  const evidence = good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  expect([evidence.stillRunning, evidence.ended.map((end) => end.service)]).toEqual([[], ['web', 'db']])
  expect(calls.slice(before).map((call) => call.split('/').at(-1))).toEqual(['stop', 'stop'])
  const afterStop = calls.length
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 20_000 }))
  const untilLastStart = calls.slice(afterStop, calls.findLastIndex((call) => call.endsWith('/start')) + 1)
  expect(untilLastStart.filter((call) => !call.endsWith('/json')).map((call) => call.split('/').at(-1))).toEqual(['start', 'start'])
  expect(untilLastStart.filter((call) => call === 'GET /containers/json').length).toBeLessThanOrEqual(2)
  expect(await stack.running()).toEqual(['db', 'web'])
})

test('down answers when all is stopped, and removes meanwhile; who looks or starts waits for that', async () => {
  const { runtime, calls } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { db, web: service({ depends_on: { db: { condition: 'service_healthy' } } }) }, volumes: { data: {} } } })
  const state = await lookListening(runtime, stack.directory)
  const before = calls.length
  const evidence = good(await runtime.stop(state, { mode: 'down', graceSeconds: 5 }))
  expect([evidence.stillRunning, evidence.ended.map((end) => end.service)]).toEqual([[], ['web', 'db']])
  expect(await look(runtime, stack.directory)).toMatchObject({ condition: 'not-found' })
  expect(calls.slice(before).flatMap((call) => /^POST .*\/(stop)$|^(DELETE) /.exec(call)?.slice(1).filter(Boolean) ?? [])).toEqual(['stop', 'stop', 'DELETE', 'DELETE'])
  good(await runtime.start(state, { mode: 'down', healthTimeoutMs: 20_000 }))
  expect(await stack.running()).toEqual(['db', 'web'])

  good(await runtime.stop(await look(runtime, stack.directory), { mode: 'down', graceSeconds: 5 }))
  good(await runtime.start(state, { mode: 'down', healthTimeoutMs: 20_000 }))
  expect(await stack.running()).toEqual(['db', 'web'])
})

test('a container of the stack that somebody starts between the look and the stop is seen to run', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  const state = await lookListening(runtime, stack.directory)
  await stack.up('--scale', 'web=2')
  const { stillRunning } = good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  expect(stillRunning).toEqual([`${stack.project}-web-2`])
})

test('what somebody removes right after the stop is made again', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service(), other: service() } } })
  const state = await lookListening(runtime, stack.directory)
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  await docker('rm', `${stack.project}-web-1`)
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 20_000 }))
  expect(await stack.running()).toEqual(['other', 'web'])
})

test('after down each still says what it needs, also of what does not run: the next start keeps the order', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: afterMigration })
  const state = await look(runtime, stack.directory)
  await stopAndStart(runtime, state, 'down')
  const after = await look(runtime, stack.directory)
  expect(containersOf(after).map((container) => [container.service, container.condition, container.dependsOn])).toEqual([
    ['db', 'running', []],
    ['web', 'running', [{ service: 'migrate', condition: 'service_completed_successfully', required: true }]],
  ])
})

test('what needs a service that the file no longer has, or whose image is gone, is made all the same', async () => {
  const { runtime } = await liveRuntime()
  const reference = `stackbk-test/leaving:${Date.now()}`
  await importImage(reference)
  const jobs = { gone: service({ command: ['true'] }), bare: service({ image: reference, command: ['true'] }) }
  const web = service({ depends_on: { gone: { condition: 'service_completed_successfully' }, bare: { condition: 'service_completed_successfully' } } })
  const stack = await liveStack({ compose: { services: { ...jobs, web } } })
  const state = await look(runtime, stack.directory)
  good(await runtime.stop(state, { mode: 'down', graceSeconds: 5 }))
  await docker('image', 'rm', reference)
  await stack.write('compose.yaml', { services: { web: service() } })
  good(await runtime.start(state, { mode: 'down', healthTimeoutMs: 10_000 }))
  expect(await stack.running()).toEqual(['web'])
})

test.each([
  ['process IDs', ['--network', 'none', '--pid'], 'pid'],
  ['shared memory', ['--network', 'none', '--ipc'], 'ipc'],
  ['network', ['--network'], 'net'],
] as const)('containers of elsewhere that share the %s of one of the stack, or of one another, are stopped and started with it', async (what, flags, kind) => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { owner: service({ ipc: 'shareable' }) } } })
  const [first, second] = [`${stack.project}-first`, `${stack.project}-second`]
  const command = ['sh', '-c', "trap 'exit 0' TERM; sleep 1000000 & wait"]
  onTestFinished(async () => void (await docker('rm', '-f', first, second)))
  await docker('run', '-d', '--name', first, ...(kind === 'ipc' ? ['--network', 'none', '--ipc'] : flags), `container:${stack.project}-owner-1`, testImage, ...command)
  await docker('run', '-d', '--name', second, '--network', `container:${kind === 'net' ? first : `${stack.project}-owner-1`}`, testImage, ...command)
  const state = await look(runtime, stack.directory)
  expect(state.dependents.map((container) => container.name).sort()).toEqual([first, second])
  expect(good(await runtime.preflight(state)).whyNeverDown).toContain(`${first} shares the ${what} of a container of this stack`)
  await stopAndStart(runtime, state, 'stop')
  const namespaceOf = (name: string): Promise<string> => docker('exec', name, 'readlink', `/proc/self/ns/${kind}`)
  expect(await namespaceOf(first)).toBe(await namespaceOf(`${stack.project}-owner-1`))
  expect(await docker('inspect', '--format', '{{.State.Running}}', first, second)).toBe('true\ntrue')
  const network = (name: string): Promise<string> => docker('exec', name, 'readlink', '/proc/self/ns/net')
  expect(await network(second)).toBe(await network(`${stack.project}-owner-1`))
})

/** Two folders with one project name, each with a service of its own. */
async function neighbours(): Promise<readonly [ComposeStack, ComposeStack]> {
  const one = await liveStack({ compose: { services: { app: service(), idle: service({ profiles: ['idle'] }) } }, isUp: false })
  const other = await liveStack({ compose: { name: one.project, services: { neighbour: service(), done: service({ command: ['true'] }) } }, isUp: false })
  await docker('compose', '-p', one.project, '--project-directory', one.directory, '-f', join(one.directory, 'compose.yaml'), 'up', '-d')
  await docker('compose', '-p', one.project, '--project-directory', other.directory, '-f', join(other.directory, 'compose.yaml'), 'up', '-d')
  return [one, other]
}

/** By service: ID and start of each container of the project, running or not. */
async function startsOf(project: string): Promise<Record<string, string>> {
  const ids = (await docker('ps', '-aq', '--no-trunc', '--filter', `label=com.docker.compose.project=${project}`)).split('\n').filter((id) => id !== '')
  const rows = await docker('inspect', '--format', '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.Status}} {{.State.StartedAt}}', ...ids)
  return Object.fromEntries(rows.split('\n').map((row) => [row.split(' ')[0]!, row]))
}

test.each(['down', 'stop'] as const)('mode %s touches no container of another folder with the same project name', async (mode) => {
  const { runtime } = await liveRuntime()
  const [one, other] = await neighbours()
  const state = await look(runtime, one.directory)
  const before = await startsOf(one.project)
  expect(Object.keys(before).sort()).toEqual(['app', 'done', 'neighbour'])
  await stopAndStart(runtime, { ...state, projects: state.projects.map((project) => ({ ...project, containers: project.containers.filter(({ service: name }) => name === 'app') })) }, mode)
  const after = await startsOf(one.project)
  expect([after['neighbour'], after['done']]).toEqual([before['neighbour'], before['done']])
  expect(after['app']).not.toBe(before['app'])
  await other.remove()
})

test('by mode down, networks keep their IDs and subnets, and a stopped guest of a network can start again', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { db, web: service({ networks: ['default', 'named'] }) }, networks: { named: { name: `shared-${process.pid}` } }, volumes: { data: {} } } })
  const guest = `${stack.project}-guest`
  await docker('run', '-d', '--name', guest, '--network', `shared-${process.pid}`, testImage, 'sleep', '1000')
  onTestFinished(async () => void (await docker('rm', '-f', guest)))
  await docker('stop', '-t', '0', guest)
  const networks = (): Promise<string> => docker('network', 'inspect', '--format', '{{.Name}} {{.Id}} {{range .IPAM.Config}}{{.Subnet}}{{end}}', `${stack.project}_default`, `shared-${process.pid}`)
  const before = await networks()
  await stopAndStart(runtime, await look(runtime, stack.directory), 'down')
  expect(await networks()).toBe(before)
  await docker('start', guest)
  expect(await docker('inspect', '--format', '{{.State.Status}}', guest)).toBe('running')
  await docker('rm', '-f', guest)
  expect(await stack.running()).toEqual(['db', 'web'])
})

test('by mode down, a container that is started again between the stop and the removal stays', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  const state = await look(runtime, stack.directory)
  const proxy = await startEngineProxy()
  onTestFinished(() => proxy.close())
  useEngine(proxy.socketPath)
  proxy.fail({ method: 'DELETE', path: /^\/containers\//, answer: 409 })
  const { runtime: refused, log } = await liveRuntime()
  good(await refused.stop(state, { mode: 'down', graceSeconds: 5 }))
  expect(JSON.stringify(log)).toContain(`docker rm of ${stack.project}-web-1 failed`)
  good(await refused.start(state, { mode: 'down', healthTimeoutMs: 5_000 }))
  expect(containersOf(await look(runtime, stack.directory)).map(({ id, condition }) => [id, condition])).toEqual([[containersOf(state)[0]!.id, 'running']])
})

test.each([
  ['stop', /\/stop/, 500],
  ['stop', /\/stop/, 'reset'],
  ['start', /\/start/, 500],
  ['start', /\/start/, 'reset'],
] as const)('a %s that the engine refuses once (%s, %s) is a failure with its words, and works when it is asked again', async (verb, path, answer) => {
  const proxy = await startEngineProxy()
  onTestFinished(() => proxy.close())
  useEngine(proxy.socketPath)
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  const state = await look(runtime, stack.directory)
  proxy.fail({ method: 'POST', path, nth: 1, answer })
  const since = new Date()
  const stopped = await runtime.stop(state, { mode: 'stop', graceSeconds: 5 })
  const first = verb === 'stop' ? stopped : await runtime.start(state, { mode: 'stop', healthTimeoutMs: 5_000 })
  expect(first).toMatchObject({ ok: false, failure: answer === 'reset' ? { kind: 'tool-not-answering' } : { kind: 'failed', message: `docker ${verb} of ${stack.project}-web-1 failed`, toolOutput: expect.stringContaining('refused by the test') as string } })
  if (verb === 'stop') good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 5_000 }))
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 30_000 })).isUp).toBe(true)
})

test('a container that the engine could not pause is tried once more, it alone, and what cannot be paused for good is a failure', async () => {
  const proxy = await startEngineProxy()
  onTestFinished(() => proxy.close())
  useEngine(proxy.socketPath)
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { db: service(), web: service() } } })
  const state = await look(runtime, stack.directory)
  const stubborn = containersOf(state).find(({ service: name }) => name === 'db')!.id
  const pauses = (): readonly string[] => proxy.calls.filter(({ path }) => path.endsWith('/pause')).map(({ path }) => (path.includes(stubborn) ? 'db' : 'web')).sort()
  proxy.fail({ method: 'POST', path: new RegExp(`/${stubborn}/pause`), nth: 1, answer: 500 })
  expect(good(await runtime.stop(state, { mode: 'pause', graceSeconds: 5 }))).toEqual({ ended: [], stillRunning: [] })
  expect(pauses()).toEqual(['db', 'db', 'web'])
  expect(new Set(containersOf(await look(runtime, stack.directory)).map(({ condition }) => condition))).toEqual(new Set(['paused']))
  good(await runtime.start(state, { mode: 'pause', healthTimeoutMs: 5_000 }))
  proxy.fail({ method: 'POST', path: new RegExp(`/${stubborn}/pause`), answer: 500 })
  expect(await runtime.stop(state, { mode: 'pause', graceSeconds: 5 })).toMatchObject({ ok: false, failure: { message: `docker pause of ${stack.project}-db-1 failed` } })
  good(await runtime.start(state, { mode: 'pause', healthTimeoutMs: 5_000 }))
  expect(containersOf(await look(runtime, stack.directory)).map(({ condition }) => condition)).toEqual(['running', 'running'])
})

test('a stop that the engine refuses for good leaves the stack running and removes nothing', async () => {
  const proxy = await startEngineProxy()
  onTestFinished(() => proxy.close())
  useEngine(proxy.socketPath)
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { db, web: service() }, volumes: { data: {} } } })
  const state = await look(runtime, stack.directory)
  proxy.fail({ method: 'POST', path: new RegExp(`/${containersOf(state).find(({ service: name }) => name === 'db')!.id}/stop`), answer: 500 })
  expect(await runtime.stop(state, { mode: 'down', graceSeconds: 5 })).toMatchObject({ ok: false, failure: { message: `docker stop of ${stack.project}-db-1 failed` } })
  expect(proxy.calls.filter(({ method }) => method === 'DELETE')).toEqual([])
  good(await runtime.start(state, { mode: 'down', healthTimeoutMs: 20_000 }))
  expect(Object.keys(running(await look(runtime, stack.directory))).sort()).toEqual(containersOf(state).map(({ id }) => id).sort())
})

test('an engine that does not answer a stop or a start is a failure after the grace and some time more, and nothing hangs', async () => {
  const proxy = await startEngineProxy()
  onTestFinished(() => proxy.close())
  useEngine(proxy.socketPath)
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  const state = await look(runtime, stack.directory)
  proxy.fail({ method: 'POST', path: /\/stop/, answer: 'hang' })
  const cancelled = new AbortController()
  const stopping = runtime.stop(state, { mode: 'stop', graceSeconds: 5, signal: cancelled.signal })
  await until('the engine has been asked', () => proxy.failed.length > 0)
  cancelled.abort()
  expect(await stopping).toMatchObject({ ok: false, failure: { kind: 'cancelled' } })
})

test.each(sampled(['invalid', 'gone', 'in a renamed folder'] as const))('a removed stack comes back exactly as it was although its compose file is now %s: shared networks, replicas and addresses', async (what) => {
  const { runtime } = await liveRuntime()
  const subnet = freeSubnet()
  const stack = await liveStack({
    compose: {
      services: {
        db: service({ environment: { SECRET: 'kept' }, volumes: ['data:/data'], networks: { fixed: { ipv4_address: `${subnet}.9` } } }),
        watcher: service({ network_mode: 'service:db' }),
        web: service({ depends_on: { db: { condition: 'service_started' } } }),
      },
      networks: { fixed: { ipam: { config: [{ subnet: `${subnet}.0/24` }] } } },
      volumes: { data: {} },
    },
    isUp: false,
  })
  await stack.up('--scale', 'web=2')
  await stack.compose('exec', '-T', 'db', 'sh', '-c', 'echo kept > /data/file')
  const describe = async (name: string): Promise<string> => docker('inspect', '--format', '{{json .Config.Env}} {{json .Config.Labels}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', `${stack.project}-${name}`)
  const before = await describe('db-1')
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.preflight(state)).whyNotDown).toEqual([])
  good(await runtime.stop(state, { mode: 'down', graceSeconds: 5 }))
  const composeFile = join(stack.directory, 'compose.yaml')
  const content = await readFile(composeFile)
  const moved = `${stack.directory}-moved`
  if (what === 'invalid') await writeFile(composeFile, 'services: [')
  if (what === 'gone') await rm(composeFile)
  if (what === 'in a renamed folder') await rename(stack.directory, moved)

  const since = new Date()
  good(await runtime.start(state, { mode: 'down', healthTimeoutMs: 20_000 }))
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 20_000 }))).toMatchObject({ isUp: true, missing: [] })
  if (what === 'in a renamed folder') await rename(moved, stack.directory)
  else await writeFile(composeFile, content)
  expect(await stack.running()).toEqual(['db', 'watcher', 'web', 'web'])
  expect(await describe('db-1')).toBe(before)
  expect(await stack.compose('exec', '-T', 'db', 'cat', '/data/file')).toBe('kept')
  // Compose counts the ID of the container whose network is shared, and that is another one now.
  expect(good(await runtime.preflight(await look(runtime, stack.directory))).whyNotDown).toEqual([expect.stringMatching(/^service watcher was changed/)])
})
