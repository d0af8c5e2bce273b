import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Secret, type Progress, type ToolRequest } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'

import { Restic } from '../src/restic.js'
import { passwordSourceOf } from '../src/password.js'
import { placeOf } from '../src/place.js'
import { prepareSnapshot } from '../src/prepare.js'
import { bench, benchWithRepository, contextOf, kind, requestOf, snapshot, value, type Bench } from './bench.js'
import { build } from './built.js'
import { liveProcesses, resticsOn, until } from './processes.js'
import { wrapRestic } from './wrapper.js'
import { sampled } from '../../../test/fixtures/sampled.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

const locksOf = ({ repository }: Bench): string[] => readdirSync(join(repository, 'locks'))
const snapshotsOf = ({ repository }: Bench): string[] => readdirSync(join(repository, 'snapshots'))

async function expectNothingLeft(made: Bench): Promise<void> {
  await until(() => resticsOn(made.repository).length === 0, 'restic has ended')
  expect(locksOf(made)).toEqual([])
  expect(snapshotsOf(made)).toEqual([])
}

describe('while prepared', () => {
  test('restic holds its lock and has read nothing of the stack', async () => {
    const made = await benchWithRepository()
    const prepared = made.engine.prepare(requestOf(made))
    value(await prepared.ready)
    expect(locksOf(made)).toHaveLength(1)
    expect(resticsOn(made.repository)).toHaveLength(1)
    expect(snapshotsOf(made)).toEqual([])
    await prepared.abandon()
    await expectNothingLeft(made)
  })

  test('no file is left in the temporary folder', async () => {
    const made = await benchWithRepository()
    const temporary = mkdtempSync(join(made.folder, 'tmp-'))
    vi.stubEnv('TMPDIR', temporary)
    const prepared = made.engine.prepare(requestOf(made, { excludes: ['*.tmp'] }))
    value(await prepared.ready)
    expect(readdirSync(temporary)).toEqual([])
    value(await prepared.take())
    expect(readdirSync(temporary)).toEqual([])
  })

  test('a restic behind a wrapper script is waited for all the same', async () => {
    const made = await benchWithRepository()
    writeFileSync(join(made.source, 'file'), 'content')
    wrapRestic(made.folder, '"$restic" "$@"\nexit $?')
    const prepared = made.engine.prepare(requestOf(made))
    value(await prepared.ready)
    expect(locksOf(made)).toHaveLength(1)
    writeFileSync(join(made.source, 'late'), 'x')
    expect(value(await prepared.take()).filesNew).toBe(2)
  })

  test('closing the engine gives up what was prepared', async () => {
    const made = await benchWithRepository()
    value(await made.engine.prepare(requestOf(made)).ready)
    await made.engine.close()
    await expectNothingLeft(made)
  })

  test('giving up at any instant of the first phase leaves neither lock nor snapshot nor process', async () => {
    const made = await benchWithRepository()
    const startedAt = performance.now()
    const probe = made.engine.prepare(requestOf(made))
    value(await probe.ready)
    const phaseMs = performance.now() - startedAt
    await probe.abandon()
    for (const share of [0, 0.1, 0.3, 0.5, 0.65, 0.8, 0.9, 1]) {
      const prepared = made.engine.prepare(requestOf(made))
      const at = performance.now() + share * phaseMs
      await until(() => performance.now() >= at, 'that part of the first phase is over')
      await prepared.abandon()
      await expectNothingLeft(made)
    }
  })

  test('giving one up early does not disturb another that is prepared right after it', async () => {
    const made = await benchWithRepository()
    writeFileSync(join(made.source, 'file'), 'content')
    const early = made.engine.prepare(requestOf(made, { tags: ['early'] }))
    const abandoned = early.abandon()
    const other = made.engine.prepare(requestOf(made, { tags: ['other'] }))
    await abandoned
    value(await other.ready)
    value(await other.take())
    expect(value(await made.engine.snapshots()).map(({ tags }) => tags)).toEqual([['other']])
  })
})

