import { afterAll, beforeAll, expect, it } from 'vitest'

import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand } from '../fixtures/compose-stack.js'
import { makeWorld, type World } from '../fixtures/world.js'

const polite = { image: testImage, command: politeCommand }

interface Doctor {
  readonly checks: readonly { readonly id: string; readonly status: string; readonly found: string }[]
}

let world: World

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false }, docker: { DOCKER_TIMEOUT: 5 } } })
})
afterAll(() => world.remove())

/** The very processes that run: a restart or a new container shows. */
const processes = (...names: string[]): Promise<string> => docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}} {{.State.Status}}', ...names)

it('a backup of one of three folders with one project name touches none of the others, whether enabled, stopped or not', async () => {
  const project = `${world.prefix}-media`
  const folder = (name: string, isEnabled: boolean): ReturnType<World['stack']> => world.stack(name, { model: { name: project, services: { [name]: { ...polite, volumes: ['./data:/data'] } } }, isEnabled, isUp: false })
  const [sonarr, radarr, lidarr] = [await folder('sonarr', true), await folder('radarr', false), await folder('lidarr', true)]
  for (const stack of [sonarr, radarr, lidarr]) await stack.compose('up', '-d', '--pull', 'never')
  await docker('stop', '-t', '2', `${project}-lidarr-1`)

  const others = await processes(`${project}-radarr-1`, `${project}-lidarr-1`)
  const first = await world.backup(['sonarr'])
  expect(first.stack('sonarr')).toMatchObject({ status: 'ok', quiet: true, stopMode: 'stop', stopModeReason: expect.stringContaining(radarr.directory), servicesBefore: ['sonarr'] })
  expect(await processes(`${project}-radarr-1`, `${project}-lidarr-1`)).toBe(others)

  // One that does not run is not taken for running because its neighbours are.
  const running = await processes(`${project}-sonarr-1`, `${project}-radarr-1`)
  const second = await world.backup(['lidarr'])
  expect(second.stack('lidarr')).toMatchObject({ status: 'ok', stateBefore: 'stopped', stopMode: 'none', servicesBefore: [] })
  expect(await processes(`${project}-sonarr-1`, `${project}-radarr-1`)).toBe(running)

  for (const { directory } of [sonarr, radarr, lidarr]) await docker('compose', '--project-directory', directory, '-f', `${directory}/compose.yaml`, 'down', '-t', '2')
  world.disable('sonarr', 'radarr', 'lidarr')
})

it('files in the layer of a container are named by doctor and by a dry run before the first night, and are there after it', async () => {
  const stack = await world.stack('layered', { services: { app: { ...polite, network_mode: 'none' } } })
  const name = `${stack.project}-app-1`
  await docker('exec', name, 'sh', '-c', 'mkdir /data && echo row > /data/row')
  const { result } = await world.json<Doctor>(['doctor'])
  expect(result.checks.filter(({ id }) => id === 'stacks.layered.data')).toMatchObject([{ status: 'warning', found: expect.stringContaining(`${name} keeps files in its own layer`) }])

  const expected = { status: 'ok', stopMode: 'stop', stopModeReason: expect.stringContaining('/data/row'), problems: [{ severity: 'warning', code: 'data-in-container', message: expect.stringContaining('/data/row') }] }
  const rehearsed = await world.backup(['layered', '--dry-run'])
  expect([rehearsed.exitCode, rehearsed.stack('layered')]).toMatchObject([0, expected])
  const call = await world.backup(['layered'])
  expect([call.exitCode, call.stack('layered')]).toMatchObject([0, expected])
  expect(await docker('exec', name, 'cat', '/data/row')).toBe('row')

  // Asked for by name, down does not lose it either.
  const down = await world.backup(['layered', '--stop-mode', 'down'])
  expect([down.exitCode, down.stack('layered')]).toMatchObject([0, expected])
  expect(await docker('exec', name, 'cat', '/data/row')).toBe('row')
  // A stack that is never taken down loses nothing, so nothing is looked for.
  expect((await world.backup(['layered', '--dry-run', '--stop-mode', 'stop'])).stack('layered').problems).toEqual([])
})
