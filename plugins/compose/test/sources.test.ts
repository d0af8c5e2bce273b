import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Source } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { testImage } from '../../../test/fixtures/busybox-image.js'
import { docker, service } from '../../../test/fixtures/compose-stack.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

async function outsideFolder(): Promise<string> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-outside-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function sourcesOf(directory: string): Promise<readonly Source[]> {
  const { runtime } = await liveRuntime()
  return good(await runtime.sources(await look(runtime, directory)))
}

async function readersOf(directory: string): Promise<unknown> {
  return (await sourcesOf(directory)).flatMap(({ volume, path, readersInside = [] }) => (readersInside.length === 0 ? [] : [[volume || path, readersInside.map(({ name }) => name)]]))
}

function pathsOf(sources: readonly Source[], kind: Source['kind']): string[] {
  return sources.filter((source) => source.kind === kind).map((source) => source.path).sort()
}

test('every file that the model reads outside of the folder is a source', async () => {
  const outside = await outsideFolder()
  const at = (name: string): string => join(outside, name)
  const files: Record<string, string> = {
    'included.yaml': `
include:
  - path: [deeper/deep.yaml]
    env_file: deeper.env
services:
  from-include:
    image: ${testImage}
    env_file: included.env
`,
    'deeper/deep.yaml': `services: { deep: { image: '${testImage}' } }`,
    'deeper.env': '',
    'included.env': '',
    'base.yaml': `
services:
  base:
    image: ${testImage}
    env_file: base.env
    extends:
      file: base2.yaml
      service: base2
`,
    'base2.yaml': `services: { base2: { labels: { a: b } } }`,
    'base.env': '',
    'listed.env': '',
    'secret.txt': '',
    'config.txt': '',
    'unused.yaml': '',
  }
  await mkdir(at('deeper'))
  for (const [name, content] of Object.entries(files)) await writeFile(at(name), content)
  const stack = await liveStack({
    isUp: false,
    files: { '.env': `OUTSIDE=${outside}\n`, 'inside.env': '' },
    compose: `
# A comment with include: in it
include:
  - \${OUTSIDE}/included.yaml
services:
  web:
    image: ${testImage}
    env_file:
      - inside.env
      - path: ${at('listed.env')}
      - path: ${at('not-there.env')}
        required: false
    secrets: [token]
    configs: [settings]
    command: |
      echo 'a block
        of text'
  more:
    extends: { file: "${at('base.yaml')}", service: base }
secrets: { token: { file: '${at('secret.txt')}' } }
configs: { settings: { file: '${at('config.txt')}' } }
`,
  })
  const sources = await sourcesOf(stack.directory)
  expect(pathsOf(sources, 'model-file')).toEqual(Object.keys(files).filter((name) => name !== 'unused.yaml').map(at).sort())
  expect(sources[0]).toMatchObject({ kind: 'directory', path: stack.directory })
})

test('volumes are sources if they exist, whoever uses them', async () => {
  const external = `stackbk-test-external-${Date.now()}`
  await docker('volume', 'create', external)
  onTestFinished(async () => void (await docker('volume', 'rm', external)))
  const stack = await liveStack({
    compose: {
      services: { web: service({ volumes: ['data:/data', 'theirs:/theirs:ro', '/anonymous'] }), unused: service({ profiles: ['unused'], volumes: ['later:/later'] }) },
      volumes: { data: {}, later: {}, theirs: { external: true, name: external } },
    },
  })
  const sources = await sourcesOf(stack.directory)
  expect(sources.map((source) => [source.kind, source.volume.replace(/^[0-9a-f]{64}$/, 'random'), source.isWritable, source.canBeRead, source.services])).toEqual([
    ['directory', '', true, true, []],
    ['named-volume', `${stack.project}_data`, true, true, ['web']],
    ['named-volume', external, false, true, ['web']],
    ['anonymous-volume', 'random', true, true, ['web']],
  ])
  expect(sources.every((source) => source.device !== null)).toBe(true)
  const anonymous = sources.find((source) => source.kind === 'anonymous-volume')!.volume
  onTestFinished(async () => void (await docker('volume', 'rm', anonymous)))
  // Taken down, its containers tell nothing any more: the model does.
  await stack.compose('down')
  expect((await sourcesOf(stack.directory)).map((source) => source.volume)).toEqual(['', `${stack.project}_data`, external])
})

