import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, it } from 'vitest'

import { docker } from '../fixtures/compose-stack.js'
import { makeWorld, oneService, type World } from '../fixtures/world.js'

let world: World

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
})
afterAll(() => world.remove())

it('no stack is stopped that could not be started again, or only with other data, and the others are', async () => {
  const volume = join(world.root, 'files')
  mkdirSync(volume)
  const exchanged = await world.stack('exchanged', { ...oneService, files: { 'data/row': 'row\n' } })
  const moved = await world.stack('moved', { model: { services: { app: { ...oneService.services.app, volumes: ['files:/files'] } }, volumes: { files: { driver_opts: { type: 'none', o: 'bind', device: volume } } } } })
  const whole = await world.stack('whole', { ...oneService, files: { 'data/row': 'row\n' } })
  renameSync(join(exchanged.directory, 'data'), join(exchanged.directory, 'data.old'))
  mkdirSync(join(exchanged.directory, 'data'))
  renameSync(volume, `${volume}.old`)
  const before = [await exchanged.containers(), await moved.containers()]

  const call = await world.backup()
  expect(call.exitCode).toBe(3)
  const lived = { status: 'partial', quiet: false, stopMode: 'none', snapshot: expect.anything() as unknown }
  expect(call.stack('exchanged')).toMatchObject(lived)
  expect(call.stack('exchanged').problems).toContainEqual(expect.objectContaining({ severity: 'error', code: 'start-would-change-data', message: expect.stringContaining(`${exchanged.directory}/data`) as string }))
  expect(call.stack('moved')).toMatchObject(lived)
  expect(call.stack('moved').problems).toContainEqual(expect.objectContaining({ severity: 'error', code: 'start-would-fail', message: expect.stringContaining(volume) as string }))
  expect(call.stack('whole')).toMatchObject({ status: 'ok', quiet: true, problems: [] })
  expect([await exchanged.containers(), await moved.containers(), await whole.running()]).toEqual([...before, ['app']])
  expect(await docker('exec', `${exchanged.project}-app-1`, 'cat', '/data/row')).toBe('row')
  expect(world.journal()).toEqual([])
})
