import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand } from '../fixtures/compose-stack.js'
import { startEngineProxy } from '../fixtures/engine-proxy.js'
import type { EngineEvent } from '../fixtures/engine-watch.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'

const polite = { image: testImage, command: politeCommand, network_mode: 'none' }
const quick = { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } }

describe('stacks whose model does not resolve', () => {
  let world: World
  let broken: WorldStack
  let unset: WorldStack
  let quoted: WorldStack
  let before: { broken: string; unset: string }
  let call: Awaited<ReturnType<World['backup']>>
  let events: readonly EngineEvent[]

  beforeAll(async () => {
    world = await makeWorld({ settings: quick })
    broken = await world.stack('broken', { services: { app: polite } })
    broken.write('compose.yaml', `name: ${broken.project}\nservices:\n  app: [not, a\n`)
    unset = await world.stack('unset', { services: { app: polite } })
    unset.write('compose.yaml', { name: unset.project, services: { app: { ...polite, environment: { KEY: '${NOWHERE_SET:?is needed}' } } } })
    quoted = await world.stack('quoted', { services: { app: polite } })
    quoted.write('compose.yaml', { name: quoted.project, services: { app: { ...polite, environment: { PASSWORD: 'hunter-secret-2${x' } } } })
    await world.stack('good', { services: { app: polite } })
    before = { broken: await broken.containers(), unset: await unset.containers() }
    const watch = await world.watch()
    call = await world.backup()
    events = await watch.close()
  })
  afterAll(() => world.remove())

  it.each(['broken', 'unset'])('the containers of a stack with a model that is %s are stopped and started as they are', async (name) => {
    const stack = name === 'broken' ? broken : unset
    expect(events.filter((event) => event.project === stack.project && ['create', 'destroy'].includes(event.action))).toEqual([])
    const [id, startedAt, condition] = (await stack.containers()).split(' ')
    const [idBefore, startedBefore] = before[name as 'broken' | 'unset'].split(' ')
    expect([id, condition]).toEqual([idBefore, 'running'])
    expect(startedAt).not.toBe(startedBefore)
  })

  it.each(['broken', 'unset'])('it (%s) is read at rest, and ok with a warning', async (name) => {
    expect(call.stack(name)).toMatchObject({ status: 'ok', stateBefore: 'running', servicesBefore: ['app'], stopMode: 'stop', stopModeReason: expect.stringContaining('does not resolve'), quiet: true })
    expect(call.stack(name).problems).toMatchObject([{ severity: 'warning', code: 'model-does-not-resolve' }])
    const snapshot = (await world.snapshots()).find((one) => one.tags.includes(`stack:${name}`))
    expect(snapshot?.id).toBe(call.stack(name).snapshot?.id)
    expect(snapshot?.tags).toEqual(['stackbk', `stack:${name}`])
  })

  it('a value of its environment that Compose quotes is shown nowhere', async () => {
    expect(call.stack('quoted')).toMatchObject({ status: 'ok', problems: [{ code: 'model-does-not-resolve', message: expect.stringContaining('PASSWORD') }] })
    const { stdout, stderr } = await world.run(['backup', 'quoted', '--verbose', '--dry-run'])
    expect(world.log().some((line) => JSON.stringify(line).includes('environment.PASSWORD'))).toBe(true)
    expect([JSON.stringify(call.result), call.stderr, stdout, stderr, JSON.stringify(world.log())].join('\n')).not.toContain('hunter-secret')
  })

  it('the run is ok, and each snapshot is the last good one of its stack', async () => {
    expect(call.stack('good')).toMatchObject({ status: 'ok', quiet: true, problems: [] })
    expect(call.result.status).toBe('ok')
    expect(call.exitCode).toBe(0)
    const { result } = await world.json<{ stacks: { name: string; lastSnapshot: unknown; overdue: boolean }[] }>(['status'])
    for (const name of ['broken', 'unset', 'good']) expect(result.stacks.find((stack) => stack.name === name)).toMatchObject({ lastSnapshot: { id: call.stack(name).snapshot?.id }, overdue: false })
  })
})

describe('an engine that does not answer', () => {
  let world: World
  let web: WorldStack

  beforeAll(async () => {
    world = await makeWorld({ settings: quick })
    web = await world.stack('web', { services: { app: polite } })
  })
  afterAll(() => world.remove())

  it('defect 3: before anything began it is exit 4, with no snapshot and nothing stopped', async () => {
    const before = await web.containers()
    const { exitCode, stdout } = await world.run(['backup', '--json'], { environment: { DOCKER_HOST: 'unix:///nonexistent.sock' } })
    expect(exitCode).toBe(4)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'tool-not-answering', exitCode: 4 } })
    expect(await world.snapshots()).toEqual([])
    expect(await web.containers()).toBe(before)
  })

  it('defect 3: lost in mid-run, the stack is snapshotted live and partial, never taken for stopped', async () => {
    // The real engine, until the stacks have been looked at once.
    const proxy = await startEngineProxy()
    for (let nth = 2; nth < 100; nth += 1) proxy.fail({ path: /^\/containers\/json/, nth, answer: 'reset' })
    proxy.fail({ path: /^\/(images|volumes|networks|events)/, answer: 'reset' })
    const before = await web.containers()
    const call = await world.backup([], { environment: { DOCKER_HOST: proxy.host } })
    await proxy.close()
    expect(call.stack('web')).toMatchObject({ status: 'partial', stateBefore: 'unknown', quiet: false, stopMode: 'none' })
    expect(call.stack('web').snapshot).not.toBeNull()
    expect(call.exitCode).toBe(3)
    expect((await world.snapshots()).map((snapshot) => snapshot.tags.includes('live'))).toEqual([true])
    expect(await web.containers()).toBe(before)
  })

  it('a remote engine is refused before anything is touched', async () => {
    const { exitCode, stderr } = await world.run(['backup'], { environment: { DOCKER_HOST: 'tcp://127.0.0.1:9' } })
    expect([exitCode, stderr.split('\n')[0]]).toEqual([2, expect.stringMatching(/^Error: /)])
  })
})

