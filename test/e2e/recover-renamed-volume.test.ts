import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, it } from 'vitest'

import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, removeProject } from '../fixtures/compose-stack.js'
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

const recover = (...args: string[]): Promise<{ exitCode: number; result: RecoverResult }> => world.json<RecoverResult>(['recover', ...args])
/** Begins with the data that it finds, or with none, as a database does. */
const database = ['sh', '-c', "test -f /data/broken && exit 1; test -f /vol/row || echo new > /vol/row; trap 'exit 0' TERM; sleep 1000000 & wait"]

async function row(stack: WorldStack): Promise<string> {
  return docker('exec', `${stack.project}-db-1`, 'cat', '/vol/row')
}

async function volumes(stack: WorldStack): Promise<string[]> {
  return (await docker('volume', 'ls', '-q', '--filter', `name=${stack.project}`)).split('\n').filter(Boolean).sort()
}

async function putRow(stack: WorldStack, content: string): Promise<void> {
  await docker('exec', `${stack.project}-db-1`, 'sh', '-c', `echo ${content} > /vol/row`)
}

function model(volume: object): object {
  return { services: { db: { image: testImage, command: database, network_mode: 'none', volumes: ['./data:/data', 'vol:/vol'] } }, volumes: { vol: volume } }
}

it('an application whose volume was renamed in the file, and not made anew, gets the volume with its data back', async () => {
  const stack = await world.stack('renamed', { model: model({}) })
  await putRow(stack, 'snapshot')
  const written = JSON.parse(stack.read('compose.yaml')) as object
  stack.write('compose.yaml', { ...written, volumes: { vol: { name: `${stack.project}-new` } } })
  expect((await world.backup(['renamed', '--stop-mode', 'stop'])).exitCode).toBe(0)
  expect([await row(stack), await volumes(stack)]).toEqual(['snapshot', [`${stack.project}_vol`]])

  await putRow(stack, 'later')
  const inPlace = await recover('renamed', '--yes')
  expect(inPlace.exitCode, JSON.stringify(inPlace.result)).toBe(0)
  expect([await row(stack), await volumes(stack)]).toEqual(['snapshot', [`${stack.project}_vol`]])

  await removeProject(stack.project)
  rmSync(stack.directory, { recursive: true, force: true })
  expect(await volumes(stack)).toEqual([])
  const bare = await recover('renamed')
  expect(bare.exitCode, JSON.stringify(bare.result)).toBe(0)
  expect(bare.result.stacks).toMatchObject([{ status: 'ok', started: true }])
  expect([await row(stack), await volumes(stack)]).toEqual(['snapshot', [`${stack.project}_vol`]])
  // The edit is kept as it is: it is the owner's.
  expect(stack.read('compose.yaml')).toContain(`${stack.project}-new`)
})

it('a recovery that fails brings back what ran, and applies no edit on the way', async () => {
  const stack = await world.stack('undone', { model: model({}) })
  writeFileSync(join(stack.directory, 'data/broken'), 'x')
  expect((await world.backup(['undone', '--stop-mode', 'none'])).exitCode).toBe(0)
  rmSync(join(stack.directory, 'data/broken'))
  await putRow(stack, 'present')
  const written = JSON.parse(stack.read('compose.yaml')) as object
  stack.write('compose.yaml', { ...written, volumes: { vol: { name: `${stack.project}-new` } } })

  const { exitCode, result } = await recover('undone', '--yes')
  expect(exitCode, JSON.stringify(result)).toBe(1)
  expect(JSON.stringify(result.problems)).toContain('is back as it was')
  expect([await row(stack), await volumes(stack)]).toEqual(['present', [`${stack.project}_vol`]])
  expect(existsSync(join(stack.directory, 'data/broken'))).toBe(false)
  expect(stack.read('compose.yaml')).toContain(`${stack.project}-new`)
})
