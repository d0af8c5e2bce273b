import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { ContainerMount } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { service } from '../../../test/fixtures/compose-stack.js'
import { readersInside } from '../src/users-inside.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

test('who can write to a place is found by the path and by the name of the volume, without any model; who only reads, or is excepted, is not', async () => {
  const outside = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-outside-'))
  onTestFinished(() => rm(outside, { recursive: true, force: true }))
  for (const name of ['inside', 'device']) await mkdir(join(outside, 'place', name), { recursive: true })
  await symlink(join(outside, 'place'), join(outside, 'link'))
  const { project, directory } = await liveStack({
    compose: {
      services: {
        volume: service({ volumes: ['data:/data', 'onto:/onto', 'memory:/memory'] }),
        above: service({ volumes: [`${outside}:/outside`] }),
        inside: service({ volumes: [`${outside}/link/inside:/inside`] }),
        reader: service({ volumes: [`${outside}/place:/place:ro`, 'data:/data:ro'] }),
      },
      volumes: { data: {}, onto: { driver_opts: { type: 'none', o: 'bind', device: join(outside, 'place/device') } }, memory: { driver_opts: { type: 'tmpfs', device: 'tmpfs' } } },
    },
  })
  const { runtime } = await liveRuntime()
  const named = (name: string): { path: string; volume: string } => ({ path: '', volume: `${project}_${name}` })
  const places = [{ path: join(outside, 'link'), volume: '' }, named('data'), named('onto'), named('memory'), named('gone'), { path: join(outside, 'gone'), volume: '' }]
  const containers = (await look(runtime, directory)).projects.flatMap((one) => one.containers)
  const nameOf = (name: string): string => containers.find((one) => one.service === name)!.name
  const found = good(await runtime.writersAt!(places, { except: [] }))
  expect(found.map(({ path, otherUsers, usersInside }) => [path.replace(/^.*\/volumes\//, ''), [...otherUsers].sort(), usersInside])).toEqual([
    [join(outside, 'place'), [nameOf('above'), nameOf('inside')].sort(), [nameOf('inside')]],
    [`${project}_data/_data`, [nameOf('volume')], [nameOf('volume')]],
    [join(outside, 'place/device'), [nameOf('above'), nameOf('volume')].sort(), [nameOf('volume')]],
    ['', [], []],
    ['', [], []],
    [join(outside, 'gone'), [], []],
  ])
  expect(found.map(({ readersInside: readers }) => readers)).toEqual([
    [{ name: nameOf('reader'), paths: [join(outside, 'place')] }],
    [{ name: nameOf('reader'), paths: [found[1]!.path] }],
    [],
    undefined,
    undefined,
    undefined,
  ])
  const rest = good(await runtime.writersAt!(places, { except: containers.filter(({ service: name }) => name !== 'above').map(({ id }) => id) }))
  expect(rest.map(({ otherUsers }) => otherUsers)).toEqual([[nameOf('above')], [], [nameOf('above')], [], [], []])
})

test('who only reads a place, or something inside it, is a reader; who reads a folder above, or may also write inside, is none', async () => {
  const mount = (source: string, writable = false, name = ''): ContainerMount => ({ kind: name === '' ? 'bind' : 'volume', name, source, target: '/x', driver: '', writable, isAnonymous: false })
  const containers = [
    { name: 'at', mounts: [mount('/srv/place'), mount('/srv/other')] },
    { name: 'inside', mounts: [mount('/srv/place/deep'), mount('/srv/place/also')] },
    { name: 'above', mounts: [mount('/srv')] },
    { name: 'beside', mounts: [mount('/srv/place-two')] },
    { name: 'writer', mounts: [mount('/srv/place', true)] },
    { name: 'both', mounts: [mount('/srv/place/deep'), mount('/srv/place/also', true)] },
    { name: 'manager', mounts: [mount('/srv/place'), mount('/srv', true)] },
    { name: 'volume', mounts: [mount('/elsewhere', false, 'data')] },
    { name: 'nothing', mounts: [mount('')] },
  ]
  const resolve = (path: string): Promise<string> => Promise.resolve(path)
  expect(await readersInside({ path: '/srv/place', volume: '' }, containers, resolve)).toEqual([
    { name: 'at', paths: ['/srv/place'] },
    { name: 'inside', paths: ['/srv/place/deep', '/srv/place/also'] },
    { name: 'manager', paths: ['/srv/place'] },
  ])
  expect(await readersInside({ path: '/volumes/data', volume: 'data' }, containers, resolve)).toEqual([{ name: 'volume', paths: ['/volumes/data'] }])
})
