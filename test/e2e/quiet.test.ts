import { randomBytes } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand } from '../fixtures/compose-stack.js'
import { sampled } from '../fixtures/sampled.js'
import { makeWorld, says, until, type World, type WorldStack } from '../fixtures/world.js'

/** A container with it writes to what it shares again and again. */
const writingCommand = ['sh', '-c', "trap 'exit 0' TERM; while :; do echo x > /shared/written; sleep 0.02; done"]

const polite = { image: testImage, command: politeCommand, network_mode: 'none' }

let world: World
let web: WorldStack
beforeAll(async () => {
  world = await makeWorld({ settings: { docker: { WARM_PASS: false }, local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
  web = await world.stack('web', { model: { services: { app: { ...polite, volumes: ['./data:/data', 'vol:/vol'] } }, volumes: { vol: {} } } })
})
afterAll(() => world.remove())
// Enough that what is done at the snapshot's begin is done before its end.
beforeEach(() => web.write('data/blob', randomBytes(150_000_000)))

/** Backs up, does this once the stack is being read, and expects a snapshot that says so: live, partial, exit 3. */
async function expectLive(act: () => Promise<unknown>, who: RegExp, mode = 'stop', environment: Readonly<Record<string, string>> = {}): Promise<void> {
  const underway = await world.startUntil(['backup', 'web', '--json', '--stop-mode', mode], says('snapshot begun', 'web'), { environment })
  await act()
  const { exitCode, stdout } = await underway.ended
  const result = JSON.parse(stdout) as Awaited<ReturnType<World['backup']>>['result']
  expect(exitCode, stdout).toBe(3)
  expect(result).toMatchObject({ status: 'partial', stacks: [{ name: 'web', status: 'partial', quiet: false, stopMode: mode }] })
  expect(result.stacks[0]?.problems).toMatchObject([{ severity: 'error', code: 'not-quiet', message: expect.stringMatching(who) as string }])
  const taken = (await world.snapshots()).find(({ id }) => id === result.stacks[0]?.snapshot?.id)
  expect(taken?.tags).toEqual(['stackbk', 'stack:web', 'live'])
  expect(await web.running()).toEqual(['app'])
  expect(world.journal()).toEqual([])
}

describe('a snapshot is marked live and its stack partial', () => {
  it('when somebody starts a service of it while it is read', () => expectLive(() => docker('start', `${web.project}-app-1`), /app-1 used its data/))

  it('when somebody unpauses it while it is read', () => expectLive(() => docker('unpause', `${web.project}-app-1`), /app-1 used its data/, 'pause'))

  it('when a container of another stack that writes to its volume is started while it is read', async () => {
    const stranger = `${world.prefix}-9-stranger-1`
    await expectLive(() => docker('run', '-d', '--name', stranger, '--label', `com.docker.compose.project=${world.prefix}-9`, '--network', 'none', '-v', `${web.project}_vol:/shared`, testImage, ...writingCommand), /stranger-1 can write to its data/)
    await docker('rm', '-f', stranger)
  })

  it("when a container of another stack that writes to its folder ran all the time", async () => {
    const stranger = `${world.prefix}-9-neighbour-1`
    await docker('run', '-d', '--name', stranger, '--label', `com.docker.compose.project=${world.prefix}-9`, '--network', 'none', '-v', `${web.directory}/data:/shared`, testImage, ...writingCommand)
    await expectLive(() => Promise.resolve(), /data changed while it was read: .*neighbour-1 can write to its data/)
    await docker('rm', '-f', stranger)
  })

  it("when the engine's events break off while it is read, and a user starts a service of it then", async () => {
    const proxy = await engineProxy(join(world.root, 'proxy.sock'))
    try {
      const start = async (): Promise<void> => {
        proxy.cutEvents()
        await docker('start', `${web.project}-app-1`)
      }
      await expectLive(start, /app-1 used its data|events broke off/, 'stop', { DOCKER_HOST: `unix://${proxy.path}` })
    } finally {
      await proxy.end()
    }
  })
})

it.each(sampled(['stop', 'down']))("a stack that is stopped by %s and of which nothing ran is quiet, though the engine's events break off while it is read", async (mode) => {
  const proxy = await engineProxy(join(world.root, `proxy-${mode}.sock`))
  try {
    const underway = await world.startUntil(['backup', 'web', '--json', '--stop-mode', mode], says('snapshot begun', 'web'), { environment: { DOCKER_HOST: `unix://${proxy.path}` } })
    proxy.cutEvents()
    const { exitCode, stdout } = await underway.ended
    expect([exitCode, JSON.parse(stdout)], stdout).toMatchObject([0, { status: 'ok', stacks: [{ status: 'ok', quiet: true, problems: [] }] }])
    expect(await web.running()).toEqual(['app'])
  } finally {
    await proxy.end()
  }
})

it('a container that only reads its data does not disturb, nor does one of elsewhere', async () => {
  const names = [`${world.prefix}-9-reader-1`, `${world.prefix}-9-other-1`]
  await docker('run', '-d', '--name', names[0]!, '--label', `com.docker.compose.project=${world.prefix}-9`, '--network', 'none', '-v', `${web.project}_vol:/shared:ro`, testImage, ...politeCommand)
  const underway = await world.startUntil(['backup', 'web', '--json', '--stop-mode', 'stop'], says('snapshot begun', 'web'))
  await docker('run', '-d', '--name', names[1]!, '--label', `com.docker.compose.project=${world.prefix}-9`, '--network', 'none', testImage, ...politeCommand)
  const { exitCode, stdout } = await underway.ended
  expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { stacks: [{ status: 'ok', quiet: true }] }])
  await docker('rm', '-f', ...names)
})

it.each(sampled(['resume', 'backup']))('a paused stack whose backup was killed is unpaused by %s, its containers the same', async (command) => {
  const before = await web.containers()
  const underway = await world.startUntil(['backup', 'web', '--stop-mode', 'pause'], says('snapshot begun', 'web'))
  underway.signal('SIGKILL')
  await underway.ended
  expect(await web.containers()).toBe(before.replace(/running$/, 'paused'))
  expect(world.journal()).toMatchObject([{ name: 'web', mode: 'pause' }])
  const call = await world.run([command, '--json'])
  expect(call.exitCode, call.stdout).toBe(0)
  if (command === 'resume') expect(JSON.parse(call.stdout)).toMatchObject({ stacks: [{ name: 'web', action: 'started', status: 'ok' }] })
  else expect(JSON.parse(call.stdout)).toMatchObject({ stacks: [{ name: 'web', stateBefore: 'running', status: 'ok' }] })
  if (command === 'resume') expect(await web.containers()).toBe(before)
  expect(await web.running()).toEqual(['app'])
  expect(world.journal()).toEqual([])
  await until('nothing of it lives on', () => world.processes().length === 0)
})

/** The engine's socket once more, of which the connections that events come by can be cut. */
async function engineProxy(path: string): Promise<{ readonly path: string; cutEvents(): void; end(): Promise<void> }> {
  const all = new Set<Socket>()
  const listening = new Set<Socket>()
  const server = createServer((client) => {
    const engine = connect('/var/run/docker.sock')
    for (const socket of [client, engine]) {
      all.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        client.destroy()
        engine.destroy()
        all.delete(socket)
        listening.delete(socket)
      })
    }
    client.once('data', (first) => {
      if (/^GET (\/v[\d.]+)?\/events/.test(first.toString())) listening.add(client)
    })
    client.pipe(engine).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    path,
    cutEvents: () => listening.forEach((socket) => socket.destroy()),
    end: () => new Promise((resolve) => {
      for (const socket of all) socket.destroy()
      server.close(() => resolve())
    }),
  }
}
