import { existsSync } from 'node:fs'
import { chmod, lstat, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { RunningTool, SettingValues } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { startProxy } from '../../../test/fixtures/remotes.js'
import { isThorough } from '../../../test/fixtures/sampled.js'
import { canMakeDisks, makeSmallDisk } from '../../../test/fixtures/small-disk.js'
import { startSshServer, type SshServer } from '../../../test/fixtures/ssh-server.js'
import { recordingExec, temporaryFolder, transportWith, valueOf, watchedExec } from './transport.js'

const bigFile = 12 * 1024 * 1024
/** Slow enough to be cut in the middle of the big file. */
const slow = '3M'

let server: SshServer
beforeAll(async () => {
  server = await startSshServer()
})
afterAll(async () => {
  await server?.close()
})

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let values: SettingValues
/** Where the copy lies on this host. */
let place: string
beforeEach(async () => {
  folder = await temporaryFolder()
  place = server.freshFolder()
  values = server.settings(place)
})
afterEach(async () => {
  await folder.remove()
})

/** As a power cut would: nothing is put away. */
function kill(tool: RunningTool): void {
  if (tool.process !== null) process.kill(-tool.process.pid, 'SIGKILL')
}

/** The server's half of rsync puts its half file away when it notices that the other half has gone. */
async function untilHalvesAreGone(path: string): Promise<string[]> {
  for (const end = Date.now() + 10_000; ; ) {
    const names = existsSync(path) ? await readdir(path) : []
    if (!names.some((name) => name.startsWith('.')) || Date.now() > end) return names
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

describe('a transfer that is cut', () => {
  test('on its way up leaves the old file and no half, and is mended by the next', async () => {
    const quick = await transportWith(values)
    await writeFile(join(folder.path, 'big'), 'old')
    const request = { files: ['big'], localRoot: folder.path, whenSameSize: 'replace' } as const
    expect(await quick.upload(request)).toMatchObject({ ok: true })
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const exec = watchedExec()
    const transport = await transportWith({ ...values, BANDWIDTH: slow }, { exec })
    const seen: number[] = []
    const answer = await transport.upload({ ...request, onProgress: ({ bytesDone = 0 }) => seen.push(bytesDone) && bytesDone > 0 && bytesDone < bigFile && kill(exec.last()) })
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'transfer-failed', transient: true } })
    expect(seen.at(-1)).toBeLessThan(bigFile)
    expect(await untilHalvesAreGone(place)).toEqual(['big'])
    expect(valueOf(await quick.list('')).map(({ size }) => size)).toEqual(['old'.length])
    expect(await quick.upload({ ...request, whenSameSize: 'keep' })).toMatchObject({ ok: true, value: { files: 1, bytes: bigFile } })
  })

  test('on its way down leaves nothing under the name, and the next leaves nothing else', async () => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const quick = await transportWith(values)
    expect(await quick.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'replace' })).toMatchObject({ ok: true })
    const target = join(folder.path, 'target')
    const exec = watchedExec()
    const transport = await transportWith({ ...values, BANDWIDTH: slow }, { exec })
    const request = { files: ['big'], localRoot: target, whenSameSize: 'keep' } as const
    const answer = await transport.download({ ...request, onProgress: ({ bytesDone = 0 }) => bytesDone > 0 && kill(exec.last()) })
    expect(answer).toMatchObject({ ok: false, failure: { transient: true } })
    expect((await readdir(target)).every((name) => name.startsWith('.big.'))).toBe(true)
    expect(await quick.download(request)).toMatchObject({ ok: true, value: { files: 1, bytes: bigFile } })
    expect(await readdir(target)).toEqual(['big'])
  })

  test('by its caller ends rsync and ssh', async () => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const exec = watchedExec()
    const transport = await transportWith({ ...values, BANDWIDTH: slow }, { exec })
    const controller = new AbortController()
    const answer = await transport.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'keep', signal: controller.signal, onProgress: () => controller.abort() })
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'cancelled' } })
    expect(() => process.kill(-(exec.last().process?.pid ?? 0), 0)).toThrow('ESRCH')
  })

  test.each([
    ['that goes dead comes to a standstill', 'stalled', (proxy: { freeze(): void }): void => proxy.freeze()],
    ['that breaks has failed', 'transfer-failed', (proxy: { trouble(trouble: { is: 'dies'; afterBytes: number }): void; }): void => proxy.trouble({ is: 'dies', afterBytes: 0 })],
  ] as const)('by a line %s, and may be tried again', async (_, kind, cut) => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const proxy = await startProxy(server.port)
    try {
      const knownHosts = join(folder.path, 'known_hosts')
      await writeFile(knownHosts, (await readFile(server.knownHosts, 'utf8')).replace(String(server.port), String(proxy.port)))
      const transport = await transportWith({ ...values, PORT: proxy.port, KNOWN_HOSTS: knownHosts, BANDWIDTH: slow })
      let isCut = false
      const answer = await transport.upload({
        files: ['big'],
        localRoot: folder.path,
        whenSameSize: 'keep',
        stallTimeoutMs: 2500,
        onProgress: ({ bytesDone = 0 }) => {
          if (bytesDone > 0 && !isCut) cut(proxy)
          if (bytesDone > 0) isCut = true
        },
      })
      expect(answer).toMatchObject({ ok: false, failure: { kind, transient: true } })
    } finally {
      await proxy.close()
    }
  })

  test('by its time limit is ended', async () => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const slowly = await transportWith({ ...values, BANDWIDTH: '100k' })
    expect(await slowly.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'keep', timeoutMs: 1500 })).toMatchObject({ ok: false, failure: { kind: 'timed-out' } })
  })
})

