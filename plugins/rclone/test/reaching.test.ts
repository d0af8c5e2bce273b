import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Transport } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { freePort, rcloneConfig, startMuteServer, startRemote, type RemoteKind, type TestRemote } from '../../../test/fixtures/remotes.js'
import { temporaryFolder, transportWith } from './transport.js'

const servers: readonly Exclude<RemoteKind, 'folder'>[] = ['sftp', 'webdav', 's3']

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let configurations = 0
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(async () => {
  await folder.remove()
})

/** A transport to a remote that this configuration describes. */
async function transportTo(section: string, name = 'cloud'): Promise<Transport> {
  const configFile = join(folder.path, `rclone-${++configurations}.conf`)
  await writeFile(configFile, section, { mode: 0o600 })
  return transportWith({ RCLONE_REMOTE: name, RCLONE_CONFIG: configFile })
}

async function timed<T>(work: Promise<T>): Promise<{ readonly answer: T; readonly ms: number }> {
  const start = performance.now()
  const answer = await work
  return { answer, ms: performance.now() - start }
}

describe.each(servers)('%s', (kind) => {
  test('a port where nobody listens is unreachable at once, and may be there later', async () => {
    const transport = await transportTo(rcloneConfig('cloud', { kind, port: await freePort(), password: 'secret' }))
    const { answer, ms } = await timed(transport.probe({ timeoutMs: 10_000 }))
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable', transient: true } })
    expect(ms).toBeLessThan(8000)
    expect(await transport.list('')).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable', transient: true } })
    expect(await transport.read('config')).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable' } })
    expect(await transport.remove(['config'])).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable' } })
  })

  test('a server that accepts and never answers is unreachable when the limit is over', async () => {
    const server = await startMuteServer()
    try {
      const transport = await transportTo(rcloneConfig('cloud', { kind, port: server.port, password: 'secret' }))
      const { answer, ms } = await timed(transport.probe({ timeoutMs: 1500 }))
      expect(answer).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable', transient: true } })
      expect(ms).toBeLessThan(3500)
    } finally {
      await server.close()
    }
  })
})

describe.each(['sftp', 'webdav'] as const)('%s with a wrong password', (kind) => {
  let remote: TestRemote
  beforeAll(async () => {
    remote = await startRemote(kind)
  })
  afterAll(async () => {
    await remote.close()
  })

  test('is unreachable until somebody mends it, and never an empty list', async () => {
    const transport = await transportTo(rcloneConfig('cloud', { kind, port: remote.port ?? 0, password: 'wrong' }))
    const refused = { ok: false, failure: { kind: 'remote-unreachable', transient: false, fix: expect.stringContaining('credentials of cloud') as string } }
    expect(await transport.probe({ timeoutMs: 10_000 })).toMatchObject(refused)
    expect(await transport.list('')).toMatchObject(refused)
    expect(await transport.list('data')).toMatchObject(refused)
  })
})

test('a host that nobody knows is unreachable, and may be known later', async () => {
  const transport = await transportTo('[cloud]\ntype = webdav\nurl = http://nohost.invalid\n')
  expect(await transport.probe({ timeoutMs: 10_000 })).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable', transient: true } })
})

test('doctor says why a remote cannot be reached, in the words of rclone', async () => {
  const transport = await transportTo('[cloud]\ntype = webdav\nurl = http://nohost.invalid\n')
  expect((await transport.examine()).at(-1)).toMatchObject({ id: 'rclone.connection', status: 'failed', found: expect.stringMatching(/^reaching cloud:.* failed.*: .*nohost\.invalid/) as string })
})

test('a name that rclone does not know is refused with the nearest one that it does', async () => {
  const transport = await transportTo('[cloud]\ntype = local\n[backup]\ntype = local\n', 'clud')
  expect(await transport.ready()).toMatchObject({ ok: false, failure: { kind: 'configuration', message: 'there is no rclone remote named clud', fix: 'Did you mean cloud? The remotes are: backup, cloud' } })
  expect(await transport.examine()).toMatchObject([{ id: 'rclone.version', status: 'ok' }, { id: 'rclone.remote', status: 'failed' }])
})

test('a remote from the environment is known', async () => {
  const exec = createExec({ environment: { RCLONE_CONFIG_AIRY_TYPE: 'local' } })
  expect(await (await transportWith({ RCLONE_REMOTE: 'airy' }, { exec })).ready()).toMatchObject({ ok: true })
})

test('a configuration file that is not there is refused, and not taken for an empty one', async () => {
  const transport = await transportWith({ RCLONE_REMOTE: 'cloud', RCLONE_CONFIG: join(folder.path, 'nowhere.conf') })
  expect(await transport.ready()).toMatchObject({ ok: false, failure: { kind: 'configuration', message: expect.stringContaining('nowhere.conf') as string } })
})

test('an encrypted or broken configuration is refused without asking for a password', async () => {
  for (const text of ['# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n', 'broken[\n']) {
    const { answer, ms } = await timed((await transportTo(text)).ready())
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'configuration' } })
    expect(ms).toBeLessThan(5000)
  }
})

test('a bandwidth that is none is refused before anything is touched, and a timetable is taken', async () => {
  const configFile = join(folder.path, 'bandwidth.conf')
  await writeFile(configFile, '[cloud]\ntype = local\n', { mode: 0o600 })
  const values = { RCLONE_REMOTE: 'cloud', RCLONE_CONFIG: configFile }
  expect(await (await transportWith({ ...values, BANDWIDTH: 'quick' })).ready()).toMatchObject({ ok: false, failure: { kind: 'configuration', fix: expect.stringContaining('BANDWIDTH') as string } })
  for (const BANDWIDTH of ['10M', '08:00,512k 12:00,10M 23:00,off', '1M:100k', 'off']) {
    expect(await (await transportWith({ ...values, BANDWIDTH })).ready()).toMatchObject({ ok: true })
  }
})

test('an rclone that is not there, or too old, is told apart', async () => {
  const bin = join(folder.path, 'bin')
  const exec = createExec({ environment: { PATH: bin } })
  const transport = await transportWith({ RCLONE_REMOTE: 'cloud' }, { exec })
  expect(await transport.ready()).toMatchObject({ ok: false, failure: { kind: 'tool-missing' } })
  expect(await transport.examine()).toMatchObject([{ id: 'rclone.version', status: 'failed', found: 'no program rclone in PATH', isToolTrouble: true }])

  const { mkdir } = await import('node:fs/promises')
  await mkdir(bin)
  await writeFile(join(bin, 'rclone'), '#!/bin/sh\necho "rclone v1.59.2"\n')
  await chmod(join(bin, 'rclone'), 0o755)
  expect(await transport.ready()).toMatchObject({ ok: false, failure: { kind: 'tool-too-old', message: 'rclone 1.59.2 is too old: 1.60 is needed' } })

  await writeFile(join(bin, 'rclone'), '#!/bin/sh\nexit 3\n')
  expect(await transport.ready()).toMatchObject({ ok: false, failure: { kind: 'tool-not-answering' } })
})

test('it names the remotes of its configuration, whichever of them is used', async () => {
  const transport = await transportTo('[one]\ntype = alias\nremote = /tmp\n\n[my other]\ntype = local\n', 'nosuch')
  expect(await transport.remotes?.()).toEqual({ ok: true, value: ['my other', 'one'] })
})
