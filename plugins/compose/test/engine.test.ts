import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createExec } from '@stackbk/tool-runner'
import { expect, onTestFinished, test } from 'vitest'

import { removeContainer, startContainer, stopContainer } from '../src/container-calls.js'
import { createDocker, type Docker } from '../src/docker.js'
import { localSocket } from '../src/endpoint.js'
import { EngineEvents } from '../src/engine-events.js'
import { listContainers } from '../src/look.js'
import { runInside } from '../src/run-inside.js'
import { startBabblingEngine, startFakeEngine, startHangingEngine } from './fake-engine.js'
import { good } from './runtime-for-test.js'

function dockerAt(socketPath: string): Docker {
  const docker = createDocker(createExec(), [], { socketPath: async () => ({ ok: true, value: socketPath }) })
  onTestFinished(() => docker.engine.close())
  return docker
}

const web = { id: 'a1', name: 'shop-web-1' }

test('an answer of more than 16 MiB is read whole', async () => {
  const rows = Array.from({ length: 20_000 }, (_, at) => ({ Id: `c${at}`, Names: [`/name-${at}`], State: 'running', Labels: { 'com.docker.compose.project': 'big', padding: 'x'.repeat(1_000) }, NetworkSettings: { Networks: { [`net-${at}`]: {} } } }))
  expect(JSON.stringify(rows).length).toBeGreaterThan(16 * 1024 * 1024)
  const { socketPath } = await startFakeEngine({ apiVersion: '1.45', answers: { '/containers/json': rows } })
  const listed = good(await listContainers(dockerAt(socketPath)))
  expect([listed.length, listed.at(-1)]).toMatchObject([20_000, { id: 'c19999', name: 'name-19999', condition: 'running', project: 'big', networks: ['net-19999'] }])
})

test.each([['1.41', '/v1.41'], ['1.45', '/v1.45'], ['1.99', '/v1.51'], ['2.1', '/v1.51'], [undefined, '']])('an engine that offers API version %s is spoken to in %s', async (apiVersion, prefix) => {
  const { socketPath, requests } = await startFakeEngine({ ...(apiVersion === undefined ? {} : { apiVersion }), answers: { '/containers/json': [] } })
  const docker = dockerAt(socketPath)
  good(await listContainers(docker))
  good(await listContainers(docker))
  expect(requests.map((request) => request.replace(/\?.*$/, ''))).toEqual(['GET /_ping', `GET ${prefix}/containers/json`, `GET ${prefix}/containers/json`])
})