describe('when our own process is killed', () => {
  beforeAll(build)

  const killed = async (made: Bench, when: string): Promise<string> => {
    const script = fileURLToPath(new URL('prepare-and-die.mjs', import.meta.url))
    // Killed within the few milliseconds that the pipe has a name, it leaves that.
    const env = { ...process.env, TMPDIR: made.folder }
    return new Promise((resolve, reject) => {
      execFile(process.execPath, [script, JSON.stringify(made.settings), made.source, when], { env }, (error, stdout, stderr) => {
        if (error?.signal === 'SIGKILL') resolve(stdout.trim())
        else reject(new Error(`it was not killed: ${stdout}${stderr}`))
      })
    })
  }

  test('after ready, restic ends by itself and leaves neither lock nor snapshot', async () => {
    const made = await benchWithRepository()
    writeFileSync(join(made.source, 'file'), 'content')
    expect(await killed(made, 'ready')).toBe('ready')
    await expectNothingLeft(made)
  })

  test.each(sampled(['40', '300', '600', '5', '150', '450'], 3))(
    '%s ms into the first phase, restic ends by itself and leaves neither lock nor snapshot',
    async (when) => {
      const made = await benchWithRepository()
      writeFileSync(join(made.source, 'file'), 'content')
      await killed(made, when)
      await expectNothingLeft(made)
    },
  )
})

describe('the first phase tells', () => {
  test('an exclude pattern that restic does not understand, before anything is stopped for it', async () => {
    const made = await benchWithRepository()
    const prepared = made.engine.prepare(requestOf(made, { excludes: ['*.log', '[a'] }))
    const ready = await prepared.ready
    expect(ready).toMatchObject({ ok: false, failure: { kind: 'configuration', toolOutput: expect.stringContaining('[a') as string } })
    await expectNothingLeft(made)
  })

  test('a folder of its own in which nothing can be made', async () => {
    const made = await benchWithRepository()
    writeFileSync(join(made.folder, 'cache'), '')
    expect(await made.engine.prepare(requestOf(made)).ready).toMatchObject({
      ok: false,
      failure: { kind: 'failed', message: expect.stringContaining(join(made.folder, 'cache')) as string, fix: expect.stringContaining('Free space') as string },
    })
  })

  test('a parent that is not there', async () => {
    const made = await benchWithRepository()
    expect(kind(await made.engine.prepare(requestOf(made, { parent: 'ab'.repeat(32) })).ready)).toBe('not-found')
  })

  test('a symbolic link for a root, which restic would store as a link', async () => {
    const made = await benchWithRepository()
    symlinkSync(made.source, join(made.folder, 'link'))
    expect(kind(await made.engine.prepare(requestOf(made, { paths: [join(made.folder, 'link')] })).ready)).toBe('usage')
  })

  test('a restic that never gets as far, after a limit, and ends it', async () => {
    const made = await bench()
    wrapRestic(made.folder, 'exec sleep 600')
    const restic = new Restic(
      { place: placeOf(made.repository), password: passwordSourceOf(made.settings), lockWaitMs: 0, usesCache: true },
      contextOf(made.folder),
    )
    const prepared = prepareSnapshot(restic, requestOf(made), { openMs: 200 })
    expect(kind(await prepared.ready)).toBe('timed-out')
    expect(liveProcesses().filter(({ environment }) => environment.includes(`RESTIC_REPOSITORY=${made.repository}`))).toEqual([])
    expect(kind(await prepared.take())).toBe('timed-out')
  })
})

