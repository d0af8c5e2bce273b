import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { SettingValues } from '@stackbk/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { freePort, startMuteServer } from '../../../test/fixtures/remotes.js'
import { startSshServer, type SshServer } from '../../../test/fixtures/ssh-server.js'
import { recordingExec, temporaryFolder, transportWith } from './transport.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let server: SshServer
let values: SettingValues
beforeAll(async () => {
  folder = await temporaryFolder()
  server = await startSshServer()
  values = server.settings(server.freshFolder())
})
afterAll(async () => {
  await server?.close()
  await folder?.remove()
})

async function timed<T>(work: Promise<T>): Promise<{ readonly answer: T; readonly ms: number }> {
  const start = performance.now()
  const answer = await work
  return { answer, ms: performance.now() - start }
}

function keyPair(name: string): string {
  const path = join(folder.path, name)
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path])
  return path
}

describe('is unreachable until somebody mends it, and never an empty list', () => {
  test('a server with another host key than the one that is known', async () => {
    const other = await readFile(`${keyPair('other-host')}.pub`, 'utf8')
    const knownHosts = join(folder.path, 'changed')
    await writeFile(knownHosts, `[127.0.0.1]:${server.port} ${other}`)
    const transport = await transportWith({ ...values, KNOWN_HOSTS: knownHosts })
    const refused = { ok: false, failure: { kind: 'remote-unreachable', transient: false, message: expect.stringContaining('host key') as string } }
    expect(await transport.probe({ timeoutMs: 10_000 })).toMatchObject(refused)
    expect(await transport.list('')).toMatchObject(refused)
  })

  test('a server that is not known at all: nobody is asked', async () => {
    const knownHosts = join(folder.path, 'empty')
    await writeFile(knownHosts, '')
    const transport = await transportWith({ ...values, KNOWN_HOSTS: knownHosts })
    expect(await transport.probe({ timeoutMs: 10_000 })).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable', transient: false, fix: expect.stringContaining('ssh-keyscan') as string } })
    expect(await readFile(knownHosts, 'utf8')).toBe('')
  })

  test('a server that does not let this key in: no password is asked for', async () => {
    const transport = await transportWith({ ...values, IDENTITY_FILE: keyPair('stranger') })
    const { answer, ms } = await timed(transport.probe({ timeoutMs: 20_000 }))
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable', transient: false, fix: expect.stringContaining('authorized_keys') as string } })
    expect(ms).toBeLessThan(15_000)
    expect(await transport.list('data')).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable' } })
  })
})

test('a private key that others may read is refused before anything is touched: SSH would only pass over it', async () => {
  const open = keyPair('open')
  execFileSync('chmod', ['644', open])
  expect(await (await transportWith({ ...values, IDENTITY_FILE: open })).ready()).toMatchObject({ ok: false, failure: { kind: 'configuration', fix: expect.stringContaining('chmod 600') as string } })
})

describe('is unreachable, and may be reached later', () => {
  test('a port where nobody listens, at once', async () => {
    const transport = await transportWith({ ...values, PORT: await freePort() })
    const refused = { ok: false, failure: { kind: 'remote-unreachable', transient: true } }
    expect(await transport.probe({ timeoutMs: 10_000 })).toMatchObject(refused)
    expect(await transport.read('config')).toMatchObject(refused)
    expect(await transport.remove(['config'])).toMatchObject(refused)
    expect(await transport.space()).toMatchObject(refused)
  })

  test('a server that accepts and never says a word, when the limit is over', async () => {
    const mute = await startMuteServer()
    try {
      const { answer, ms } = await timed((await transportWith({ ...values, PORT: mute.port })).probe({ timeoutMs: 1500 }))
      expect(answer).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable', transient: true } })
      expect(ms).toBeLessThan(4000)
    } finally {
      await mute.close()
    }
  })

  test('a host that nobody knows', async () => {
    expect(await (await transportWith({ ...values, HOST: 'nohost.invalid' })).probe({ timeoutMs: 10_000 })).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable', transient: true } })
  })
})

test('SSH is never let ask for anything, whatever is called', async () => {
  const exec = recordingExec()
  const transport = await transportWith(values, { exec })
  await writeFile(join(folder.path, 'one'), '1')
  await transport.probe({ timeoutMs: 10_000 })
  await transport.upload({ files: ['one'], localRoot: folder.path, whenSameSize: 'keep' })
  await transport.read('one')
  await transport.remove(['one'])
  await transport.space()
  const calls = exec.requests.map(({ args }) => args.join(' '))
  expect(calls.length).toBeGreaterThan(5)
  for (const call of calls) expect(call).toMatch(/BatchMode=yes.*StrictHostKeyChecking=yes/)
})
