import { answered, failed, type Answer } from '@stackbk/contract'
import { describe, expect, test } from 'vitest'

import { docker, service } from '../../../test/fixtures/compose-stack.js'
import type { Docker } from '../src/docker.js'
import { isData, type LayerChange } from '../src/layer-data.js'
import { Layers } from '../src/layers.js'
import { containersOf, good, liveRuntime, liveStack, look, stopAndStart } from './runtime-for-test.js'

function dataIn(paths: readonly string[], places: readonly string[] = []): string[] {
  const changes = paths.map((path): LayerChange => ({ kind: path.startsWith('-') ? 'deleted' : 'added', path: path.replace(/^-/, '') }))
  return changes.filter((change) => isData(change, changes, places)).map((change) => change.path)
}

describe('what counts as data in a layer', () => {
  test('is a file of the application, and none of the folders that it is in', () => {
    expect(dataIn(['/data', '/data/db', '/data/db/row', '/app', '/app/config.json'])).toEqual(['/data/db/row', '/app/config.json'])
  })

  test('is not what is temporary, cached, logged, or left by a program that runs', () => {
    expect(dataIn(['/tmp/x', '/run/nginx.pid', '/var/run/y', '/var/log/app.log', '/var/cache/nginx/a', '/var/tmp/b', '/root/.cache/pip/c', '/home/node/.npm/_logs/d', '/app/app.pid', '/app/app.sock', '/app/__pycache__/m.cpython-312.pyc', '/root/.ash_history'])).toEqual([])
  })

  test('is not what the engine and start scripts of images write at each creation', () => {
    expect(dataIn(['/.dockerenv', '/sbin', '/sbin/docker-init', '/etc/hosts', '/etc/resolv.conf', '/etc/mtab', '/etc/passwd', '/etc/group-', '/etc/localtime', '/etc/ld.so.cache', '/etc/ssl/certs/ca.pem', '/etc/nginx/conf.d/default.conf'])).toEqual([])
    expect(dataIn(['/etc/app.conf', '/etc/nginx/conf.d/mine.conf', '/temporary/x', '/var/logs/x', '/var/lib/app/db.sqlite'])).toEqual(['/etc/app.conf', '/etc/nginx/conf.d/mine.conf', '/temporary/x', '/var/logs/x', '/var/lib/app/db.sqlite'])
  })

  test('is not the place of a mount, nor a folder above it, also where /lib is a link', () => {
    expect(dataIn(['/srv', '/srv/app', '/srv/app/config', '/usr/lib/modules', '/my.conf', '/srv/app/own'], ['/srv/app/config/', '/lib/modules', '//my.conf'])).toEqual(['/srv/app/own'])
  })

  test('is not a file that was deleted', () => {
    expect(dataIn(['-/data/row'])).toEqual([])
  })
})

describe('an engine that', () => {
  const container = { id: 'a1', name: 'web-1', mounts: [] } as unknown as Parameters<Layers['dataIn']>[0][number]
  const engine = (answer: (what: string) => Answer<string>): { docker: Docker; asked: string[] } => {
    const asked: string[] = []
    const request = ({ what }: { readonly what: string }): Promise<Answer<{ status: number; body: unknown }>> => {
      asked.push(what)
      const told = answer(what)
      if (!told.ok) return Promise.resolve(told)
      return Promise.resolve(answered({ status: 200, body: JSON.parse(told.value) as unknown }))
    }
    return { asked, docker: { engine: { request } } as unknown as Docker }
  }

  test('does not say in time leaves the question open, and is asked again the next time', async () => {
    let isSlow = true
    const { docker: slow, asked } = engine((what) => (isSlow ? failed({ kind: 'tool-not-answering', message: `${what} did not end` }) : answered('{"SizeRw":0}')))
    const layers = new Layers(slow)
    expect(await layers.dataIn([container])).toEqual({ data: [], unknown: ['what web-1 keeps in its own layer could not be found out in time'] })
    isSlow = false
    expect(await layers.dataIn([container])).toEqual({ data: [], unknown: [] })
    expect(await layers.dataIn([container])).toEqual({ data: [], unknown: [] })
    expect(asked).toHaveLength(2)
  })

  test('knows the size and not the files leaves it open too', async () => {
    const { docker: half } = engine((what) => (what.startsWith('docker diff') ? failed({ kind: 'failed', message: 'no' }) : answered('{"SizeRw":12}')))
    expect((await new Layers(half).dataIn([container])).unknown).toHaveLength(1)
  })

  test('knows that there is a lot, and not which files, still says that', async () => {
    const { docker: half } = engine((what) => (what.startsWith('docker diff') ? failed({ kind: 'tool-not-answering', message: 'no' }) : answered('{"SizeRw":6000000}')))
    expect((await new Layers(half).dataIn([container])).data).toEqual(['web-1 keeps files in its own layer (5.7 MiB), in no volume and no bind, which a new container would not have'])
  })

  test('names a file whose name holds a line end names one file', async () => {
    const { docker: odd } = engine((what) => answered(what.startsWith('docker diff') ? JSON.stringify([{ Kind: 0, Path: '/data' }, { Kind: 1, Path: '/data/a\nb c' }, { Kind: 1, Path: '/data/--x' }]) : '{"SizeRw":12}'))
    expect((await new Layers(odd).dataIn([container])).data).toEqual(['web-1 keeps files in its own layer (12 bytes), in no volume and no bind, which a new container would not have: /data/a\nb c, /data/--x'])
  })
})