describe('the second phase', () => {
  const bigFile = (made: Bench): void => {
    writeFileSync(join(made.source, 'big'), '')
    truncateSync(join(made.source, 'big'), 40 * 1024 ** 3)
  }

  test('ends at its time limit, which does not count the wait before it, and leaves nothing', async () => {
    const made = await benchWithRepository()
    bigFile(made)
    const prepared = made.engine.prepare(requestOf(made, { timeoutMs: 400 }))
    value(await prepared.ready)
    const readyAt = performance.now()
    await until(() => performance.now() > readyAt + 600, 'more than the limit is over')
    expect(resticsOn(made.repository)).toHaveLength(1)
    expect(kind(await prepared.take())).toBe('timed-out')
    await expectNothingLeft(made)
  })

  test('ends when nothing moves any more', async () => {
    const made = await benchWithRepository()
    wrapRestic(
      made.folder,
      'for last in "$@"; do case $last in --iexclude-file=*) gate=${last#*=};; esac; done\ncat "$gate" >/dev/null\nexec sleep 600',
    )
    const prepared = made.engine.prepare(requestOf(made, { stallTimeoutMs: 200 }))
    value(await prepared.ready)
    expect(kind(await prepared.take())).toBe('stalled')
  })

  test('is not taken to have stalled while bytes move, and reports them', async () => {
    const made = await benchWithRepository()
    writeFileSync(join(made.source, 'big'), '')
    truncateSync(join(made.source, 'big'), 2 * 1024 ** 3)
    const prepared = made.engine.prepare(requestOf(made, { stallTimeoutMs: 2000 }))
    value(await prepared.ready)
    const seen: Progress[] = []
    value(await prepared.take({ onProgress: (progress) => seen.push(progress) }))
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.some(({ bytesDone = 0 }) => bytesDone > 0)).toBe(true)
  })

  test('shows its progress by what an earlier snapshot held, and by more where more is there; restic does not count first', async () => {
    const made = await benchWithRepository()
    writeFileSync(join(made.source, 'big'), '')
    truncateSync(join(made.source, 'big'), 2 * 1024 ** 3)
    for (const bytes of [3 * 1024 ** 3, 5]) {
      const prepared = made.engine.prepare(requestOf(made, { expected: { files: 7, bytes } }))
      value(await prepared.ready)
      expect(resticsOn(made.repository).map(({ args }) => args.includes('--no-scan'))).toEqual([true])
      const seen: Progress[] = []
      expect(value(await prepared.take({ onProgress: (progress) => seen.push(progress) })).bytesProcessed).toBe(2 * 1024 ** 3)
      expect(seen.length).toBeGreaterThan(0)
      expect(seen.map(({ bytesTotal }) => bytesTotal)).toEqual(seen.map(({ bytesDone = 0 }) => Math.max(bytesDone, bytes)))
      expect(seen.map(({ filesTotal }) => filesTotal)).toEqual(seen.map(() => 7))
    }
  })

  test('ends when it is cancelled in the middle, and leaves nothing', async () => {
    const made = await benchWithRepository()
    bigFile(made)
    const prepared = made.engine.prepare(requestOf(made))
    value(await prepared.ready)
    const cancel = new AbortController()
    expect(kind(await prepared.take({ signal: cancel.signal, onProgress: ({ bytesDone = 0 }) => bytesDone > 0 && cancel.abort() }))).toBe(
      'cancelled',
    )
    await expectNothingLeft(made)
  })

  test('tells a restic that died meanwhile', async () => {
    const made = await benchWithRepository()
    const prepared = made.engine.prepare(requestOf(made))
    value(await prepared.ready)
    process.kill(resticsOn(made.repository)[0]?.pid ?? 0, 'SIGKILL')
    await until(() => resticsOn(made.repository).length === 0, 'it is gone')
    expect(kind(await prepared.take())).toBe('failed')
  })

  test('leaves out what the patterns say, in the meaning that they have on a command line', async () => {
    const made = await benchWithRepository()
    for (const name of ['keep', 'a.log', '$HOME', '#x', 'blank ', ' lead', 'HOME']) writeFileSync(join(made.source, name), name)
    mkdirSync(join(made.source, 'cache'))
    writeFileSync(join(made.source, 'cache', 'file'), 'x')
    const { id } = await snapshot(
      made.engine,
      requestOf(made, { excludes: ['*.log', '$HOME', '#x', 'blank ', ' lead', `${made.source}/cache`, ''] }),
    )
    const files = value(await made.engine.list(id)).filter(({ type }) => type === 'file')
    expect(files.map(({ path }) => path.slice(made.source.length + 1)).sort()).toEqual(['HOME', 'keep'])
  })

  test('leaves out paths as they are written, but no root of the snapshot that lies in one', async () => {
    const made = await benchWithRepository()
    const strange = ['a*', 'a[b]', ' $HOME #', 'back\\slash']
    for (const folder of ['ab', ...strange, 'state/capsules', 'state/cache']) {
      mkdirSync(join(made.source, folder), { recursive: true })
      writeFileSync(join(made.source, folder, 'file'), folder)
    }
    writeFileSync(join(made.source, 'state/capsules/other'), 'x')
    const request = requestOf(made, { paths: [made.source, join(made.source, 'state/capsules/file')], excludes: ['*.log'], excludePaths: [...strange, 'state'].map((path) => join(made.source, path)) })
    const { id } = await snapshot(made.engine, request)
    const files = value(await made.engine.list(id)).filter(({ type }) => type === 'file')
    expect(files.map(({ path }) => path.slice(made.source.length + 1)).sort()).toEqual(['ab/file', 'state/capsules/file'])
  })

  test.each(['', 'code=$?; test $code = 3 || exit $code'])(
    'gives a path that is missing as something unread, also where restic thinks nothing of it (before 0.19) %j',
    async (then) => {
      const made = await benchWithRepository()
      if (then !== '') wrapRestic(made.folder, `"$restic" "$@"\n${then}`)
      writeFileSync(join(made.source, 'file'), 'content')
      const gone = join(made.folder, 'gone')
      const result = await snapshot(made.engine, requestOf(made, { paths: [made.source, gone] }))
      expect(result.isComplete).toBe(false)
      expect(result.unreadable.filter((line) => line.includes(gone))).toHaveLength(1)
      expect(kind(await made.engine.prepare(requestOf(made, { paths: [gone] })).ready)).toBe('not-found')
    },
  )

  test.skipIf(process.getuid?.() !== 0)('sees a frozen copy at the original path, and restic behind it is waited for', async () => {
    const made = await benchWithRepository()
    writeFileSync(join(made.source, 'file'), 'live')
    const frozen = join(made.folder, 'frozen')
    mkdirSync(frozen)
    writeFileSync(join(frozen, 'file'), 'frozen content')
    const { id } = await snapshot(made.engine, requestOf(made, { bindMounts: [{ source: frozen, target: made.source }] }))
    expect(Buffer.from(value(await made.engine.read(id, join(made.source, 'file')))).toString()).toBe('frozen content')
  })
})

test('no password stands in any argument, nor in what restic says', async () => {
  const requests: ToolRequest[] = []
  const real = createExec()
  const seen = new Set<string>()
  const scan = (): void => {
    for (const { args } of liveProcesses()) for (const arg of args) seen.add(arg)
  }
  const exec = {
    run: (request: ToolRequest) => real.run((requests.push(request), request)),
    start: (request: ToolRequest) => real.start((requests.push(request), request)),
  }
  const made = await benchWithRepository({
    exec,
    settings: { RESTIC_PASSWORD_FILE: null, RESTIC_PASSWORD: new Secret('correct-horse-battery') },
  })
  const timer = setInterval(scan, 20)
  const prepared = made.engine.prepare(requestOf(made))
  value(await prepared.ready)
  scan()
  value(await prepared.take())
  value(await made.engine.snapshots())
  clearInterval(timer)
  expect([...seen].filter((arg) => arg.includes('correct-horse'))).toEqual([])
  expect([...seen].some((arg) => arg.includes(made.source))).toBe(true)
  expect(JSON.stringify(requests)).not.toContain('correct-horse')
})