test('DOCKER_API_VERSION decides on the version', async () => {
  process.env['DOCKER_API_VERSION'] = '1.42'
  onTestFinished(() => void delete process.env['DOCKER_API_VERSION'])
  const { socketPath, requests } = await startFakeEngine({ apiVersion: '1.45', answers: { '/containers/json': [] } })
  good(await listContainers(dockerAt(socketPath)))
  expect(requests.at(-1)).toMatch(/^GET \/v1\.42\//)
})

test('an engine that accepts a call and never answers is a failure after the limit, whatever is asked', async () => {
  const docker = dockerAt(await startHangingEngine())
  const limits = { timeoutMs: 200 }
  const answers = [
    await listContainers(docker, limits),
    await docker.inspect('container', ['a1', 'a2'], limits),
    await startContainer(docker, web, limits),
    await stopContainer(docker, web, 1, limits),
    await removeContainer(docker, web, { ...limits, force: false, volumes: false }),
    await runInside(docker, 'a1', ['true'], limits),
  ]
  for (const answer of answers) expect(answer).toMatchObject({ ok: false, failure: { kind: 'tool-not-answering', message: expect.stringContaining('did not end within its time limit') as string } })
})

test('an engine that stops in the middle of an answer is a failure after the limit', async () => {
  const { socketPath } = await startFakeEngine({ apiVersion: '1.45', answers: { '/containers/json': (_request, response) => void response.write('[{"Id":') } })
  expect(await listContainers(dockerAt(socketPath), { timeoutMs: 300 })).toMatchObject({ ok: false, failure: { kind: 'tool-not-answering' } })
})

test('a call that is cancelled ends at once, also while the engine does not answer', async () => {
  const docker = dockerAt(await startHangingEngine())
  const controller = new AbortController()
  const answer = stopContainer(docker, web, 600, { signal: controller.signal, timeoutMs: 600_000 })
  controller.abort()
  expect(await answer).toMatchObject({ ok: false, failure: { kind: 'cancelled', message: 'docker stop of shop-web-1 was cancelled' } })
  expect(await stopContainer(docker, web, 600, { signal: controller.signal })).toMatchObject({ ok: false, failure: { kind: 'cancelled' } })
})

test.each(['', 'SSH-2.0-OpenSSH_9.6\r\n', 'HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n[{'])('what is no engine, or one that dies, does not answer (%j)', async (words) => {
  expect(await listContainers(dockerAt(await startBabblingEngine(words)), { timeoutMs: 10_000 })).toMatchObject({ ok: false, failure: { kind: 'tool-not-answering', fix: expect.stringContaining('docker info') as string } })
})

test('an engine that is away does not answer, and is asked again when it is back', async () => {
  const { socketPath } = await startFakeEngine({ apiVersion: '1.45', answers: { '/containers/json': [] } })
  let path = '/nonexistent/docker.sock'
  const docker = createDocker(createExec(), [], { socketPath: async () => ({ ok: true, value: path }) })
  onTestFinished(() => docker.engine.close())
  expect(await listContainers(docker)).toMatchObject({ ok: false, failure: { kind: 'tool-not-answering', toolOutput: expect.stringContaining('ENOENT') as string } })
  path = socketPath
  expect(await listContainers(docker)).toEqual({ ok: true, value: [] })
})

test('a connection that the engine closed while it was kept open does no harm', async () => {
  const { socketPath, requests } = await startFakeEngine({
    apiVersion: '1.45',
    answers: { '/containers/json': (request, response) => void (requests.length === 2 ? request.socket.destroy() : response.end('[]')) },
  })
  expect(await listContainers(dockerAt(socketPath))).toEqual({ ok: true, value: [] })
  expect(requests).toHaveLength(3)
})

test('a stop of what does not run, or is gone, and a start of what runs are good; a refusal carries the engine\'s words without secrets', async () => {
  const { socketPath } = await startFakeEngine({ apiVersion: '1.45', answers: { '/containers/ended/stop': 304, '/containers/gone/stop': 404, '/containers/runs/start': 304, '/containers/a1/start': (_request, response) => void response.writeHead(500).end(JSON.stringify({ message: 'cannot start: hunter2222 is no password' })) } })
  const docker = dockerAt(socketPath)
  docker.confidential.learnContainer({ Name: '/x', Config: { Env: ['PASSWORD=hunter2222'] } })
  expect(await stopContainer(docker, { id: 'ended', name: 'x' }, 1, {})).toEqual({ ok: true, value: undefined })
  expect(await stopContainer(docker, { id: 'gone', name: 'x' }, 1, {})).toEqual({ ok: true, value: undefined })
  expect(await startContainer(docker, { id: 'runs', name: 'x' }, {})).toEqual({ ok: true, value: undefined })
  expect(await startContainer(docker, web, {})).toEqual({ ok: false, failure: { kind: 'failed', message: 'docker start of shop-web-1 failed', toolOutput: 'cannot start: ******** is no password' } })
})

test('a removal that another client has begun is waited for', async () => {
  let looks = 0
  const { socketPath } = await startFakeEngine({
    apiVersion: '1.45',
    answers: {
      '/containers/a1': (_request, response) => void response.writeHead(409).end(JSON.stringify({ message: 'removal of container a1 is already in progress' })),
      '/containers/a1/json': (_request, response) => {
        looks += 1
        if (looks < 3) response.end(JSON.stringify({ Id: 'a1', Name: '/x', State: { Status: 'removing' } }))
        else response.writeHead(404).end(JSON.stringify({ message: 'No such container' }))
      },
    },
  })
  expect(await removeContainer(dockerAt(socketPath), web, { force: false, volumes: false })).toEqual({ ok: true, value: undefined })
  expect(looks).toBe(3)
})

test('a container that runs again is not removed, and the engine\'s words say so', async () => {
  const { socketPath } = await startFakeEngine({ apiVersion: '1.45', answers: { '/containers/a1': 409, '/containers/a1/json': { Id: 'a1', Name: '/x', State: { Status: 'running' } } } })
  expect(await removeContainer(dockerAt(socketPath), web, { force: false, volumes: false })).toMatchObject({ ok: false, failure: { kind: 'failed', toolOutput: 'refused with 409' } })
})

test('a name that would be another path of the API is a missing thing', async () => {
  const { socketPath, requests } = await startFakeEngine({ apiVersion: '1.45' })
  const names = ['', '..', '../containers/a1', 'a//b', './x']
  expect(good(await dockerAt(socketPath).inspect('image', names))).toEqual({ found: [], byName: new Map(), missing: names })
  expect(requests).toEqual([])
})

test('names are encoded in paths', async () => {
  const { socketPath, requests } = await startFakeEngine({ apiVersion: '1.45' })
  good(await dockerAt(socketPath).inspect('network', ['a b?c#d']))
  good(await dockerAt(socketPath).inspect('image', ['registry:5000/a/b@sha256:0f']))
  expect(requests.filter((request) => !request.includes('_ping'))).toEqual(['GET /v1.45/networks/a%20b%3Fc%23d', 'GET /v1.45/images/registry%3A5000/a/b%40sha256%3A0f/json'])
})

test('events are lost when the stream breaks off, and the next listener opens a new one', async () => {
  let open = (): void => {}
  const { socketPath, requests } = await startFakeEngine({
    apiVersion: '1.45',
    answers: {
      '/events': (request, response) => {
        response.writeHead(200)
        response.write(`${JSON.stringify({ Action: 'die', Actor: { ID: 'a1', Attributes: { name: 'x', exitCode: '0' } }, timeNano: (Date.now() + 1_000) * 1e6 })}\n{"half`)
        open = () => void request.socket.destroy()
      },
    },
  })
  const events = new EngineEvents(dockerAt(socketPath).engine)
  const first = good(await events.listen())
  if (first.events.length === 0) await first.change(10_000)
  expect([first.isLossy, first.events.map(({ action, id }) => [action, id])]).toEqual([false, [['die', 'a1']]])
  open()
  await first.change(10_000)
  expect(first.isLossy).toBe(true)
  expect(good(await events.listen()).isLossy).toBe(false)
  expect(requests.filter((request) => request.includes('/events'))).toHaveLength(2)
  events.close()
})

/** A home with this configuration of the docker client. */
function makeHome(files: Readonly<Record<string, unknown>>): string {
  const home = mkdtempSync(join(tmpdir(), 'stackbk-home-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(home, path, '..'), { recursive: true })
    writeFileSync(join(home, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return home
}

function contextFile(name: string, folder = '.docker'): string {
  return `${folder}/contexts/meta/${createHash('sha256').update(name).digest('hex')}/meta.json`
}

const rootless = { Name: 'rootless', Metadata: {}, Endpoints: { docker: { Host: 'unix:///run/user/1000/docker.sock', SkipTLSVerify: false } } }
const remote = { Name: 'nas', Metadata: {}, Endpoints: { docker: { Host: 'ssh://admin:secret@nas' } } }

test('the socket is found as the docker client finds it', async () => {
  const home = makeHome({ '.docker/config.json': { currentContext: 'rootless' }, [contextFile('rootless')]: rootless, [contextFile('nas')]: remote, 'other/config.json': { currentContext: 'nas' }, [contextFile('nas', 'other')]: rootless })
  const socket = async (environment: Record<string, string>, of = home): Promise<unknown> => {
    const found = await localSocket({ environment, home: of })
    return found.ok ? found.value : found.failure.kind
  }
  expect(await socket({})).toBe('/run/user/1000/docker.sock')
  expect(await socket({ DOCKER_CONTEXT: 'default' })).toBe('/var/run/docker.sock')
  expect(await socket({ DOCKER_CONTEXT: 'nas' })).toBe('configuration')
  expect(await socket({ DOCKER_CONTEXT: 'unknown' })).toBe('configuration')
  expect(await socket({ DOCKER_CONFIG: join(home, 'other') })).toBe('/run/user/1000/docker.sock')
  expect(await socket({ DOCKER_HOST: 'unix:///run/mine.sock', DOCKER_CONTEXT: 'nas' })).toBe('/run/mine.sock')
  expect(await socket({ DOCKER_HOST: '', DOCKER_CONTEXT: '' })).toBe('/run/user/1000/docker.sock')
  for (const host of ['tcp://127.0.0.1:2375', 'ssh://nas', '/var/run/docker.sock', 'npipe:////./pipe/docker_engine', 'unix://relative']) expect([host, await socket({ DOCKER_HOST: host })]).toEqual([host, 'configuration'])
  expect(await socket({}, makeHome({}))).toBe('/var/run/docker.sock')
  expect(await socket({}, makeHome({ '.docker/config.json': 'no JSON' }))).toBe('/var/run/docker.sock')
  const refused = await localSocket({ environment: { DOCKER_CONTEXT: 'nas' }, home })
  expect(JSON.stringify(refused)).not.toContain('secret')
})
