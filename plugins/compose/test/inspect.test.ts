import { mkdtemp, realpath, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { testImage } from '../../../test/fixtures/busybox-image.js'
import { docker, healthyCommand, makeComposeStack, quickHealthcheck, service } from '../../../test/fixtures/compose-stack.js'
import { createDocker } from '../src/docker.js'
import { splitPaths } from '../src/paths.js'
import { containersOf, good, liveRuntime, liveStack, look } from './runtime-for-test.js'

test('a container is read in all that the journal needs', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({
    compose: {
      services: {
        db: service({ command: healthyCommand, healthcheck: quickHealthcheck(), volumes: ['data:/data', '/scratch', './conf:/conf:ro'], tmpfs: ['/run'], stop_grace_period: '42s', restart: 'unless-stopped', labels: { 'stackbk.stop-mode': 'pause', other: 'x' } }),
        web: service({ depends_on: { db: { condition: 'service_healthy' } } }),
      },
      volumes: { data: {} },
    },
    files: { 'conf/a': '' },
  })
  const state = await look(runtime, stack.directory)
  const [db, web] = containersOf(state)
  expect(state).toMatchObject({ schemaVersion: 1, directory: stack.directory, condition: 'running', failure: null, dependents: [] })
  expect(await runtime.projectFolders?.()).toMatchObject({ ok: true, value: expect.arrayContaining([stack.directory]) as string[] })
  expect(state.projects).toMatchObject([{ name: stack.project, workingDirectory: stack.directory, configFiles: [join(stack.directory, 'compose.yaml')] }])
  expect(db).toMatchObject({
    service: 'db',
    number: 1,
    isOneOff: false,
    condition: 'running',
    health: 'healthy',
    restartPolicy: 'unless-stopped',
    image: { reference: testImage, id: expect.stringMatching(/^sha256:/) },
    configHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    networks: [`${stack.project}_default`],
    stopGraceSeconds: 42,
    isStopGraceExplicit: true,
    isRemovedWhenStopped: false,
    labels: { 'stackbk.stop-mode': 'pause' },
  })
  expect(web).toMatchObject({ health: 'none', stopGraceSeconds: 10, isStopGraceExplicit: false, restartPolicy: 'no', dependsOn: [{ service: 'db', condition: 'service_healthy', required: true }] })
  const mounts = Object.fromEntries((db?.mounts ?? []).map((mount) => [mount.target, mount]))
  expect(mounts['/data']).toMatchObject({ kind: 'volume', name: `${stack.project}_data`, isAnonymous: false, writable: true, driver: 'local' })
  expect(mounts['/scratch']).toMatchObject({ kind: 'volume', isAnonymous: true })
  expect(mounts['/conf']).toMatchObject({ kind: 'bind', source: join(stack.directory, 'conf'), writable: false })
  expect(mounts['/run']).toMatchObject({ kind: 'tmpfs' })
})

test('two projects in one folder are both found', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  const other = `${stack.project}-blue`
  stack.alsoRemove(other)
  await stack.compose('-p', other, 'up', '-d')
  const state = await look(runtime, stack.directory)
  expect(state.projects.map((project) => [project.name, project.containers.length])).toEqual([[stack.project, 1], [other, 1]])
})

test('a stack started through a symbolic link is found by its real folder (32)', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } }, isUp: false })
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-link-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const link = join(folder, 'link')
  await symlink(stack.directory, link)
  await docker('compose', '--progress', 'quiet', '--project-directory', link, '-f', join(link, 'compose.yaml'), '-p', stack.project, 'up', '-d')
  expect((await look(runtime, stack.directory)).condition).toBe('running')
})

test('a folder with blanks, a comma, quotes and letters of other scripts is a stack like any other', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ name: `Wörter, 'und' "Zeichen" 日本`, compose: { services: { web: service({ volumes: ['./data:/data'] }) } } })
  const state = await look(runtime, stack.directory)
  expect(state.projects).toMatchObject([{ workingDirectory: stack.directory, configFiles: [join(stack.directory, 'compose.yaml')] }])
  expect(good(await runtime.preflight(state))).toMatchObject({ model: { ok: true }, whyNotDown: [] })
})

test('a paused stack is a running one', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  await stack.compose('pause')
  const state = await look(runtime, stack.directory)
  expect([state.condition, containersOf(state)[0]?.condition]).toEqual(['running', 'paused'])
})

