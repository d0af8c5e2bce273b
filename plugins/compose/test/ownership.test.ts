import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeAll, describe, expect, test } from 'vitest'

import { testImage } from '../../../test/fixtures/busybox-image.js'
import { type ComposeStack, docker, service } from '../../../test/fixtures/compose-stack.js'
import { until } from '../../../test/fixtures/until.js'
import { isMadeFrom, isOfNeighbour, namedFiles, namedFolders, type Origin } from '../src/ownership.js'
import { containersOf, good, liveRuntime, liveStack, look, stopAndStart } from './runtime-for-test.js'

const origin = (workingDirectory: string, configFiles: string, project = 'media'): Origin => ({ project, service: 'web', workingDirectory, configFiles })

describe('labels', () => {
  let root: string
  beforeAll(async () => {
    root = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-owners-'))
    for (const name of ['own', 'neighbour', 'empty']) await mkdir(join(root, name))
    for (const name of ['own', 'neighbour']) await writeFile(join(root, name, 'docker-compose.yml'), 'services: {}\n')
    await writeFile(join(root, 'neighbour', 'special.yml'), 'services: {}\n')
    await symlink(join(root, 'own'), join(root, 'link'))
    return () => rm(root, { recursive: true })
  })
  const at = (...parts: string[]): string => join(root, ...parts)

  test('name the working directory and the folder of the first compose file', () => {
    expect(namedFolders(origin('/stacks/web', '/stacks/web/compose.yaml'))).toEqual(['/stacks/web'])
    expect(namedFolders(origin('/stacks/web', '/files/web.yaml,/more/b.yaml'))).toEqual(['/stacks/web', '/files'])
    expect(namedFolders(origin('/stacks/a, b', '/stacks/a, b/compose.yaml,-'))).toEqual(['/stacks/a, b'])
    expect(namedFolders(origin('/stacks/web', '-'))).toEqual(['/stacks/web'])
    expect(namedFolders(origin('', ''))).toEqual([])
  })

  test('with relative paths, as Compose v1 left them, never mean the folder of this process', async () => {
    expect(namedFolders(origin('/stacks/web', 'docker-compose.yml,docker-compose.override.yml'))).toEqual(['/stacks/web'])
    expect(namedFolders(origin('', 'docker-compose.yml'))).toEqual([])
    expect(await namedFiles(origin(at('own'), 'docker-compose.yml'))).toEqual([at('own', 'docker-compose.yml')])
    // Called from the parent folder, with -f own/docker-compose.yml.
    expect(await namedFiles(origin(at('own'), 'own/docker-compose.yml'))).toEqual([at('own', 'docker-compose.yml')])
    expect(await namedFiles(origin(at('neighbour'), 'docker-compose.yml,special.yml'))).toEqual([at('neighbour', 'docker-compose.yml'), at('neighbour', 'special.yml')])
    expect(await namedFiles(origin('', 'docker-compose.yml'))).toEqual([])
  })

  test.each<[string, Origin | (() => Origin), boolean]>([
    ['another folder with a compose file', () => origin(at('neighbour'), at('neighbour', 'docker-compose.yml')), true],
    ['a compose file of another name in another folder', () => origin(at('neighbour'), at('neighbour', 'special.yml')), true],
    ['another folder with a compose file, by the working directory alone', () => origin(at('neighbour'), '-'), true],
    ['another folder, relative as Compose v1 left it', () => origin(at('neighbour'), 'docker-compose.yml'), true],
    ['the folder itself', () => origin(at('own'), at('own', 'docker-compose.yml')), false],
    ['the folder by way of a link', () => origin(at('link'), at('link', 'docker-compose.yml')), false],
    ['a folder that is gone', () => origin(at('gone'), at('gone', 'docker-compose.yml')), false],
    ['a folder without a compose file', () => origin(at('empty'), at('empty', 'docker-compose.yml')), false],
    ['nothing', origin('', ''), false],
  ])('that name %s: is it a neighbour? (%#)', async (_, labels, expected) => {
    expect(await isOfNeighbour(typeof labels === 'function' ? labels() : labels, at('own'))).toBe(expected)
  })

  test('of what was made since the last look tell the stack from a neighbour without a look at the disk', () => {
    const project = { name: 'media', workingDirectory: '/stacks/web', otherWorkingDirectories: ['/by/link/web'], configFiles: ['/files/web.yaml'] }
    const isOwn = (labels: Origin): boolean => isMadeFrom(labels, project, '/real/web')
    expect([
      isOwn(origin('/stacks/web', '/files/web.yaml')),
      isOwn(origin('/stacks/web', '/files/web.yaml,-')),
      isOwn(origin('/real/web', '/real/web/compose.yaml')),
      isOwn(origin('/by/link/web', '/by/link/web/compose.yaml')),
      isOwn(origin('/anywhere', '/files/web.yaml,/more.yaml')),
      isOwn(origin('', '')),
    ]).toEqual([true, true, true, true, true, true])
    expect([
      isOwn(origin('/stacks/db', '/stacks/db/compose.yaml')),
      isOwn(origin('/stacks/web', '/files/web.yaml', 'other')),
      // Another folder of the same name: `docker` below each of two applications, say.
      isOwn(origin('/other/web', '/other/web/compose.yaml')),
    ]).toEqual([false, false, false])
  })
})