test('a stack that names the network default keeps its secrets and volumes as sources, running or not', async () => {
  const outside = await outsideFolder()
  await writeFile(join(outside, 'secret'), 'x')
  const stack = await liveStack({
    compose: {
      services: { web: service({ networks: ['other', 'default'], secrets: ['key'], volumes: ['data:/data'] }) },
      networks: { other: {} },
      secrets: { key: { file: join(outside, 'secret') } },
      volumes: { data: {} },
    },
  })
  const expected = ['directory', 'model-file', 'named-volume']
  expect((await sourcesOf(stack.directory)).map((source) => source.kind)).toEqual(expected)
  await stack.compose('down')
  expect((await sourcesOf(stack.directory)).map((source) => source.kind)).toEqual(expected)
})

test('a dollar sign in a path is one, and not two', async () => {
  const outside = join(await outsideFolder(), 'do$l')
  await mkdir(outside)
  await writeFile(join(outside, 'secret'), 'x')
  await writeFile(join(outside, 'extra.yaml'), '{"services": {}}')
  const written = outside.replaceAll('$', '$$$$')
  const stack = await liveStack({
    isUp: false,
    compose: { include: [join(written, 'extra.yaml')], services: { web: service({ secrets: ['key'], volumes: [`${written}:/data`] }) }, secrets: { key: { file: join(written, 'secret') } } },
  })
  expect((await sourcesOf(stack.directory)).slice(1).map((source) => [source.kind, source.path])).toEqual([
    ['model-file', join(outside, 'secret')],
    ['model-file', join(outside, 'extra.yaml')],
    ['bind', outside],
  ])
})

