import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, it } from 'vitest'

import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { politeCommand, removeProject } from '../fixtures/compose-stack.js'
import { removeKept } from '../fixtures/kept-aside.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'

let world: World
let sonarr: WorldStack
let radarr: WorldStack
/** What is outside of the stacks' folders. */
const outside = mkdtempSync(join(tmpdir(), 'stackbk-shared-'))
const media = join(outside, 'media')
const ownFile = join(outside, 'app.conf')

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false, INCLUDE_BINDS: 'writable' } } })
  mkdirSync(media)
  writeFileSync(join(media, 'film'), 'good')
  writeFileSync(ownFile, 'good')
  const app = (...volumes: string[]): object => ({ image: testImage, command: politeCommand, network_mode: 'none', volumes: ['./data:/data', `${media}:/media`, ...volumes] })
  sonarr = await world.stack('sonarr', { services: { app: app(`${ownFile}:/app.conf`, '/etc/hosts:/hosts') } })
  radarr = await world.stack('radarr', { services: { app: app() } })
  expect((await world.backup()).exitCode).toBe(0)
})
afterAll(async () => {
  await removeKept(world)
  await world.remove()
  rmSync(outside, { recursive: true, force: true })
})

const recover = (...args: string[]): Promise<{ exitCode: number; result: RecoverResult }> => world.json<RecoverResult>(['recover', ...args])
const read = (...paths: string[]): readonly string[] => paths.map((path) => readFileSync(path, 'utf8'))

it('replaces what is the stack\'s alone, and nothing that another stack uses too, which is stopped', async () => {
  await radarr.compose('stop')
  const hosts = readFileSync('/etc/hosts')
  writeFileSync(join(media, 'film'), 'newer')
  writeFileSync(ownFile, 'broken')
  const dryRun = await recover('sonarr', '-n')
  expect(dryRun.result.stacks[0]?.changes).toMatchObject({ replaced: [sonarr.directory, ownFile], kept: [{ path: media, reason: 'shared' }] })
  const { exitCode, result } = await recover('sonarr', '--yes')
  expect([exitCode, result.stacks[0]?.problems.map(({ severity, code }) => `${severity} ${code}`)]).toEqual([0, ['warning shared']])
  expect(read(join(media, 'film'), ownFile)).toEqual(['newer', 'good'])
  expect(readFileSync('/etc/hosts').equals(hosts)).toBe(true)
  expect((await recover('sonarr', '--path', media, '--yes')).exitCode).toBe(0)
  expect(read(join(media, 'film'))).toEqual(['good'])
})

it('brings back what several stacks use once on a bare host, by the first of them', async () => {
  for (const stack of [sonarr, radarr]) {
    await removeProject(stack.project)
    rmSync(stack.directory, { recursive: true })
  }
  rmSync(media, { recursive: true })
  const { exitCode, result } = await recover('--all', '--yes')
  expect([exitCode, result.stacks.map(({ status }) => status), await sonarr.running(), await radarr.running()]).toEqual([0, ['ok', 'ok'], ['app'], ['app']])
  expect(result.stacks.flatMap(({ changes }) => changes?.kept ?? [])).toEqual([{ path: media, reason: 'shared' }])
  expect(read(join(media, 'film'))).toEqual(['good'])
  // The one that was up first sees what is there.
  writeFileSync(join(media, 'seen'), 'x')
  for (const stack of [sonarr, radarr]) expect(await stack.compose('exec', '-T', 'app', 'cat', '/media/seen')).toBe('x')
})
