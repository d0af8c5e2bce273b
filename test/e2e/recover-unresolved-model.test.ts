import { rmSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, it } from 'vitest'

import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand } from '../fixtures/compose-stack.js'
import { removeKept } from '../fixtures/kept-aside.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'

let world: World

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
})
afterAll(async () => {
  await removeKept(world)
  await world.remove()
})

/** Does not start with the data of the snapshot, which has the file `broken`. */
const fragile = ['sh', '-c', "test -f /data/broken && exit 1; trap 'exit 0' TERM; sleep 1000000 & wait"]

const services = {
  db: { image: testImage, command: fragile, environment: { PASSWORD: 'a$b' }, labels: { mine: 'yes' }, hostname: 'database', volumes: ['./data:/data', 'vol:/vol', '/anonymous'], networks: { default: { aliases: ['base'] }, other: {} } },
  beside: { image: testImage, command: politeCommand, network_mode: 'service:db', depends_on: ['db'] },
  resting: { image: testImage, command: politeCommand, network_mode: 'none' },
  waiting: { image: testImage, command: politeCommand, network_mode: 'none' },
}

const recover = (...args: string[]): Promise<{ exitCode: number; result: RecoverResult }> => world.json<RecoverResult>(['recover', ...args, '--yes'])

/** Makes a snapshot with which the stack does not start, and leaves data with which it does. */
async function takeBrokenSnapshot(stack: WorldStack): Promise<void> {
  stack.write('data/broken', 'x')
  expect((await world.backup([stack.name, '--stop-mode', 'none'])).exitCode).toBe(0)
  rmSync(join(stack.directory, 'data/broken'))
}

/** All that the engine would make the containers of again, without what it counts or chooses itself. */
async function made(stack: WorldStack): Promise<unknown> {
  const ids = (await docker('ps', '-aq', '--no-trunc', '--filter', `label=com.docker.compose.project=${stack.project}`)).split('\n')
  type Inspected = { Id: string; Name: string; Image: string; Config: { Hostname: string; Volumes: unknown }; HostConfig: { Mounts: unknown; Binds: unknown }; Mounts: { Name?: string; Destination: string }[]; State: { Status: string }; NetworkSettings: { Networks: Record<string, { Aliases: string[] | null }> } }
  const found = JSON.parse(await docker('inspect', ...ids)) as Inspected[]
  const nameOf = (id: string): string => found.find(({ Id }) => Id === id)?.Name ?? id
  const known = (text: string): string => text.replace(/[0-9a-f]{64}/g, (id) => nameOf(id))
  return found.map(({ Id, Name, Image, Config, HostConfig, Mounts, State, NetworkSettings }) => {
    const ofItself = (name: string): boolean => Id.startsWith(name)
    const { Hostname, Volumes: _volumes, ...config } = Config
    const { Mounts: _mounts, Binds: _binds, ...hostConfig } = HostConfig
    return {
      name: Name,
      image: Image,
      config: { ...config, hostname: ofItself(Hostname) ? '' : Hostname },
      hostConfig: JSON.parse(known(JSON.stringify(hostConfig))) as unknown,
      mounts: Mounts.map(({ Name: volume, Destination }) => `${volume ?? ''} at ${Destination}`).sort(),
      // One that was stopped is made again and not started.
      status: State.Status === 'created' ? 'exited' : State.Status,
      networks: Object.entries(NetworkSettings.Networks).map(([network, { Aliases }]) => `${network}: ${(Aliases ?? []).filter((alias) => !ofItself(alias)).sort().join(' ')}`).sort(),
    }
  }).sort((one, other) => one.name.localeCompare(other.name))
}

const data = (stack: WorldStack): Promise<string> => docker('exec', `${stack.project}-db-1`, 'cat', '/data/file', '/vol/file', '/anonymous/file')

it('what ran of a stack whose compose file is broken runs again if its recovery fails', async () => {
  const stack = await world.stack('broken', { model: { services, volumes: { vol: {} }, networks: { other: {} } }, files: { 'data/file': 'snapshot' } })
  await takeBrokenSnapshot(stack)
  await stack.compose('stop', 'resting')
  await stack.compose('pause', 'waiting')
  for (const place of ['data/file', 'vol/file', 'anonymous/file']) await docker('exec', `${stack.project}-db-1`, 'sh', '-c', `echo present > /${place}`)
  const before = await made(stack)
  stack.write('compose.yaml', 'services: [')

  const { exitCode, result } = await recover('broken')
  expect(exitCode, JSON.stringify(result)).toBe(1)
  expect(JSON.stringify(result.problems)).toContain('is back as it was')
  expect(await made(stack)).toEqual(before)
  expect(await data(stack)).toBe('present\npresent\npresent')
  expect(stack.read('compose.yaml')).toBe('services: [')
})

it('a stack whose .env was deleted comes back from its snapshot, and stays as it was where that does not start', async () => {
  const app = { image: testImage, command: fragile, environment: { VARIABLE: '${VARIABLE:?is needed}' }, network_mode: 'none', volumes: ['./data:/data'] }
  const stack = await world.stack('deleted', { model: { services: { app } }, files: { 'data/file': 'snapshot', '.env': 'VARIABLE=value\n' } })
  expect((await world.backup(['deleted', '--stop-mode', 'none'])).exitCode).toBe(0)
  const [sound] = (await world.snapshots()).filter(({ paths }) => paths.includes(stack.directory))
  await takeBrokenSnapshot(stack)
  stack.write('data/file', 'present')
  rmSync(join(stack.directory, '.env'))
  const before = await made(stack)

  const failed = await recover('deleted')
  expect(failed.exitCode, JSON.stringify(failed.result)).toBe(1)
  expect(JSON.stringify(failed.result.problems)).toContain('is back as it was')
  expect(await made(stack)).toEqual(before)
  expect(stack.read('data/file')).toBe('present')

  const recovered = await recover('deleted', '--snapshot', sound!.id)
  expect(recovered.exitCode, JSON.stringify(recovered.result)).toBe(0)
  expect([stack.read('data/file'), stack.read('.env'), await stack.running()]).toEqual(['snapshot', 'VARIABLE=value\n', ['app']])
})