describe.runIf(canMakeDisks)('a server without room', () => {
  test('takes what fits and says so; a half file of the rest is not there', async () => {
    const disk = await makeSmallDisk({ path: join(server.folder, 'small'), bytes: 24 * 1024 * 1024, kind: 'ext4' })
    try {
      disk.fill()
      await writeFile(join(folder.path, 'big'), new Uint8Array(2_000_000).fill(7))
      const transport = await transportWith({ ...values, FOLDER: join(disk.path, 'copy') })
      const request = { files: ['big'], localRoot: folder.path, whenSameSize: 'keep' } as const
      expect(await transport.upload(request)).toMatchObject({ ok: false, failure: { kind: 'transfer-failed', transient: false, message: expect.stringContaining('no room') as string, toolOutput: expect.stringContaining('No space left') as string } })
      expect(valueOf(await transport.list(''))).toEqual([])
      disk.drain()
      expect(await transport.upload(request)).toMatchObject({ ok: true })
    } finally {
      await disk.remove()
    }
  })
})

const count = isThorough ? 10_000 : 1_500

describe('many files', () => {
  test(`${count} are listed, moved aside and removed in one call each, whatever their names`, async () => {
    const names = Array.from({ length: count }, (_, index) => `data/${String(index % 256)}/${String(index)} ${'n'.repeat(60)}`)
    for (let start = 0; start < 256; start++) await mkdir(join(place, 'data', String(start)), { recursive: true })
    for (let start = 0; start < names.length; start += 500) await Promise.all(names.slice(start, start + 500).map((name) => writeFile(join(place, name), '')))
    const exec = recordingExec()
    const transport = await transportWith(values, { exec })
    expect(valueOf(await transport.list('')).map(({ path }) => path).toSorted()).toEqual(names.toSorted())
    expect(await transport.moveAll?.(names, { from: '', to: 'trash/today' })).toMatchObject({ ok: true })
    expect(await transport.remove(names.map((name) => `trash/today/${name}`))).toMatchObject({ ok: true })
    expect(exec.requests.length).toBe(3)
    expect(valueOf(await transport.list(''))).toEqual([])
  })

  test('are moved by renaming them there: nothing is sent', async () => {
    await writeFile(join(folder.path, 'one'), new Uint8Array(1_000_000))
    const transport = await transportWith(values)
    expect(await transport.upload({ files: ['one'], localRoot: folder.path, whenSameSize: 'keep' })).toMatchObject({ ok: true })
    const { ino } = await stat(join(place, 'one'))
    expect(await transport.move('one', 'trash/2026-01-01/one')).toMatchObject({ ok: true })
    expect((await stat(join(place, 'trash/2026-01-01/one'))).ino).toBe(ino)
  })
})

test('a folder there that is a link to another disk stays one: followed by older versions, refused by newer ones', async () => {
  const elsewhere = join(server.folder, 'another disk')
  await mkdir(join(elsewhere, 'data'), { recursive: true })
  await mkdir(place, { recursive: true })
  await symlink(join(elsewhere, 'data'), join(place, 'data'))
  await mkdir(join(folder.path, 'data/00'), { recursive: true })
  await writeFile(join(folder.path, 'data/00/one'), '1')
  const transport = await transportWith(values)
  const answer = await transport.upload({ files: ['data/00/one'], localRoot: folder.path, whenSameSize: 'keep' })
  expect((await lstat(join(place, 'data'))).isSymbolicLink()).toBe(true)
  if (answer.ok) expect(existsSync(join(elsewhere, 'data/00/one'))).toBe(true)
  else expect(answer.failure).toMatchObject({ kind: 'configuration', transient: false, message: expect.stringContaining('symbolic link') as string })
})

test('variables for rsync in the environment change nothing of what is done', async () => {
  const exec = createExec({ environment: { RSYNC_RSH: 'false', RSYNC_ICONV: 'utf8,latin1', RSYNC_PROTECT_ARGS: '1', RSYNC_OLD_ARGS: '1', RSYNC_PARTIAL_DIR: '.half', LC_ALL: 'de_DE.UTF-8', TZ: 'Asia/Tokyo' } })
  const transport = await transportWith(values, { exec })
  await writeFile(join(folder.path, 'ü one'), '1')
  expect(await transport.upload({ files: ['ü one'], localRoot: folder.path, whenSameSize: 'keep' })).toEqual({ ok: true, value: { files: 1, bytes: 1 } })
  const [file] = valueOf(await transport.list(''))
  expect(file?.path).toBe('ü one')
  expect(Math.abs(Date.now() - Date.parse(file?.modifiedAt ?? ''))).toBeLessThan(120_000)
})

