import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Exec, RunningTool, SettingValues, Transport } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { rcloneConfig, remoteKinds, startProxy, startRemote, type TestRemote } from '../../../test/fixtures/remotes.js'
import { recordingExec, temporaryFolder, transportWith } from './transport.js'

const bigFile = 12 * 1024 * 1024
/** Slow enough to be cut in the middle of the big file. */
const slow = '3M'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await folder.remove()
})

/** The real runner, and the last tool that it started. */
function watchedExec(): Exec & { readonly last: () => RunningTool } {
  const exec = createExec()
  let last: RunningTool | null = null
  return {
    run: (request) => exec.run(request),
    start: (request) => (last = exec.start(request)),
    last: () => {
      if (last === null) throw new Error('nothing was started')
      return last
    },
  }
}

describe.each(remoteKinds)('over %s', (kind) => {
  let remote: TestRemote
  beforeAll(async () => {
    remote = await startRemote(kind)
  })
  afterAll(async () => {
    await remote.close()
  })

  const settings = (): SettingValues => ({ RCLONE_REMOTE: remote.name, RCLONE_CONFIG: remote.configFile, RCLONE_PATH: remote.freshPath() })

  test('an upload that is cut leaves the old file, except where the traits warn of it', async () => {
    const values = settings()
    const quick = await transportWith(values)
    await writeFile(join(folder.path, 'big'), 'old')
    expect(await quick.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'replace' })).toMatchObject({ ok: true })

    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const exec = watchedExec()
    const transport = await transportWith({ ...values, BANDWIDTH: slow }, { exec })
    const answer = await transport.upload({
      files: ['big'],
      localRoot: folder.path,
      whenSameSize: 'replace',
      onProgress: ({ bytesDone = 0 }) => bytesDone > 0 && kill(exec.last()),
    })
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'transfer-failed', transient: true } })

    const { appearsWhole } = valueOf(await quick.traits())
    expect(appearsWhole).toBe(kind !== 'webdav')
    const found = valueOf(await quick.list('')).find(({ path }) => path === 'big')
    if (appearsWhole) expect(found?.size).toBe('old'.length)
    else expect(found?.size).not.toBe('old'.length)

    // The next run mends it either way.
    expect(await quick.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'keep' })).toMatchObject({ ok: true, value: { files: 1, bytes: bigFile } })
    expect(valueOf(await quick.list('')).find(({ path }) => path === 'big')?.size).toBe(bigFile)
  })

  test('a download that is cut leaves nothing under the name of the file', async () => {
    const values = settings()
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const quick = await transportWith(values)
    expect(await quick.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'replace' })).toMatchObject({ ok: true })

    const target = join(folder.path, 'target')
    const exec = watchedExec()
    const transport = await transportWith({ ...values, BANDWIDTH: slow }, { exec })
    const request = { files: ['big'], localRoot: target, whenSameSize: 'keep' } as const
    const answer = await transport.download({ ...request, onProgress: ({ bytesDone = 0 }) => bytesDone > 0 && kill(exec.last()) })
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'transfer-failed', transient: true } })
    expect(existsSync(join(target, 'big'))).toBe(false)

    expect(await quick.download(request)).toMatchObject({ ok: true, value: { files: 1, bytes: bigFile } })
    expect((await stat(join(target, 'big'))).mode & 0o777 & ~process.umask()).toBe(0o666 & ~process.umask())
  })

  test('an upload that is cancelled ends rclone', async () => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const exec = watchedExec()
    const transport = await transportWith({ ...settings(), BANDWIDTH: slow }, { exec })
    const controller = new AbortController()
    const answer = await transport.upload({
      files: ['big'],
      localRoot: folder.path,
      whenSameSize: 'keep',
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'cancelled' } })
    expect(existsSync(`/proc/${exec.last().process?.pid ?? 'none'}`)).toBe(false)
  })

  test('no secret stands on a command line, in an answer or in the location', async () => {
    await writeFile(join(folder.path, 'one'), 'content')
    const exec = recordingExec()
    const transport = await transportWith(settings(), { exec })
    const answers = [
      await transport.ready(),
      await transport.examine(),
      await transport.probe({ timeoutMs: 10_000 }),
      await transport.traits(),
      await transport.upload({ files: ['one'], localRoot: folder.path, whenSameSize: 'keep' }),
      await transport.list(''),
      await transport.read('one'),
      await transport.move('one', 'two'),
      await transport.remove(['two']),
      await transport.space(),
    ]
    const configured = /^(?:pass|secret_access_key) = (.*)$/m.exec(await readFile(remote.configFile, 'utf8'))?.[1]
    const shown = [JSON.stringify(exec.requests.map(({ file, args }) => [file, args])), JSON.stringify(answers), transport.location].join('\n')
    expect(exec.requests.length).toBeGreaterThan(10)
    for (const secret of [remote.password, configured]) if (secret !== undefined && secret !== '') expect(shown).not.toContain(secret)
  })
})

describe.each(['sftp', 'webdav'] as const)('over %s behind a line that goes dead', (kind) => {
  let remote: TestRemote
  beforeAll(async () => {
    remote = await startRemote(kind)
  })
  afterAll(async () => {
    await remote.close()
  })

  test('an upload comes to a standstill, is ended, and may be tried again', async () => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const proxy = await startProxy(remote.port ?? 0)
    try {
      const configFile = join(folder.path, 'rclone.conf')
      await writeFile(configFile, rcloneConfig('cloud', { kind, port: proxy.port, password: remote.password }), { mode: 0o600 })
      const transport = await transportWith({ RCLONE_REMOTE: 'cloud', RCLONE_CONFIG: configFile, RCLONE_PATH: remote.freshPath(), BANDWIDTH: slow })
      const answer = await transport.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'keep', stallTimeoutMs: 2500, onProgress: () => proxy.freeze() })
      expect(answer).toMatchObject({ ok: false, failure: { kind: 'stalled', transient: true } })
    } finally {
      await proxy.close()
    }
  })
})

