import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { linkPlugin } from '../fixtures/linked-plugin.js'
import { isThorough } from '../fixtures/sampled.js'
import { startBucket, type TestBucket } from '../fixtures/s3-bucket.js'
import { startSshServer, type SshServer } from '../fixtures/ssh-server.js'
import { makeWorld, oneService, type World } from '../fixtures/world.js'

/** The transports that are not bundled, as a user has them: linked into a data folder, chosen by the configuration. */
let world: World
let server: SshServer
let bucket: TestBucket

beforeAll(async () => {
  world = await makeWorld({ network: 'host', settings: { local_backup: { ENABLE_VERIFICATION: false }, cloud_sync: { RCLONE_REMOTE: null, RCLONE_PATH: null, RCLONE_CONFIG: null } } })
  ;[server, bucket] = await Promise.all([startSshServer('rrsync'), startBucket()])
  await linkPlugin(world, 'rsync')
  await linkPlugin(world, 's3')
  const web = await world.stack('web', { model: oneService, isUp: false })
  web.write('data/blob', randomBytes(1_500_000))
  expect((await world.backup()).exitCode).toBe(0)
})
afterAll(async () => {
  await server?.close()
  await bucket?.close()
  await world?.remove()
})

const remotes = [
  { id: 'rsync', settings: () => ({ 'plugin:rsync': server.settings(server.freshFolder()) }), location: () => `${server.user}@${server.host}:/share`, secrets: () => [readFileSync(server.identityFile, 'utf8').split('\n')[1] ?? ''] },
  { id: 's3', settings: () => ({ 'plugin:s3': bucket.settings(bucket.freshPrefix()) }), location: () => `s3:${bucket.bucket}/folder`, secrets: () => [bucket.secret] },
] as const

describe.each(remotes)('the copy by $id', ({ id, settings, location, secrets }) => {
  beforeAll(() => {
    world.configure({ cloud_sync: { PROVIDER: id }, ...settings() })
  })

  it('is looked at by doctor, by the name of its place', async () => {
    const { result } = await world.json<{ checks: { id: string; status: string; found: string }[] }>(['doctor'])
    const own = result.checks.filter((check) => check.id.startsWith(`${id}.`))
    expect(own.map(({ status }) => status)).toEqual(own.map(() => 'ok'))
    expect(own.find((check) => check.id === `${id}.configuration`)?.found).toContain(location())
  })

  it('takes the repository, and a second sync has nothing to do', async () => {
    const first = await world.sync('--allow-new-remote')
    expect(first.exitCode, JSON.stringify(first.result)).toBe(0)
    expect(first.result).toMatchObject({ status: 'ok', verified: true, remote: expect.stringContaining(location()) as string })
    const second = await world.sync()
    expect([second.exitCode, second.result.uploaded.files]).toEqual([0, 0])
  })

  it('loses a forgotten snapshot into the trash, and is complete', async () => {
    const extra = await world.restic('backup', '--host', 'testhost', '--tag', 'stackbk,stack:web', join(world.stacks, 'web'), '--json')
    const snapshot = (JSON.parse(extra.trim().split('\n').at(-1) ?? '') as { snapshot_id: string }).snapshot_id
    expect((await world.sync()).exitCode).toBe(0)
    expect((await world.run(['snapshots', 'forget', snapshot, '--yes'])).exitCode).toBe(0)
    world.configure({ cloud_sync: { TRASH_DAYS: 3 } })
    const { exitCode, result } = await world.sync()
    world.configure({ cloud_sync: { TRASH_DAYS: null } })
    expect([exitCode, result.deleted.snapshots, result.verified]).toEqual([0, 1, true])
  })

  it('is told to be sound by its files alone, and brings back a repository that was lost', async () => {
    const before = contents(world.repository)
    const verified = await world.json<{ checked: number; corrupt: unknown[] }>(['verify', '--cloud'])
    expect([verified.exitCode, verified.result.corrupt]).toEqual([0, []])
    expect(verified.result.checked).toBeGreaterThan(4)

    rmSync(world.repository, { recursive: true })
    const { exitCode, result } = await world.restore()
    expect(exitCode, JSON.stringify(result)).toBe(0)
    expect(result).toMatchObject({ status: 'ok', target: world.repository, verification: { status: 'ok', corrupt: [] } })
    expect(contents(world.repository)).toEqual(before)
    await world.check()
  })

  it.runIf(id === 'rsync' || isThorough)('can be reached from a bare host with what is in the disaster kit', async () => {
    const [passphrase, kit] = [join(world.root, `passphrase-${id}`), join(world.root, `kit-${id}.age`)]
    writeFileSync(passphrase, 'a passphrase of the test\n', { mode: 0o600 })
    const written = await world.run(['kit', 'write', kit, '--passphrase-file', passphrase])
    expect(written.exitCode, written.stderr).toBe(0)
    const checked = await world.run(['kit', 'check', kit, '--passphrase-file', passphrase])
    expect(checked.exitCode, checked.stderr).toBe(0)
  })

  it('shows no secret in what it says and logs', async () => {
    const shown = [(await world.run(['config', 'show'])).stdout, readFileSync(join(world.state, 'stackbk.log'), 'utf8')].join('\n')
    for (const secret of secrets()) expect(shown).not.toContain(secret)
  })
})

function contents(repository: string): Record<string, string> {
  const files = (readdirSync(repository, { recursive: true }) as string[]).filter((file) => /^(config|(data|index|keys|snapshots)\/.*[0-9a-f]{64})$/.test(file))
  return Object.fromEntries(files.sort().map((file) => [file, readFileSync(join(repository, file)).toString('base64')]))
}
