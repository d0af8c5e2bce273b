import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { afterAll, beforeAll, expect, it } from 'vitest'

import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand } from '../fixtures/compose-stack.js'
import { removeKept } from '../fixtures/kept-aside.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'

let world: World
let arr: WorldStack
let jellyfin: WorldStack
let media: string

const app = (...volumes: string[]): object => ({ image: testImage, command: politeCommand, network_mode: 'none', volumes })

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
  media = `${world.prefix}-media`
  arr = await world.stack('arr', { model: { services: { app: app('./data:/data', 'media:/media') }, volumes: { media: { name: media } } }, files: { 'data/file': 'good' } })
  await arr.compose('exec', '-T', 'app', 'sh', '-c', 'echo good > /media/film')
  expect((await world.backup()).exitCode).toBe(0)
  jellyfin = await world.stack('jellyfin', { model: { services: { app: app('media:/media') }, volumes: { media: { name: media, external: true } } }, isEnabled: false })
})
afterAll(async () => {
  await jellyfin.compose('down')
  await removeKept(world)
  await world.remove()
  await docker('volume', 'rm', '-f', media)
})

const recover = async (...args: string[]): Promise<readonly unknown[]> => {
  const { exitCode, result } = await world.json<RecoverResult>(['recover', 'arr', ...args])
  return [exitCode, result.stacks[0]?.status, result.stacks[0]?.problems.map(({ severity, code }) => `${severity} ${code}`)]
}
const film = (): Promise<string> => jellyfin.compose('exec', '-T', 'app', 'cat', '/media/film')

it('does not take a volume or a folder from under a container of elsewhere, though the stack was taken down', async () => {
  const refused = [1, 'failed', ['error in-use']]
  expect(await recover('--yes')).toEqual(refused)
  await arr.compose('down')
  await jellyfin.compose('exec', '-T', 'app', 'sh', '-c', 'echo newer > /media/film')
  expect(await recover('-n')).toEqual(refused)
  expect(await recover('--yes')).toEqual(refused)
  expect(await recover('--yes', '--overwrite')).toEqual(refused)
  // The model that is there says nothing of the volume any more; the snapshot does.
  arr.write('compose.yaml', { name: arr.project, services: { app: app('./data:/data') } })
  expect(await recover('--yes')).toEqual(refused)
  expect(await film()).toBe('newer')
  await jellyfin.compose('stop')

  const editor = `${world.prefix}-editor`
  await docker('run', '-d', '--name', editor, '--network', 'none', '-v', `${join(arr.directory, 'data')}:/edit`, testImage, ...politeCommand)
  try {
    writeFileSync(join(arr.directory, 'data/file'), 'edited')
    expect(await recover('--yes')).toEqual(refused)
    expect(await docker('exec', editor, 'cat', '/edit/file')).toBe('edited')
    expect(readFileSync(join(arr.directory, 'data/file'), 'utf8')).toBe('edited')
  } finally {
    await docker('rm', '-f', editor)
  }

  expect(await recover('--yes')).toEqual([0, 'ok', []])
  await jellyfin.compose('start')
  expect([await film(), readFileSync(join(arr.directory, 'data/file'), 'utf8'), await arr.running()]).toEqual(['good', 'good', ['app']])
})

it('recovers beside a container of elsewhere that only reads, and names it with the command after which it sees the recovered files', async () => {
  const reader = `${world.prefix}-reader`
  const data = join(arr.directory, 'data')
  await docker('run', '-d', '--name', reader, '--network', 'none', '-v', `${data}:/read:ro`, '-v', `${dirname(arr.directory)}:/above:ro`, testImage, ...politeCommand)
  const seen = (): Promise<string> => docker('exec', reader, 'cat', '/read/file')
  try {
    await jellyfin.compose('stop')
    writeFileSync(join(data, 'file'), 'worse')
    expect(await recover('-n')).toEqual([0, 'ok', ['warning needs-restart']])
    const { exitCode, result } = await world.json<RecoverResult>(['recover', 'arr', '--yes'])
    expect([exitCode, result.stacks[0]?.status]).toEqual([0, 'ok'])
    expect(result.stacks[0]?.problems).toEqual([{ severity: 'warning', code: 'needs-restart', message: `${reader}, which is not of this stack, has ${data} mounted and only reads it: it sees the old files until it is restarted`, fix: `Run: docker restart ${reader}`, stack: 'arr' }])
    expect([readFileSync(join(data, 'file'), 'utf8'), await docker('exec', reader, 'cat', `/above/${basename(arr.directory)}/data/file`)]).toEqual(['good', 'good'])
    expect(await seen().catch(() => 'gone')).not.toBe('good')
    await docker('restart', '-t', '1', reader)
    expect(await seen()).toBe('good')
  } finally {
    await docker('rm', '-f', reader)
  }
})