test('a container with data in its own layer is stopped and started by auto, with its files named; one that writes by habit is not', async () => {
  const live = await liveRuntime()
  const { runtime } = live
  const habit = ['sh', '-c', "trap 'exit 0' TERM INT; echo 1 > /run.pid; echo log > /var/log/x 2>/dev/null; mkdir -p /run /root/.cache; echo y > /run/y; echo z > /root/.cache/z; echo t > /tmp/t; sleep 1000000 & wait"]
  const stack = await liveStack({
    compose: {
      services: {
        usual: service({ command: habit, init: true, volumes: ['vol:/deep/er/vol', './file:/some/where/file.conf:ro', '/srv-anonymous-free:/x'], tmpfs: ['/scratch'], secrets: ['s'], configs: [{ source: 'c', target: '/etc/my/c.conf' }] }),
        first: service({ init: true }),
        one: service(),
        large: service(),
      },
      volumes: { vol: {} },
      secrets: { s: { file: './file' } },
      configs: { c: { file: './file' } },
    },
    files: { file: 'x' },
  })
  await docker('exec', `${stack.project}-usual-1`, 'test', '-f', '/tmp/t')
  await docker('exec', `${stack.project}-first-1`, 'sh', '-c', 'echo x > /tmp/x')
  const plain = good(await runtime.preflight(await look(runtime, stack.directory), { stopMode: 'auto' }))
  expect(plain.whyNotDown).toEqual([])
  expect(plain.dataInContainers).toBeUndefined()

  const { runtime: nextRun, calls } = await liveRuntime()
  await docker('exec', `${stack.project}-one-1`, 'sh', '-c', 'mkdir /data; echo row > /data/row')
  await docker('exec', `${stack.project}-large-1`, 'dd', 'if=/dev/zero', 'of=/tmp/blob', 'bs=1M', 'count=20')
  const state = await look(nextRun, stack.directory)
  const { whyNotDown, dataInContainers } = good(await nextRun.preflight(state, { stopMode: 'auto' }))
  expect(whyNotDown).toEqual([
    expect.stringMatching(/-large-1 keeps files in its own layer \(20\.\d MiB\).*: \/tmp\/blob$/),
    expect.stringMatching(/-one-1 keeps files in its own layer \(4 bytes\).*: \/data\/row$/),
  ])
  expect(dataInContainers).toEqual(whyNotDown)
  // A down that is asked for by name is not done either; a recovery, which asks for no mode, is not kept from anything by it.
  expect(good(await nextRun.preflight(state, { stopMode: 'down' })).whyNeverDown).toEqual(whyNotDown)
  expect(good(await nextRun.preflight(state)).whyNeverDown).toBeUndefined()
  expect(good((await nextRun.dataInContainers?.(state)) ?? failed({ kind: 'failed', message: 'absent' }))).toEqual(whyNotDown)
  // Each container is looked into once a run, and not at all where nothing is taken down.
  const lookedInto = (all: readonly string[]): string[] => all.filter((call) => /^GET \/containers\/[0-9a-f]+\/(?:json|changes)$/.test(call))
  expect(lookedInto(calls).filter((call) => call.endsWith('changes'))).toHaveLength(4)
  expect(new Set(lookedInto(calls)).size).toBe(lookedInto(calls).length)
  const { runtime: stopping, calls: few } = await liveRuntime()
  expect(good(await stopping.preflight(state, { stopMode: 'stop' })).whyNotDown).toEqual([])
  expect(lookedInto(few)).toEqual([])

  await stopAndStart(nextRun, state, 'stop')
  expect(await docker('exec', `${stack.project}-one-1`, 'cat', '/data/row')).toBe('row')
  expect(containersOf(await look(nextRun, stack.directory)).map((container) => container.id)).toEqual(containersOf(state).map((container) => container.id))
})