/** Writes to its data over and over. */
const busyCommand = ['sh', '-c', "trap 'exit 0' TERM INT; while :; do date >> /data/busy; sleep 0.01; done"]

describe('other states', () => {
  let world: World
  let call: Awaited<ReturnType<World['backup']>>
  let created: WorldStack
  let lost: WorldStack
  let shared: WorldStack

  beforeAll(async () => {
    world = await makeWorld({ settings: quick })
    await world.stack('never', { services: { app: polite }, isUp: false })
    created = await world.stack('renamed', { services: { app: polite }, isUp: false })
    await created.compose('-p', `${created.project}-other`, 'up', '-d')
    // Large, so that the writer has its turn while it is read, however busy the machine is.
    shared = await world.stack('shared', { services: { app: polite }, isUp: false, files: { 'data/large': randomBytes(96 << 20) } })
    await docker('run', '-d', '--name', `${world.prefix}-stranger`, '--label', `com.docker.compose.project=${world.prefix}-9`, '--network', 'none', '-v', `${shared.directory}/data:/data`, testImage, ...busyCommand)
    lost = await world.stack('lost', { services: { app: polite }, isUp: false })
    rmSync(lost.directory, { recursive: true })
    call = await world.backup()
  })
  afterAll(() => world.remove())

  it('a stack that was never created is snapshotted', () => {
    expect(call.stack('never')).toMatchObject({ status: 'ok', stateBefore: 'not-found', downtimeMs: null, quiet: true })
    expect(call.stack('never').snapshot).not.toBeNull()
  })

  it('a stack that runs under another project name is running, and comes back under that name', async () => {
    expect(call.stack('renamed')).toMatchObject({ status: 'ok', stateBefore: 'running', servicesBefore: ['app'], quiet: true })
    const running = await docker('ps', '--filter', `label=com.docker.compose.project=${created.project}-other`, '--format', '{{.Label "com.docker.compose.service"}}')
    expect(running).toBe('app')
    expect(await created.running()).toEqual([])
  })

  it("a stopped stack whose data another stack's container writes to while it is read is marked live", async () => {
    expect(call.stack('shared')).toMatchObject({ status: 'partial', quiet: false })
    expect((await world.snapshots()).find((one) => one.id === call.stack('shared').snapshot?.id)?.tags).toContain('live')
  })

  it('one that is gone from the disk has failed, and the others have not', () => {
    expect(call.stack('lost')).toMatchObject({ status: 'failed', snapshot: null, problems: [{ code: 'stack-unavailable' }] })
    expect(call.exitCode).toBe(3)
  })
})

describe('stop modes', () => {
  let world: World
  let web: WorldStack

  beforeAll(async () => {
    world = await makeWorld({ settings: quick })
    web = await world.stack('web', { services: { app: polite } })
  })
  afterAll(() => world.remove())

  it.each([
    ['stop', ['die', 'kill', 'start', 'stop'], 'ok', true],
    ['pause', ['pause', 'unpause'], 'ok', true],
    ['none', [], 'ok', false],
  ] as const)('%s does that and no more', async (mode, actions, status, quiet) => {
    const watch = await world.watch()
    const call = await world.backup(['--stop-mode', mode])
    expect((await watch.close()).map((event) => event.action).sort()).toEqual(actions)
    expect(call.stack('web')).toMatchObject({ status, quiet, stopMode: mode })
    expect(call.exitCode).toBe(0)
    expect((await world.snapshots()).at(-1)?.tags).toEqual(['stackbk', 'stack:web'])
    expect(await web.running()).toEqual(['app'])
  })

  it('defect 21: a container that had to be killed after its grace is said so', async () => {
    const stubborn = await world.stack('stubborn', { services: { app: { ...polite, command: ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"], stop_grace_period: '1s' } } })
    world.configure({ docker: { DOCKER_TIMEOUT: 1 } })
    const call = await world.backup(['stubborn'])
    expect(call.stack('stubborn')).toMatchObject({ status: 'ok', problems: [{ severity: 'warning', code: 'killed-after-grace' }] })
    expect(await stubborn.running()).toEqual(['app'])
  })
})