test('a stack of which only a one-off container runs is a running one', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } }, isUp: false })
  await stack.compose('run', '-d', 'web')
  const state = await look(runtime, stack.directory)
  expect([state.condition, containersOf(state)[0]?.isOneOff]).toEqual(['running', true])
})

test('broken YAML and an unset variable do not make a running stack a stopped one (3)', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  await stack.write('compose.yaml', { services: { web: service({ environment: { TOKEN: '${NEVER_SET_ANYWHERE:?it is needed}' } }) } })
  const state = await look(runtime, stack.directory)
  expect(state.condition).toBe('running')
  const { model } = good(await runtime.preflight(state))
  expect(model).toMatchObject({ ok: false, failure: { kind: 'configuration', toolOutput: expect.stringContaining('it is needed'), fix: expect.stringContaining('set COMPOSE_ENV=NEVER_SET_ANYWHERE in [docker]') } })
})

test('a folder that was renamed while its stack runs is not a stopped stack', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { name: `stackbk-renamed-${Date.now()}`, services: { web: service() } }, isUp: false })
  const project = (JSON.parse(await stack.compose('config', '--format', 'json')) as { name: string }).name
  stack.alsoRemove(project)
  await stack.up()
  const moved = `${stack.directory}-moved`
  await rename(stack.directory, moved)
  onTestFinished(() => rm(moved, { recursive: true, force: true }))
  const state = await look(runtime, moved)
  expect([state.condition, state.projects[0]?.name]).toEqual(['running', project])
})

test('a stopped stack and one never made are told apart, and both know their project', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } }, isUp: false, fileName: 'docker-compose.yml' })
  const before = await look(runtime, stack.directory)
  expect(before).toMatchObject({ condition: 'not-found', projects: [{ name: stack.project, configFiles: [join(stack.directory, 'docker-compose.yml')], containers: [] }] })
  await stack.compose('create')
  expect((await look(runtime, stack.directory)).condition).toBe('stopped')
  await stack.compose('down')
  expect((await look(runtime, join(stack.directory, '..'))).projects).toEqual([])
})

test('a container that shares the network of one of the stack is its dependent', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { vpn: service() } } })
  const name = `${stack.project}-guest`
  await docker('run', '-d', '--name', name, '--network', `container:${stack.project}-vpn-1`, testImage, 'sleep', '1000')
  onTestFinished(async () => void (await docker('rm', '-f', name)))
  const state = await look(runtime, stack.directory)
  expect(state.dependents.map((container) => container.name)).toEqual([name])
})

test('an engine that does not answer is a failure, never an empty answer (3)', async () => {
  const { runtime } = await liveRuntime()
  const stack = await makeComposeStack({ compose: { services: { web: service() } } })
  onTestFinished(() => stack.remove())
  const before = process.env['DOCKER_HOST']
  process.env['DOCKER_HOST'] = 'unix:///nonexistent/docker.sock'
  try {
    const answer = await runtime.inspect([stack.directory])
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'tool-not-answering', toolOutput: expect.stringMatching(/docker/i) } })
    expect(await runtime.ready()).toMatchObject({ ok: false, failure: { kind: 'tool-not-answering' } })
  } finally {
    if (before === undefined) delete process.env['DOCKER_HOST']
    else process.env['DOCKER_HOST'] = before
  }
})

test('paths in a label are split at commas between them and not at those in them', async () => {
  const stack = await liveStack({ name: 'a,b', compose: { services: { web: service() } }, isUp: false, files: { 'more.yaml': '' } })
  const [one, two] = [join(stack.directory, 'compose.yaml'), join(stack.directory, 'more.yaml')]
  expect(splitPaths(`${one},${two}`)).toEqual([one, two])
  expect(splitPaths(`/gone/a,b/x.yaml,/gone/${basename(two)}`)).toEqual(['/gone/a,b/x.yaml', `/gone/${basename(two)}`])
  expect(splitPaths('')).toEqual([])
})

test('docker that cannot be started is a missing tool', async () => {
  const absent = { outcome: 'not-started' as const, exitCode: null, endedBySignal: null, stdout: '', stdoutBytes: new Uint8Array(), stderr: '', durationMs: 0, wasKilled: false, startError: 'spawn docker ENOENT' }
  const run = async (): Promise<typeof absent> => absent
  const client = createDocker({ run, start: () => ({ process: null, result: run(), stop: run }) })
  expect(await client.ask('docker ps', ['ps'])).toMatchObject({ ok: false, failure: { kind: 'tool-missing', toolOutput: 'spawn docker ENOENT' } })
})