test('a volume that is a bind in disguise is read where its data is, one on a share is not, and one in memory is no source', async () => {
  const outside = await outsideFolder()
  const stack = await liveStack({
    isUp: false,
    compose: {
      services: { web: service({ volumes: ['bound:/bound', 'share:/share', 'memory:/memory'] }) },
      volumes: {
        memory: { driver_opts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' } },
        bound: { driver_opts: { type: 'none', o: 'bind', device: outside } },
        share: { driver_opts: { type: 'nfs', o: 'addr=192.0.2.1,ro', device: ':/export' } },
      },
    },
  })
  for (const [name, options] of Object.entries({ memory: ['type=tmpfs', 'device=tmpfs', 'o=size=1m'], bound: ['type=none', 'o=bind', `device=${outside}`], share: ['type=nfs', 'o=addr=192.0.2.1,ro', 'device=:/export'] })) {
    await docker('volume', 'create', '--label', `com.docker.compose.project=${stack.project}`, ...options.flatMap((option) => ['--opt', option]), `${stack.project}_${name}`)
  }
  const volumes = Object.fromEntries((await sourcesOf(stack.directory)).map((source) => [source.volume, source]))
  expect(volumes[`${stack.project}_bound`]).toMatchObject({ path: outside, canBeRead: true })
  expect(volumes[`${stack.project}_share`]).toMatchObject({ canBeRead: false, whyNot: expect.stringContaining(':/export') })
  expect(Object.keys(volumes)).not.toContain(`${stack.project}_memory`)
})

test('binds outside of the folder are sources, those inside are part of it, and the system is not read', async () => {
  const outside = await outsideFolder()
  await mkdir(join(outside, 'linked'))
  const socket = join(outside, 'a.sock')
  const server = createServer().listen(socket)
  onTestFinished(() => void server.close())
  const stack = await liveStack({ compose: { services: { web: service() } } })
  await symlink(join(outside, 'linked'), join(stack.directory, 'link'))
  await stack.write('inside/file', '')
  await stack.write('compose.yaml', {
    services: { web: service({ volumes: ['./inside:/inside', './link:/link', `${outside}:/outside:ro`, `${socket}:/socket`, '/proc:/host/proc:ro', `${outside}/missing:/missing`] }) },
  })
  const sources = await sourcesOf(stack.directory)
  expect(pathsOf(sources, 'bind')).toEqual([outside, join(outside, 'linked'), socket, join(outside, 'missing'), '/proc'].sort())
  const why = Object.fromEntries(sources.map((source) => [source.path, source.whyNot]))
  expect(why).toMatchObject({ [outside]: '', [join(outside, 'linked')]: '', [socket]: 'it is a socket', '/proc': 'it belongs to the system, which is never saved', [join(outside, 'missing')]: 'it is not there' })
  expect(sources.find((source) => source.path === outside)?.isWritable).toBe(false)
})

test('other users are the running containers of elsewhere that can write to the same place', async () => {
  const above = await outsideFolder()
  const outside = join(above, 'outside')
  await mkdir(outside)
  const stack = await liveStack({ compose: { services: { web: service({ volumes: ['data:/data', `${outside}:/outside`] }) }, volumes: { data: {} } }, files: { 'sub/file': '' } })
  const start = async (name: string, mount: string): Promise<void> => {
    await docker('run', '-d', '--network', 'none', '--name', `${stack.project}-${name}`, '-v', mount, testImage, 'sleep', '1000')
    onTestFinished(async () => void (await docker('rm', '-f', `${stack.project}-${name}`)))
  }
  await start('volume', `${stack.project}_data:/x`)
  await start('inside', `${stack.directory}/sub:/x`)
  await start('above', `${above}:/x`)
  await start('reader', `${stack.project}_data:/x:ro`)
  await start('stranger', `${await outsideFolder()}:/x`)
  const users = Object.fromEntries((await sourcesOf(stack.directory)).map((source) => [source.volume || source.path, source.otherUsers.map((name) => name.replace(`${stack.project}-`, '')).sort()]))
  expect(await readersOf(stack.directory)).toEqual([[`${stack.project}_data`, [`${stack.project}-reader`]]])
  expect(users).toEqual({ [stack.directory]: ['inside'], [`${stack.project}_data`]: ['volume'], [outside]: ['above'] })
})

test('a model that does not resolve leaves the sources that the containers tell', async () => {
  const outside = await outsideFolder()
  const stack = await liveStack({ compose: { services: { web: service({ volumes: ['data:/data', `${outside}:/outside`] }) }, volumes: { data: {} } } })
  await stack.write('compose.yaml', 'services: [broken\n')
  const sources = await sourcesOf(stack.directory)
  expect(sources.map((source) => source.volume || source.path)).toEqual([stack.directory, `${stack.project}_data`, outside])
})

test('a folder of the whole host is marked, since only folders inside it can be saved; what the system keeps is not', async () => {
  const folders = ['/', '/etc', '/home', '/media', '/mnt', '/opt', '/root', '/srv', '/tmp', '/var/log']
  const stack = await liveStack({ isUp: false, compose: { services: { web: service({ volumes: [...folders, '/proc', '/var/lib/docker', '/opt/stackbk-not-there'].map((path) => `${path}:/host${path}`) }) } } })
  const sources = (await sourcesOf(stack.directory)).filter(({ kind }) => kind === 'bind')
  expect(sources.filter(({ isHostFolder }) => isHostFolder === true).map(({ path, canBeRead, isWritable }) => [path, canBeRead, isWritable])).toEqual(folders.map((path) => [path, false, true]))
  const why = Object.fromEntries(sources.map(({ path, whyNot }) => [path, whyNot]))
  expect(why).toMatchObject({ '/home': 'it belongs to the whole host, and such a folder is never saved as a whole', '/proc': 'it belongs to the system, which is never saved', '/var/lib/docker': 'it belongs to the system, which is never saved', '/opt/stackbk-not-there': 'it is not there' })
})
