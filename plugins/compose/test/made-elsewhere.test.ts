import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { testImage } from '../../../test/fixtures/busybox-image.js'
import { docker, politeCommand, service } from '../../../test/fixtures/compose-stack.js'
import { containersOf, good, liveRuntime, liveStack, look, stopAndStart } from './runtime-for-test.js'

/** A container of no project with this mounted, as a manager has the folder of its stacks. */
async function manager(name: string, mount: string): Promise<void> {
  await docker('run', '-d', '--name', name, '--network', 'none', '-v', mount, testImage, ...politeCommand)
  onTestFinished(async () => void (await docker('rm', '-fv', name)))
}

/** What a manager leaves behind that calls Compose inside its container: labels with its own paths, which are none of this host. */
const labelled = (folder: string, project: string): Record<string, string> => ({ 'com.docker.compose.project': project, 'com.docker.compose.service': 'web', 'com.docker.compose.container-number': '1', 'com.docker.compose.oneoff': 'False', 'com.docker.compose.project.working_dir': folder, 'com.docker.compose.project.config_files': `${folder}/compose.yaml` })

async function startedInside(folder: string, project: string, options: readonly string[] = []): Promise<void> {
  const name = `${project}-web-1`
  await docker('run', '-d', '--name', name, '--network', 'none', ...Object.entries(labelled(folder, project)).flatMap(([key, value]) => ['--label', `${key}=${value}`]), ...options, testImage, ...politeCommand)
  onTestFinished(async () => void (await docker('rm', '-fv', name)))
}

test.each([
  ['by a bind', (path: string): string => `${path}/..:/data/compose`],
  ['by a folder further above', (path: string): string => `${path}/../..:/data`],
])('what a manager in a container started belongs to the folder that it has mounted %s, whatever its name', async (_how, mount) => {
  const { runtime } = await liveRuntime()
  const root = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-manager-'))
  onTestFinished(() => rm(root, { recursive: true }))
  const folder = join(root, 'compose', '5')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'compose.yaml'), `services:\n  web:\n    image: ${testImage}\n`)
  await manager(`${root.slice(-6).toLowerCase()}-manager`, mount(folder))
  const project = `wiki-${root.slice(-6).toLowerCase()}`
  await startedInside('/data/compose/5', project)
  const state = await look(runtime, folder)
  expect(state).toMatchObject({ condition: 'running', projects: [{ name: project, workingDirectory: folder, otherWorkingDirectories: ['/data/compose/5'], configFiles: [join(folder, 'compose.yaml')] }] })
  expect(containersOf(state).map(({ name }) => name)).toEqual([`${project}-web-1`])
  expect(good(await runtime.preflight(state)).model.ok).toBe(true)
  await stopAndStart(runtime, state, 'stop')
  expect(await look(runtime, folder)).toMatchObject({ condition: 'running' })
})

test('a folder of another name that fits as well, or a path that no container has mounted, makes nothing a stack of it', async () => {
  const { runtime } = await liveRuntime()
  const root = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-managers-'))
  onTestFinished(() => rm(root, { recursive: true }))
  const tag = root.slice(-6).toLowerCase()
  const folders = ['one', 'other'].map((name) => join(root, name, '5'))
  for (const [at, folder] of folders.entries()) {
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'compose.yaml'), `services:\n  web:\n    image: ${testImage}\n`)
    await manager(`${tag}-manager-${at}`, `${folder}/..:/inside`)
  }
  await startedInside('/inside/5', `two-${tag}`)
  await startedInside('/nowhere/5', `none-${tag}`)
  for (const folder of folders) expect(await look(runtime, folder)).toMatchObject({ condition: 'not-found' })
})

test('what a file above includes belongs to the stack whose file it is: its services alone, with their volumes', async () => {
  const { runtime } = await liveRuntime()
  const other = await liveStack({ isUp: false, compose: { services: { web: service({ volumes: ['site:/site'] }) }, volumes: { site: {} } } })
  const stack = await liveStack({ isUp: false, compose: { services: { db: service({ volumes: ['data:/data'] }) }, volumes: { data: {} } } })
  const root = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-root-'))
  onTestFinished(() => rm(root, { recursive: true }))
  const project = `all-${root.slice(-6).toLowerCase()}`
  const file = join(root, 'compose.yaml')
  await writeFile(file, `name: ${project}\ninclude:\n  - ${join(other.directory, 'compose.yaml')}\n  - path: ["\${WHERE}/compose.yaml"]\nservices:\n  own:\n    image: ${testImage}\n    command: ${JSON.stringify(politeCommand)}\n    network_mode: none\n`)
  await writeFile(join(root, '.env'), `WHERE=${stack.directory}\n`)
  await docker('compose', '--progress', 'quiet', '-f', file, 'up', '-d')
  onTestFinished(async () => void (await docker('compose', '--progress', 'quiet', '-f', file, 'down', '-v', '-t', '1')))

  const state = await look(runtime, stack.directory)
  expect(state).toMatchObject({ condition: 'running', projects: [{ name: project, services: ['db'], workingDirectory: root, configFiles: [file] }] })
  expect(containersOf(state).map(({ name }) => name)).toEqual([`${project}-db-1`])
  const volumes = good(await runtime.sources(state)).flatMap(({ kind, volume, whyNot }) => (kind === 'named-volume' ? [[volume, whyNot]] : []))
  expect(volumes).toEqual([[`${project}_data`, '']])

  const started = async (name: string): Promise<string> => (await docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}}', `${project}-${name}-1`)).trim()
  const before = { web: await started('web'), own: await started('own') }
  for (const mode of ['stop', 'down'] as const) {
    await stopAndStart(runtime, await look(runtime, stack.directory), mode)
    expect({ web: await started('web'), own: await started('own') }).toEqual(before)
  }
  expect(good(await runtime.preflight(await look(runtime, stack.directory))).whyNotDown).toEqual([expect.stringContaining(root)])
})