test('a symbolic link is no file to upload', async () => {
  await writeFile(join(folder.path, 'one'), '1')
  await symlink('one', join(folder.path, 'link'))
  const transport = await transportWith(values)
  expect(await transport.upload({ files: ['one', 'link'], localRoot: folder.path, whenSameSize: 'keep' })).toMatchObject({ ok: false, failure: { kind: 'not-found', message: expect.stringContaining('link') as string } })
})

test('a dry run moves and removes nothing', async () => {
  await writeFile(join(folder.path, 'one'), '1')
  const request = { files: ['one'], localRoot: folder.path, whenSameSize: 'replace' } as const
  const exec = recordingExec()
  const dry = await transportWith(values, { exec, dryRun: true })
  for (const answer of [await dry.upload(request), await dry.download(request), await dry.move('one', 'two'), await dry.remove(['one'])]) expect(answer.ok).toBe(false)
  expect(exec.requests).toEqual([])
})

test('the space there is told where the user may ask for it', async () => {
  const { totalBytes, freeBytes } = valueOf(await (await transportWith(values)).space())
  expect(totalBytes ?? 0).toBeGreaterThan(freeBytes ?? 0)
  expect(freeBytes ?? 0).toBeGreaterThan(0)
})

test('a bare host needs the private key and the key of this server, and no other', async () => {
  const knownHosts = join(folder.path, 'known_hosts')
  const own = await readFile(server.knownHosts, 'utf8')
  await writeFile(knownHosts, `other.example ${own.split(' ').slice(1).join(' ')}${own}`)
  const transport = await transportWith({ ...values, KNOWN_HOSTS: knownHosts })
  const kept = valueOf((await transport.keepsakes?.()) ?? { ok: true, value: [] })
  expect(kept.map(({ setting }) => setting?.key)).toEqual(['IDENTITY_FILE', 'KNOWN_HOSTS'])
  expect(kept.map(({ content }) => content.reveal())).toEqual([await readFile(server.identityFile, 'utf8'), own])
})

describe('what is not there or does not fit', () => {
  test('is told apart before anything is touched', async () => {
    const bin = join(folder.path, 'bin')
    await mkdir(bin)
    const exec = createExec({ environment: { PATH: bin } })
    const transport = await transportWith(values, { exec })
    expect(await transport.ready()).toMatchObject({ ok: false, failure: { kind: 'tool-missing', message: expect.stringContaining('rsync') as string } })
    expect(await transport.examine()).toMatchObject([{ id: 'rsync.version', status: 'failed', isToolTrouble: true }, { id: 'rsync.ssh', status: 'failed', isToolTrouble: true }])
    await writeFile(join(bin, 'rsync'), '#!/bin/sh\necho "rsync  version 3.2.3  protocol version 31"\n')
    await chmod(join(bin, 'rsync'), 0o755)
    expect(await transport.ready()).toMatchObject({ ok: false, failure: { kind: 'tool-too-old', message: 'rsync 3.2.3 is too old: 3.2.4 is needed' } })
    await writeFile(join(bin, 'rsync'), '#!/bin/sh\necho "rsync  version v3.10.0  protocol version 33"\n')
    expect(await transport.ready()).toMatchObject({ ok: false, failure: { kind: 'tool-missing', message: expect.stringContaining('ssh') as string } })
  })

  test('in the configuration is named with its key', async () => {
    for (const [changes, key] of [[{ HOST: null }, 'HOST'], [{ FOLDER: 'relative' }, 'FOLDER'], [{ IDENTITY_FILE: '/nowhere' }, 'IDENTITY_FILE'], [{ KNOWN_HOSTS: '/nowhere' }, 'KNOWN_HOSTS'], [{ BANDWIDTH: 'quick' }, 'BANDWIDTH']] as const) {
      expect(await (await transportWith({ ...values, ...changes })).ready()).toMatchObject({ ok: false, failure: { kind: 'configuration', message: expect.stringContaining(key) as string } })
    }
  })

  test('on the server is said so: no rsync, a file in the place of the folder', async () => {
    expect(await (await transportWith({ ...values, RSYNC_PATH: '/nowhere/rsync' })).probe({ timeoutMs: 10_000 })).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable', transient: false, fix: expect.stringContaining('RSYNC_PATH') as string } })
    await mkdir(join(place, '..'), { recursive: true })
    await writeFile(place, 'a file')
    expect(await (await transportWith(values)).list('')).toMatchObject({ ok: false, failure: { kind: 'configuration', fix: expect.stringContaining('FOLDER') as string } })
    await rename(place, `${place}-aside`)
  })
})