describe('over a folder', () => {
  let remote: TestRemote
  let transport: Transport
  let values: SettingValues
  beforeAll(async () => {
    remote = await startRemote('folder')
  })
  afterAll(async () => {
    await remote.close()
  })
  beforeEach(async () => {
    values = { RCLONE_REMOTE: remote.name, RCLONE_CONFIG: remote.configFile, RCLONE_PATH: remote.freshPath() }
    transport = await transportWith(values)
  })

  test('a call that takes longer than its limit is ended', async () => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const slowly = await transportWith({ ...values, BANDWIDTH: '100k' })
    expect(await slowly.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'keep', timeoutMs: 1500 })).toMatchObject({ ok: false, failure: { kind: 'timed-out' } })
  })

  test('a symbolic link is no file to upload: rclone would pass over it in silence', async () => {
    await writeFile(join(folder.path, 'one'), '1')
    await symlink('one', join(folder.path, 'link'))
    expect(await transport.upload({ files: ['one', 'link'], localRoot: folder.path, whenSameSize: 'keep' })).toMatchObject({ ok: false, failure: { kind: 'not-found', message: expect.stringContaining('link') as string } })
    expect(await transport.list('')).toEqual({ ok: true, value: [] })
  })

  test("flags of rclone's in the environment change nothing of what is done", async () => {
    const logFile = join(folder.path, 'rclone.log')
    const exec = recordingExec({
      RCLONE_DRY_RUN: 'true',
      RCLONE_EXCLUDE: '*',
      RCLONE_MAX_SIZE: '1',
      RCLONE_IGNORE_EXISTING: 'true',
      RCLONE_IMMUTABLE: 'true',
      RCLONE_LOG_FILE: logFile,
      RCLONE_VERBOSE: '2',
      RCLONE_MAX_DEPTH: '1',
      RCLONE_SUFFIX: '.old',
      RCLONE_FILES_FROM: '/dev/null',
      RCLONE_INPLACE: 'true',
      RCLONE_OFFSET: '3',
    })
    const odd = await transportWith(values, { exec })
    await mkdir(join(folder.path, 'data'))
    for (const content of ['first', 'again']) {
      await writeFile(join(folder.path, 'data', 'one'), content)
      expect(await odd.upload({ files: ['data/one'], localRoot: folder.path, whenSameSize: 'replace' })).toEqual({ ok: true, value: { files: 1, bytes: 5 } })
      expect(Buffer.from(valueOf(await odd.read('data/one'))).toString()).toBe(content)
    }
    expect(valueOf(await odd.list('')).map(({ path }) => path)).toEqual(['data/one'])
    expect(await odd.remove(['data/one'])).toMatchObject({ ok: true })
    expect(valueOf(await odd.list(''))).toEqual([])
    expect(existsSync(logFile)).toBe(false)
  })

  test('a dry run moves and removes nothing', async () => {
    await writeFile(join(folder.path, 'one'), '1')
    const request = { files: ['one'], localRoot: folder.path, whenSameSize: 'replace' } as const
    expect(await transport.upload(request)).toMatchObject({ ok: true })
    const dry = await transportWith(values, { dryRun: true })
    for (const answer of [await dry.upload(request), await dry.download(request), await dry.move('one', 'two'), await dry.remove(['one'])]) expect(answer.ok).toBe(false)
    expect(valueOf(await dry.list('')).map(({ path }) => path)).toEqual(['one'])
  })

  test('a file that rclone cannot write is a failure that names no success', async () => {
    await writeFile(join(folder.path, 'one'), '1')
    const place = join(remote.folder ?? '', String(values['RCLONE_PATH']))
    await mkdir(join(place, 'one', 'in the way'), { recursive: true })
    expect(await transport.upload({ files: ['one'], localRoot: folder.path, whenSameSize: 'replace' })).toMatchObject({ ok: false })
    expect(await readdir(join(place, 'one'))).toEqual(['in the way'])
  })

  test('a list of forty thousand long names comes as a whole, in one call', async () => {
    const place = join(remote.folder ?? '', String(values['RCLONE_PATH']), 'data')
    await mkdir(place, { recursive: true })
    const names = Array.from({ length: 40_000 }, (_, index) => `${String(index).padStart(5, '0')}-${'n'.repeat(200)}`)
    for (let start = 0; start < names.length; start += 500) await Promise.all(names.slice(start, start + 500).map((name) => writeFile(join(place, name), '')))
    const exec = recordingExec()
    const files = valueOf(await (await transportWith(values, { exec })).list('data'))
    expect(files.length).toBe(names.length)
    expect(files[0]?.path).toBe(`data/${names[0] ?? ''}`)
    expect(exec.requests.length).toBe(1)
    expect(await transport.remove(names.map((name) => `data/${name}`))).toMatchObject({ ok: true })
    expect(valueOf(await transport.list(''))).toEqual([])
  })
})

/** As a power cut would: nothing is put away. */
function kill(tool: RunningTool): void {
  if (tool.process !== null) process.kill(-tool.process.pid, 'SIGKILL')
}

function valueOf<T>(answer: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: unknown }): T {
  if (!answer.ok) throw new Error(JSON.stringify(answer.failure))
  return answer.value
}
