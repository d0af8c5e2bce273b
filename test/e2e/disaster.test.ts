import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, it } from 'vitest'

import type { RestoreAndRecoverResult } from '../../src/stages/restore-and-recover.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, healthyCommand, politeCommand, quickHealthcheck, removeProject } from '../fixtures/compose-stack.js'
import { fingerprint, furnish } from '../fixtures/fingerprint.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'

let world: World
let image: string

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
  image = `stackbk-test/${world.prefix}:1`
  await docker('tag', testImage, image)
})
afterAll(async () => {
  await world.remove()
  await docker('rmi', image).catch(() => {})
})

const volumePath = (name: string): Promise<string> => docker('volume', 'inspect', '--format', '{{.Mountpoint}}', name)

/** Rows that can be told from any others, committed; what is in the write-ahead log too. */
const fillDatabase = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('pragma journal_mode=wal')
db.execute('create table row (id integer primary key, text text)')
db.executemany('insert into row (text) values (?)', [('row %d' % i,) for i in range(5000)])
db.commit()
`
const askDatabase = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute('pragma integrity_check').fetchone()[0], db.execute('select count(*), sum(length(text)) from row').fetchone())
`

it('brings three stacks back to running after everything but the configuration is gone, in one command', async () => {
  const files = await world.stack('files', { model: { services: { web: { image, command: politeCommand, network_mode: 'none', volumes: ['./data:/data'] } } }, isUp: false })
  furnish(join(files.directory, 'data'))
  writeFileSync(join(files.directory, 'data', 'blob'), randomBytes(3_000_000))
  chownSync(files.directory, 1001, 1002)
  chmodSync(files.directory, 0o2750)
  const service = { image, command: healthyCommand, healthcheck: quickHealthcheck(), network_mode: 'none' }
  const volume = await world.stack('volume', { model: { services: { app: { ...service, volumes: ['vol:/vol', '/anonymous'] } }, volumes: { vol: { labels: { purpose: 'odd' } } } } })
  const database = await world.stack('database', { model: { services: { db: { ...service, volumes: ['db:/db'], healthcheck: quickHealthcheck('/db/data.sqlite') }, app: { image, command: politeCommand, network_mode: 'none', depends_on: { db: { condition: 'service_healthy' } } } }, volumes: { db: {} } }, isUp: false })
  await files.up()
  const odd = await volumePath(`${volume.project}_vol`)
  furnish(odd)
  chownSync(odd, 70, 71)
  chmodSync(odd, 0o1730)
  execFileSync('setfattr', ['-n', 'user.root', '-v', 'odd', odd])
  await database.compose('create')
  const databasePath = await volumePath(`${database.project}_db`)
  execFileSync('python3', ['-c', fillDatabase, join(databasePath, 'data.sqlite')])
  await database.up('--wait')
  const anonymous = async (): Promise<string> => {
    const id = await volume.compose('ps', '-q', 'app')
    return docker('inspect', '--format', '{{range .Mounts}}{{if eq .Destination "/anonymous"}}{{.Source}}{{end}}{{end}}', id)
  }
  writeFileSync(join(await anonymous(), 'kept'), 'anonymous data')
  const stacks = [database, files, volume]
  const picture = async (): Promise<string[]> => [...stacks.map(({ directory }) => fingerprint(directory)), fingerprint(await volumePath(`${volume.project}_vol`)), fingerprint(await volumePath(`${database.project}_db`)), fingerprint(await anonymous())]
  // The answer folds the log into the database, as any opening does: it comes before the picture.
  const answer = execFileSync('python3', ['-c', askDatabase, join(databasePath, 'data.sqlite')], { encoding: 'utf8' })
  expect(answer).toContain('ok (5000,')
  expect((await world.backup()).exitCode).toBe(0)
  expect((await world.sync()).exitCode).toBe(0)
  const before = await picture()

  await erase(stacks)
  const begun = performance.now()
  const { exitCode, result } = await world.json<RestoreAndRecoverResult>(['restore', '--recover', '--all'])
  const took = performance.now() - begun
  expect(exitCode, JSON.stringify(result)).toBe(0)
  expect(result).toMatchObject({ command: 'restore', status: 'ok', target: world.repository, recover: { command: 'recover', status: 'ok' } })
  expect(result.recover?.stacks.map(({ name, status, started, healthy }) => [name, status, started, healthy])).toEqual(stacks.map(({ name }) => [name, 'ok', true, true]))
  expect(await picture()).toEqual(before)
  expect(execFileSync('python3', ['-c', askDatabase, join(await volumePath(`${database.project}_db`), 'data.sqlite')], { encoding: 'utf8' })).toBe(answer)
  expect(await docker('volume', 'inspect', '--format', '{{.Labels.purpose}}', `${volume.project}_vol`)).toBe('odd')
  expect(await Promise.all(stacks.map((stack) => stack.running()))).toEqual([['app', 'db'], ['web'], ['app']])
  // And nights go on as before.
  expect((await world.backup()).exitCode).toBe(0)
  expect((await world.sync()).exitCode).toBe(0)
  process.stderr.write(`restore --recover --all took ${Math.round(took)} ms\n`)
})

/** All but the configuration: stacks, volumes, containers, the image's tag, state folder and repository. */
async function erase(stacks: readonly WorldStack[]): Promise<void> {
  for (const stack of stacks) await removeProject(stack.project)
  await docker('rmi', image)
  rmSync(world.stacks, { recursive: true })
  rmSync(world.state, { recursive: true })
  rmSync(world.repository, { recursive: true })
  rmSync(join(world.root, 'cache'), { recursive: true, force: true })
  mkdirSync(world.stacks)
  expect(readdirSync(world.stacks)).toEqual([])
}
