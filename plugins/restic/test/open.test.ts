import { existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { Secret } from '@stackbk/contract'
import { afterEach, describe, expect, test, vi } from 'vitest'

import { bench, benchWithRepository, engineWith, kind, requestOf, snapshot, value } from './bench.js'
import { stoppedRestic } from './stopped-restic.js'
import { wrapRestic } from './wrapper.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

const none = { RESTIC_PASSWORD_FILE: null, RESTIC_PASSWORD_COMMAND: null, RESTIC_PASSWORD: null }

describe('the password', () => {
  test('may come from a file, a command, the configuration or the environment', async () => {
    const made = await benchWithRepository()
    const file = String(made.settings['RESTIC_PASSWORD_FILE'])
    for (const source of [
      { RESTIC_PASSWORD_FILE: file },
      { RESTIC_PASSWORD_COMMAND: `cat ${file}` },
      { RESTIC_PASSWORD: new Secret(made.password) },
    ]) {
      value(await (await engineWith(made, { ...none, ...source })).open())
    }
    vi.stubEnv('RESTIC_PASSWORD', made.password)
    value(await (await engineWith(made, none)).open())
  })

  test('that is configured wins over any in the environment', async () => {
    const made = await benchWithRepository()
    const wrong = join(made.folder, 'wrong')
    writeFileSync(wrong, 'not-the-password')
    vi.stubEnv('RESTIC_PASSWORD_FILE', wrong)
    vi.stubEnv('RESTIC_PASSWORD', 'not-the-password')
    vi.stubEnv('RESTIC_PASSWORD_COMMAND', 'echo not-the-password')
    value(await made.engine.open())
    value(await (await engineWith(made, { ...none, RESTIC_PASSWORD: new Secret(made.password) })).open())
    vi.stubEnv('RESTIC_PASSWORD_COMMAND', undefined)
    expect(kind(await (await engineWith(made, none)).open())).toBe('wrong-password')
  })

  test('in a file that is missing or empty, from a command that fails, or from nowhere is a matter of configuration', async () => {
    const made = await benchWithRepository()
    const empty = join(made.folder, 'empty')
    writeFileSync(empty, '')
    for (const name of ['RESTIC_PASSWORD', 'RESTIC_PASSWORD_FILE', 'RESTIC_PASSWORD_COMMAND']) vi.stubEnv(name, undefined)
    const broken = [
      { RESTIC_PASSWORD_FILE: join(made.folder, 'missing') },
      { RESTIC_PASSWORD_FILE: empty },
      { RESTIC_PASSWORD_FILE: made.folder },
      { RESTIC_PASSWORD_COMMAND: 'false' },
      {},
    ]
    for (const source of broken) {
      const engine = await engineWith(made, { ...none, ...source })
      expect(kind(await engine.open()), JSON.stringify(source)).toBe('configuration')
      if (source.RESTIC_PASSWORD_COMMAND === undefined) expect(kind(await engine.ready()), JSON.stringify(source)).toBe('configuration')
      expect(kind(await engine.prepare(requestOf(made)).ready), JSON.stringify(source)).toBe('configuration')
    }
  })
})

describe('the repository', () => {
  test('that is configured wins over any in the environment, and so does the host that is asked for', async () => {
    const made = await benchWithRepository()
    const file = join(made.folder, 'repository-file')
    writeFileSync(file, '/nowhere')
    vi.stubEnv('RESTIC_REPOSITORY', '/nowhere')
    vi.stubEnv('RESTIC_REPOSITORY_FILE', file)
    vi.stubEnv('RESTIC_HOST', 'another')
    writeFileSync(join(made.source, 'file'), 'content')
    const { id } = await snapshot(made.engine, requestOf(made))
    expect(value(await made.engine.snapshots()).map((listed) => [listed.id, listed.host])).toEqual([[id, 'host-a']])
  })

  test('behind a symbolic link is told by its real path', async () => {
    const made = await benchWithRepository()
    const link = join(made.folder, 'link')
    symlinkSync(made.repository, link)
    const engine = await engineWith(made, { RESTIC_REPOSITORY: link })
    expect(value(await engine.open())).toMatchObject({ location: link, path: made.repository })
  })

  test('by a relative path is a matter of configuration', async () => {
    const made = await bench({ settings: { RESTIC_REPOSITORY: 'backup' } })
    expect(kind(await made.engine.ready())).toBe('configuration')
    expect(kind(await made.engine.open())).toBe('configuration')
    expect(kind(await made.engine.init())).toBe('configuration')
    expect(kind(await made.engine.prepare(requestOf(made)).ready)).toBe('configuration')
  })

  test('that another restic holds for itself is repository-locked', async () => {
    const made = await benchWithRepository()
    await stoppedRestic(made)
    const prepared = made.engine.prepare(requestOf(made))
    expect(await prepared.ready).toMatchObject({ ok: false, failure: { kind: 'repository-locked', transient: true } })
    expect(
      kind(
        await made.engine.retain({
          policy: { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 },
          host: 'host-a',
          tagSets: [['stackbk']],
          prune: false,
          dryRun: false,
        }),
      ),
    ).toBe('repository-locked')
    expect(kind(await made.engine.check({ readDataPercent: 0 }))).toBe('repository-locked')
    expect(kind(await made.engine.verify([{ id: 'ab'.repeat(32), files: null, bytes: null }], 'data'))).toBe('repository-locked')
    value(await made.engine.open())
  })

  test('on a medium that cannot be written is read without a lock', async () => {
    const made = await benchWithRepository()
    writeFileSync(join(made.source, 'file'), 'content')
    const { id } = await snapshot(made.engine, requestOf(made))
    // As good as a read-only file system: no lock can be made there, by root neither.
    rmSync(join(made.repository, 'locks'), { recursive: true })
    expect(Buffer.from(value(await made.engine.read(id, join(made.source, 'file')))).toString()).toBe('content')
    expect(value(await made.engine.verify([{ id, files: 1, bytes: 7 }], 'files'))).toEqual([{ id, isSound: true, reason: '' }])
    expect(existsSync(join(made.repository, 'locks'))).toBe(false)
  })
})

describe('restic itself', () => {
  test('that is missing is tool-missing, in every call', async () => {
    const made = await benchWithRepository()
    vi.stubEnv('PATH', made.folder)
    expect(await made.engine.ready()).toMatchObject({
      ok: false,
      failure: { kind: 'tool-missing', fix: expect.stringContaining('0.17') as string },
    })
    expect(kind(await made.engine.open())).toBe('tool-missing')
    const [finding] = await made.engine.examine()
    expect(finding).toMatchObject({ id: 'restic.version', status: 'failed', found: 'no program restic in PATH', isToolTrouble: true })
  })

  test('that is too old says what was found and what is needed', async () => {
    const made = await bench()
    wrapRestic(made.folder, 'echo "restic 0.14.0 compiled with go1.19.8 on linux/amd64"')
    const ready = await made.engine.ready()
    expect(ready).toMatchObject({
      ok: false,
      failure: { kind: 'tool-too-old', message: expect.stringMatching(/0\.14\.0.*0\.17/) as string },
    })
    expect((await made.engine.examine())[0]).toMatchObject({
      status: 'failed',
      found: '0.14.0',
      needed: '0.17 or newer',
      isToolTrouble: true,
    })
  })

  test('that says something else than its version is not answering', async () => {
    const made = await bench()
    wrapRestic(made.folder, 'echo "this is not the program you want"; exit 1')
    expect(kind(await made.engine.ready())).toBe('tool-not-answering')
  })

  test('that ends with a code nobody knows has failed, with its last words', async () => {
    const made = await bench()
    wrapRestic(
      made.folder,
      'echo "{\\"message_type\\":\\"exit_error\\",\\"code\\":99,\\"message\\":\\"Fatal: something new\\"}" >&2; exit 99',
    )
    expect(await made.engine.open()).toMatchObject({ ok: false, failure: { kind: 'failed', toolOutput: 'something new' } })
  })

  test('works without a home folder, with its cache where the core says', async () => {
    const made = await benchWithRepository()
    for (const name of ['HOME', 'XDG_CACHE_HOME', 'RESTIC_CACHE_DIR']) vi.stubEnv(name, undefined)
    writeFileSync(join(made.source, 'file'), 'content')
    await snapshot(made.engine, requestOf(made))
    expect(existsSync(join(made.folder, 'cache'))).toBe(true)
  })

  test('writes nothing in a dry run: no lock, no cache', async () => {
    const made = await benchWithRepository()
    writeFileSync(join(made.source, 'file'), 'content')
    const { id } = await snapshot(made.engine, requestOf(made))
    vi.stubEnv('RESTIC_CACHE_DIR', join(made.folder, 'dry-cache'))
    const dry = await engineWith(made, {}, { dryRun: true })
    rmSync(join(made.repository, 'locks'), { recursive: true })
    value(await dry.open())
    value(await dry.snapshots())
    value(await dry.verify([{ id, files: 1, bytes: 7 }], 'files'))
    value(
      await dry.retain({
        policy: { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 },
        host: 'host-a',
        tagSets: [['stackbk']],
        prune: true,
        dryRun: true,
      }),
    )
    expect(existsSync(join(made.folder, 'dry-cache'))).toBe(false)
    expect(existsSync(join(made.repository, 'locks'))).toBe(false)
  })
})

test('doctor hears of version, password, repository and locks', async () => {
  const made = await benchWithRepository()
  expect((await made.engine.examine()).map(({ id, status, isToolTrouble }) => [id, status, isToolTrouble])).toEqual([
    ['restic.version', 'ok', undefined],
    ['restic.password', 'ok', undefined],
    ['restic.repository', 'ok', undefined],
    ['restic.locks', 'ok', undefined],
  ])
  rmSync(join(made.repository, 'config'))
  expect((await made.engine.examine()).at(-1)).toMatchObject({
    id: 'restic.repository',
    status: 'failed',
    found: `there is no restic repository at ${made.repository}`,
    fix: expect.stringContaining('RESTIC_REPOSITORY') as string,
  })
})

test('a repository is made for its owner alone', async () => {
  const made = await bench()
  mkdirSync(made.repository)
  value(await made.engine.init())
  for (const name of ['config', 'keys', 'data']) expect(statSync(join(made.repository, name)).mode & 0o077, name).toBe(0)
})