describe('one project name over several folders', () => {
  /** Stacks in folders of their own, all of one project name. */
  async function neighbours(...models: readonly (readonly [string, { readonly isUp?: boolean; readonly services?: object; readonly files?: Record<string, string> }])[]): Promise<readonly ComposeStack[]> {
    const project = `stackbk-media-${Date.now()}-${Math.trunc(Math.random() * 1e6)}`
    const stacks: ComposeStack[] = []
    for (const [name, { isUp = true, services, files }] of models) {
      const stack = await liveStack({ name, compose: { name: project, services: services ?? { [name]: service({ volumes: ['./data:/data'] }) } }, isUp: false, ...(files === undefined ? {} : { files }) })
      stack.alsoRemove(project)
      stacks.push({ ...stack, project })
      if (isUp) await stack.up()
    }
    return stacks
  }

  test('a neighbour is not in the state of a stack, whether that runs, is stopped or was never started', async () => {
    const { runtime } = await liveRuntime()
    const [sonarr, radarr, lidarr] = await neighbours(['sonarr', {}], ['radarr', {}], ['lidarr', { isUp: false }])
    await docker('stop', '-t', '2', `${radarr!.project}-radarr-1`)
    const states = good(await runtime.inspect([sonarr!.directory, radarr!.directory, lidarr!.directory]))
    expect(states.map((state) => [state.condition, containersOf(state).map((container) => container.service)])).toEqual([
      ['running', ['sonarr']],
      ['stopped', ['radarr']],
      ['not-found', []],
    ])
    // Compose takes all containers of the project for its own: what it makes could replace one of them.
    expect(good(await runtime.preflight(states[0]!, { stopMode: 'auto' })).whyNotDown).toEqual([`project ${sonarr!.project} is also the name of what runs from ${radarr!.directory}`])
    // For a start after a stop that changes nothing.
    expect(good(await runtime.preflight(states[0]!, { stopMode: 'stop' })).whyNotDown).toEqual([])

    const before = await docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}} {{.State.Status}}', `${radarr!.project}-radarr-1`)
    await stopAndStart(runtime, states[0]!, 'stop')
    expect(await docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}} {{.State.Status}}', `${radarr!.project}-radarr-1`)).toBe(before)
  })

  test("a neighbour that runs is not 'still running' after a stop, and its start in between is none of the stack", async () => {
    const { runtime } = await liveRuntime()
    const [sonarr, radarr] = await neighbours(['sonarr', {}], ['radarr', {}])
    const state = await look(runtime, sonarr!.directory)
    const watch = good(await runtime.watch(state))
    const stopped = good(await runtime.stop(state, { mode: 'stop', graceSeconds: 2 }))
    expect(stopped.stillRunning).toEqual([])
    await docker('restart', '-t', '2', `${radarr!.project}-radarr-1`)
    good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 10_000 }))
    await until('the event of the start has come', () => watch.report().starts.length > 0)
    const report = watch.report()
    await watch.close()
    expect(report.ended.map((end) => end.service)).toEqual(['sonarr'])
    // It has nothing of this stack mounted, so its start disturbs nothing.
    expect(report.starts.map((start) => start.container)).toEqual([`${sonarr!.project}-sonarr-1`])
  })

  test('one whose folder has the same name is not taken for the stack, nor stopped, nor removed', async () => {
    const { runtime } = await liveRuntime()
    const [dify, wiki] = await neighbours(['dify', { isUp: false }], ['wiki', { isUp: false }])
    await dify!.write('docker/compose.yaml', { name: dify!.project, services: { dify: service() } })
    await wiki!.write('docker/compose.yaml', { name: wiki!.project, services: { wiki: service(), spare: service() } })
    for (const application of [dify!, wiki!]) await application.compose('-f', 'docker/compose.yaml', 'up', '-d')
    const [running, spare] = ['wiki', 'spare'].map((name) => `${wiki!.project}-${name}-1`)
    await docker('stop', '-t', '2', spare!)
    const others = async (): Promise<string> => docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}} {{.State.Status}}', running!, spare!)
    const before = await others()
    for (const mode of ['stop', 'down'] as const) {
      const state = await look(runtime, join(dify!.directory, 'docker'))
      expect(good(await runtime.stop(state, { mode, graceSeconds: 2 })).stillRunning).toEqual([])
      const since = new Date()
      good(await runtime.start(state, { mode, healthTimeoutMs: 10_000 }))
      expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 10_000 })).isUp).toBe(true)
      expect(await others()).toBe(before)
    }
  })

  test("a neighbour's container of the same service is neither started for the stack's own nor replaced", async () => {
    const { runtime } = await liveRuntime()
    const [own, other] = await neighbours(['own', { services: { app: service() }, files: { '.env': 'COMPOSE_REMOVE_ORPHANS=true\n' } }], ['other', { services: { app: service(), more: service() }, isUp: false }])
    const state = await look(runtime, own!.directory)
    const name = `${own!.project}-app-1`
    await docker('rm', '-f', name)
    await other!.up()
    const foreign = await docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}}', name, `${own!.project}-more-1`)

    const since = new Date()
    const lacking = good(await runtime.waitUntilUp(state, { since, timeoutMs: 3000 }))
    expect(lacking).toMatchObject({ isUp: false, missing: [{ service: 'app' }] })
    good(await runtime.start(state, { mode: 'down', healthTimeoutMs: 10_000 }))
    expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 10_000 })).isUp).toBe(true)
    expect(await docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}}', name, `${own!.project}-more-1`)).toBe(foreign)
    expect(await docker('ps', '--filter', `label=com.docker.compose.project=${own!.project}`, '--filter', `label=com.docker.compose.project.working_dir=${own!.directory}`, '--format', '{{.Names}}')).toBe(`${own!.project}-app-2`)
  })

  test('a service with a pre_stop hook is stopped without Compose where that would stop another folder\'s container too', async () => {
    const { runtime, log } = await liveRuntime()
    const app = service({ volumes: ['./data:/data'], pre_stop: [{ command: ['sh', '-c', 'echo stopping >> /data/hooks'] }] })
    const [own, other] = await neighbours(['own', { services: { app } }], ['other', { services: { app: service() }, isUp: false }])
    const state = await look(runtime, own!.directory)
    await other!.compose('up', '-d', '--no-recreate', '--scale', 'app=2')
    const foreign = `${own!.project}-app-2`
    const before = await docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}} {{.State.Status}}', foreign)
    expect(await docker('inspect', '-f', '{{index .Config.Labels "com.docker.compose.project.working_dir"}}', foreign)).toBe(other!.directory)
    await stopAndStart(runtime, state, 'stop')
    expect(await docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}} {{.State.Status}}', foreign)).toBe(before)
    expect(log.filter(({ message }) => message.includes('pre_stop'))).toMatchObject([{ level: 'warning', message: expect.stringContaining('the pre_stop hook of app is not run') }])
  })

  test('a recovery of one folder is not in the way of the other, but for a service of the same name', async () => {
    const { runtime } = await liveRuntime()
    const [own, other] = await neighbours(['own', {}], ['other', {}])
    const capsule = good(await runtime.describe(await look(runtime, own!.directory)))
    await docker('rm', '-f', `${own!.project}-own-1`)
    const ask = async (): Promise<readonly string[]> => good(await runtime.canRebuild(capsule, { directory: own!.directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, restoredPaths: [own!.directory] })).problems.map(({ code }) => code)
    expect(await ask()).toEqual([])
    await other!.write('compose.yaml', { name: own!.project, services: { other: service(), own: service() } })
    await other!.up()
    expect(await ask()).toContain('project-taken')
  })
})

test('a container of Compose v1 belongs to the working directory of its label, and its files are absolute', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } }, fileName: 'docker-compose.yml', isUp: false })
  const labels = { 'com.docker.compose.project': stack.project, 'com.docker.compose.service': 'web', 'com.docker.compose.container-number': '1', 'com.docker.compose.oneoff': 'False', 'com.docker.compose.project.working_dir': stack.directory, 'com.docker.compose.project.config_files': 'docker-compose.yml' }
  await docker('run', '-d', '--name', `${stack.project}_web_1`, ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]), testImage, 'sleep', '1000')
  const [state, here] = good(await runtime.inspect([stack.directory, process.cwd()]))
  expect(state).toMatchObject({ condition: 'running', projects: [{ name: stack.project, configFiles: [join(stack.directory, 'docker-compose.yml')] }] })
  expect(containersOf(here!)).toEqual([])
})
