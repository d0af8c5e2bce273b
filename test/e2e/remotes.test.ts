import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { startRemote, type RemoteKind, type TestRemote } from '../fixtures/remotes.js'
import { sampled } from '../fixtures/sampled.js'
import { makeWorld, oneService, type World } from '../fixtures/world.js'

let world: World

beforeAll(async () => {
  world = await makeWorld({ network: 'host', settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
  const web = await world.stack('web', { model: oneService, isUp: false })
  for (let round = 0; round < 2; round++) {
    web.write('data/blob', randomBytes(1_500_000))
    expect((await world.backup()).exitCode).toBe(0)
  }
})
afterAll(() => world.remove())

/** The transport's own tests go over the other two in every run. */
const kinds = sampled<RemoteKind>(['sftp', 's3', 'folder', 'webdav'], 2)

describe.each(kinds)('a remote of kind %s', (kind) => {
  let remote: TestRemote

  beforeAll(async () => {
    remote = await startRemote(kind)
    world.configure({ cloud_sync: { RCLONE_CONFIG: remote.configFile, RCLONE_REMOTE: remote.name, RCLONE_PATH: remote.freshPath() } })
  })
  afterAll(() => remote?.close())

  it('takes the repository, and a second sync has nothing to do', async () => {
    const first = await world.sync('--allow-new-remote')
    expect(first.exitCode, JSON.stringify(first.result.problems)).toBe(0)
    expect(first.result).toMatchObject({ status: 'ok', verified: true })
    const second = await world.sync()
    expect([second.exitCode, second.result.uploaded.files]).toEqual([0, 0])
  })

  it('gives it back byte for byte, proven sound', async () => {
    const target = join(world.root, `back-${kind}`)
    const { exitCode, result } = await world.restore(target)
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    expect(result).toMatchObject({ status: 'ok', target, snapshots: 2, verification: { status: 'ok', corrupt: [] } })
    expect(contents(target)).toEqual(contents(world.repository))
    await world.check(target)
  })

  it('can be told to be sound by its files alone', async () => {
    const { exitCode, result } = await world.json<{ checked: number; corrupt: unknown[] }>(['verify', '--cloud'])
    expect([exitCode, result.corrupt]).toEqual([0, []])
    expect(result.checked).toBeGreaterThan(4)
  })

  it('loses a forgotten snapshot, and is complete', async () => {
    const extra = await world.restic('backup', '--host', 'testhost', '--tag', 'stackbk,stack:web', join(world.stacks, 'web'), '--json')
    const id = (JSON.parse(extra.trim().split('\n').at(-1) ?? '') as { snapshot_id: string }).snapshot_id
    expect((await world.sync()).exitCode).toBe(0)
    expect((await world.run(['snapshots', 'forget', id, '--yes'])).exitCode).toBe(0)
    const { exitCode, result } = await world.sync()
    expect([exitCode, result.deleted.snapshots, result.verified]).toEqual([0, 1, true])
  })

  it('shows no password of it in the log', () => {
    if (remote.password !== '') expect(readFileSync(join(world.state, 'stackbk.log'), 'utf8')).not.toContain(remote.password)
  })
})

function contents(repository: string): Record<string, string> {
  const files = (readdirSync(repository, { recursive: true }) as string[]).filter((file) => /^(config|(data|index|keys|snapshots)\/.*[0-9a-f]{64})$/.test(file))
  return Object.fromEntries(files.sort().map((file) => [file, readFileSync(join(repository, file)).toString('base64')]))
}
