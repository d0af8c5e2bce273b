import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { beforeAll, describe, expect, test } from 'vitest'

import { testImage } from '../../../test/fixtures/busybox-image.js'
import { type ComposeStack, docker, service } from '../../../test/fixtures/compose-stack.js'
import { until } from '../../../test/fixtures/until.js'
import { foldersOf, isMadeFrom, isOfNeighbour, namedFiles, namedFolders, type Origin } from '../src/ownership.js'
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

describe('a first compose file of another folder', () => {
  let root: string
  const at = (...parts: string[]): string => join(root, ...parts)
  beforeAll(async () => {
    root = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-common-'))
    const files = {
      'common/base.yaml': 'services: {}\n',
      'common/.env': 'COMPOSE_FILE=base.yaml\n',
      'web/compose.yaml': 'services: {}\n',
      'web/.env': 'COMPOSE_FILE=../common/base.yaml:compose.yaml\n',
      'db/compose.yaml': 'services: {}\n',
      'db/.env': 'COMPOSE_FILE=../common/base.yaml:compose.yaml\n',
      'bare/.env': 'COMPOSE_FILE=../common/base.yaml\nCOMPOSE_PROJECT_NAME=bare\n',
      'plain/compose.yaml': 'services: {}\n',
    }
    for (const [name, content] of Object.entries(files)) {
      await mkdir(join(root, dirname(name)), { recursive: true })
      await writeFile(join(root, name), content)
    }
    await symlink(at('web'), at('link'))
    return () => rm(root, { recursive: true })
  })
  const made = (workingDirectory: string, ...files: readonly string[]): Origin => origin(at(workingDirectory), files.map((file) => (file === '-' ? file : at(file))).join(','))

  test.each<[string, () => Origin, readonly string[]]>([
    ['the files that the .env of a folder gives', () => made('common', 'common/base.yaml', 'web/compose.yaml'), ['web']],
    ['these and what was added by standard input', () => made('common', 'common/base.yaml', 'web/compose.yaml', '-'), ['web']],
    ['these by way of a link', () => made('common', 'common/base.yaml', 'link/compose.yaml'), ['web']],
    ['these with the folder given as the project directory', () => made('web', 'common/base.yaml', 'web/compose.yaml'), ['web']],
    ['these with a third folder given as the project directory', () => made('plain', 'common/base.yaml', 'web/compose.yaml'), ['plain', 'web']],
    ['those of another folder with the same first file', () => made('common', 'common/base.yaml', 'db/compose.yaml'), ['db']],
    ['the first file alone', () => made('common', 'common/base.yaml'), ['common']],
    ['more than the .env gives', () => made('common', 'common/base.yaml', 'web/compose.yaml', 'db/compose.yaml'), ['common']],
    ['a folder whose .env says nothing of files', () => made('common', 'common/base.yaml', 'plain/compose.yaml'), ['common']],
  ])('belongs to whose folder: %s (%#)', async (_, labels, expected) => {
    expect([...(await foldersOf(labels()))].sort()).toEqual(expected.map((name) => at(name)).sort())
  })

  test("is no sign of a neighbour where the folder's own .env names it", async () => {
    const shared = made('common', 'common/base.yaml', 'web/compose.yaml')
    expect(await Promise.all(['web', 'link', 'common', 'db', 'plain'].map(async (name) => isOfNeighbour(shared, await realpath(at(name)))))).toEqual([false, false, true, true, true])
    const ofBare = made('common', 'common/base.yaml')
    expect(await Promise.all(['bare', 'common', 'web'].map((name) => isOfNeighbour(ofBare, at(name))))).toEqual([false, false, true])
  })

  test('does not make what was made since the last look the stack of the wrong folder', () => {
    const [web, db, common] = [['common/base.yaml', 'web/compose.yaml'], ['common/base.yaml', 'db/compose.yaml'], ['common/base.yaml']].map((files) => ({ name: 'media', workingDirectory: at('common'), configFiles: files.map((file) => at(file)) }))
    const isOwn = (project: typeof web, folder: string): boolean[] => [made('common', 'common/base.yaml', 'web/compose.yaml', '-'), made('common', 'common/base.yaml', 'db/compose.yaml'), made('common', 'common/base.yaml')].map((labels) => isMadeFrom(labels, project!, at(folder)))
    expect(isOwn(web, 'web')).toEqual([true, false, false])
    expect(isOwn(db, 'db')).toEqual([false, true, false])
    expect(isOwn(common, 'common')).toEqual([false, false, true])
    expect(isMadeFrom(made('web', 'web/compose.yaml'), web!, at('web'))).toBe(true)
  })

  test('leaves the stack its running containers, and those of its neighbours theirs', async () => {
    const { runtime } = await liveRuntime()
    const base = await liveStack({ name: 'base', compose: { services: { app: service({ environment: { OWN: '${OWN:-}' } }) } }, isUp: false })
    const names = ['web', 'db'] as const
    const stacks = await Promise.all(names.map(async (name) => liveStack({ name, parent: dirname(base.directory), compose: { services: { [name]: service({ environment: { OWN: '${OWN:-}' }, volumes: ['./data:/data'] }) } }, isUp: false, files: { '.env': `COMPOSE_FILE=../${base.name}/compose.yaml:compose.yaml\nOWN=${name}\n` } })))
    const [web, db] = stacks as [ComposeStack, ComposeStack]
    // Without a name of its own, the project has the name of the first file's folder.
    await web.up()
    db.alsoRemove(`${base.project}-db`)
    await db.compose('-p', `${base.project}-db`, 'up', '-d')
    const look = async (): Promise<unknown> => good(await runtime.inspect([web.directory, db.directory, base.directory])).map((state) => [state.condition, containersOf(state).map((container) => container.service)])
    expect(await look()).toEqual([['running', ['app', 'web']], ['running', ['app', 'db']], ['not-found', []]])
    expect(await docker('inspect', '-f', '{{index .Config.Labels "com.docker.compose.project.working_dir"}}', `${base.project}-web-1`)).toBe(base.directory)

    const [state] = good(await runtime.inspect([web.directory]))
    // The model is that of the containers: with the variables of the folder's own .env.
    expect(good(await runtime.preflight(state!, { stopMode: 'auto' })).whyNotDown).toEqual([])
    const ofDb = await docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}}', `${base.project}-db-db-1`)
    for (const mode of ['stop', 'down'] as const) await stopAndStart(runtime, state!, mode)
    expect(await docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}}', `${base.project}-db-db-1`)).toBe(ofDb)
    expect(await docker('inspect', '-f', '{{json .Config.Env}}', `${base.project}-web-1`)).toContain('OWN=web')
    expect(await look()).toEqual([['running', ['app', 'web']], ['running', ['app', 'db']], ['not-found', []]])

    await db.compose('-p', `${base.project}-db`, 'down', '-t', '2')
    await db.compose('--project-directory', '.', 'up', '-d')
    expect(await look()).toEqual([['running', ['app', 'web']], ['running', ['app', 'db']], ['not-found', []]])

    const capsule = good(await runtime.describe(state!))
    const obstacles = async (): Promise<readonly string[]> => good(await runtime.canRebuild(capsule, { directory: web.directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, restoredPaths: [web.directory] })).problems.map(({ code }) => code)
    expect(await obstacles()).not.toContain('project-taken')
    // The folder of the first file is a stack too, with a service of the same name in the project of the same name.
    await web.compose('down', '-t', '2')
    await base.up()
    expect(await look()).toEqual([['not-found', []], ['running', ['app', 'db']], ['running', ['app']]])
    expect(await obstacles()).toContain('project-taken')
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
