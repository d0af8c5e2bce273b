import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { Engine, RemoteFile, Transport } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { SnapshotRecord } from '../../../../src/stages/repository-memory.js'
import { sync } from '../../../../src/stages/sync.js'
import { CheckedFiles } from '../../../../src/stages/sync/checked-files.js'
import { at, errorOf, failure, ok, snapshotOf, testRun, write, type TestRun } from '../fixtures.js'
import { layout, nameOf } from './layout.js'

const folders = ['keys', 'data', 'index', 'snapshots']
const pathOf = (folder: string, content: string): string => `${folder}/${nameOf(content)}`

/** One file in common shows that a remote without a config holds a part of this very repository. */
const shared = pathOf('data', 'more')

/** A small repository, and a remote that holds these files and notes what changes it. */
function makeSync({ remote, isSound = true, fails = false }: { remote: readonly string[]; isSound?: boolean; fails?: boolean }) {
  for (const folder of folders) write(`repository/${pathOf(folder, 'kept')}`, 'kept')
  write(`repository/${shared}`, 'more')
  write('repository/config', 'config')
  const acts: string[] = []
  const onRemote = new Map(remote.map((path): [string, RemoteFile] => [path, { path, size: path === 'config' ? 6 : 4, modifiedAt: null }]))
  const id = 'repository-id'
  const engine: Partial<Engine> = {
    location: () => ({ display: at('repository'), path: at('repository') }),
    layout: () => layout,
    ready: () => Promise.resolve(ok(undefined)),
    open: () => Promise.resolve(ok({ id, location: at('repository'), path: at('repository') })),
    snapshots: () => Promise.resolve(ok([snapshotOf(nameOf('kept'))])),
    removeStaleLocks: () => Promise.resolve(ok({ removed: 0, held: [] })),
    check: () => Promise.resolve(ok({ isSound, errors: isSound ? [] : ['a pack is missing'] })),
  }
  const transport: Partial<Transport> = {
    location: 'remote:',
    ready: () => Promise.resolve(ok(undefined)),
    probe: () => Promise.resolve(ok(undefined)),
    traits: () => Promise.resolve(ok({ appearsWhole: true, movesWhole: true, movesAtomically: true, readsRanges: true })),
    list: () => Promise.resolve(ok([...onRemote.values()])),
    read: (path) => Promise.resolve(ok(readFileSync(at(`repository/${path}`)))),
    upload: ({ files }) => {
      if (fails) return Promise.resolve(failure('transfer-failed'))
      for (const path of files) {
        acts.push(`up ${path.split('/')[0] ?? ''}`)
        onRemote.set(path, { path, size: statSync(at(`repository/${path}`)).size, modifiedAt: null })
      }
      return Promise.resolve(ok({ files: files.length, bytes: 0 }))
    },
    download: ({ files, localRoot }) => {
      for (const path of files) {
        mkdirSync(dirname(join(localRoot, path)), { recursive: true })
        writeFileSync(join(localRoot, path), 'kept')
      }
      return Promise.resolve(ok({ files: files.length, bytes: 0 }))
    },
    remove: (files) => {
      for (const path of files) {
        acts.push(`gone ${path.split('/')[0] ?? ''}`)
        onRemote.delete(path)
      }
      return Promise.resolve(ok(undefined))
    },
  }
  const run: TestRun = testRun({ engine, transport })
  const record = new SnapshotRecord(run.state.repositories, id)
  record.noteSeen([nameOf('kept'), nameOf('old')])
  record.didForget([nameOf('old')])
  return { run, acts, onRemote, start: (choices: { allowNewRemote?: boolean } = {}) => sync(run, { test: false, allowDelete: false, ...choices }) }
}

const old = ['data', 'index', 'snapshots'].map((folder) => pathOf(folder, 'old'))
const kept = ['config', shared, ...folders.map((folder) => pathOf(folder, 'kept'))]

describe('a sync', () => {
  it('sends a file before what needs it, and then takes away what needs a file before that file', async () => {
    const { acts, start } = makeSync({ remote: [...old, shared] })
    const { exitCode, result } = await start()
    expect(acts).toEqual(['up keys', 'up config', 'up data', 'up index', 'up snapshots', 'gone snapshots', 'gone index', 'gone data'])
    expect([exitCode, result.verified, result.deleted.snapshots]).toEqual([0, true, 1])
  })

  it('takes nothing away where the local repository does not pass its check, with exit code 6', async () => {
    const { acts, start } = makeSync({ remote: [...kept, ...old], isSound: false })
    const { exitCode } = await start()
    expect([acts, exitCode]).toEqual([[], 6])
  })

  it('sends no index and no snapshot and takes nothing away when a file that would go up is rotten, with exit code 6', async () => {
    const { acts, start } = makeSync({ remote: [...kept.filter((path) => !/^(data|index|snapshots)/.test(path)), ...old] })
    write(`repository/${pathOf('data', 'kept')}`, 'rots')
    const { exitCode, result } = await start()
    expect([acts, exitCode, result.problems.map(({ code }) => code)]).toEqual([['up data'], 6, ['rotten-file']])
  })

  it.each(['index', 'snapshots'])('sends neither where one of the %s is rotten', async (folder) => {
    const { acts, start } = makeSync({ remote: kept.filter((path) => !/^(index|snapshots)/.test(path)) })
    write(`repository/${pathOf(folder, 'kept')}`, 'rots')
    const { exitCode } = await start()
    expect([acts, exitCode]).toEqual([[], 6])
  })

  it('sends all the same where the remote has the sound one of a file that is rotten here, and says so with exit code 6', async () => {
    const { acts, start } = makeSync({ remote: [...kept.filter((path) => !path.startsWith('snapshots')), ...old] })
    write(`repository/${pathOf('data', 'kept')}`, 'cut')
    const { exitCode, result } = await start()
    expect(acts).toEqual(['up snapshots', 'gone snapshots', 'gone index', 'gone data'])
    expect([exitCode, result.status, result.verified, result.problems]).toMatchObject([6, 'partial', true, [{ code: 'rotten-here', fix: expect.stringContaining('verify --repair') as string }]])
  })

  /** A sync in the middle of which a file of the repository becomes one that cannot be read. */
  async function syncWhile({ run }: ReturnType<typeof makeSync>, path: string): Promise<Awaited<ReturnType<typeof sync>>> {
    const step = (title: string): void => {
      if (!title.startsWith('checking index')) return
      rmSync(at(`repository/${path}`), { recursive: true })
      mkdirSync(at(`repository/${path}`))
    }
    return await sync({ ...run, reporter: { ...run.reporter, step } }, { test: false, allowDelete: false })
  }

  it('ends with 1, and not with 6, where a file could not be read, which says nothing of what it holds', async () => {
    const made = makeSync({ remote: kept.filter((path) => !/^(index|snapshots)/.test(path)) })
    const { exitCode, result } = await syncWhile(made, pathOf('index', 'kept'))
    expect([made.acts, exitCode, result.status, result.problems]).toMatchObject([[], 1, 'failed', [{ code: 'transfer-failed', message: expect.stringContaining('could not be read') as string }]])
  })

  it('ends with 1 where the disk of the repository does not answer any more', async () => {
    const made = makeSync({ remote: kept.filter((path) => !/^(index|snapshots)/.test(path)) })
    write(`repository/${pathOf('index', 'kept')}`, 'rots')
    const { exitCode, result } = await syncWhile(made, 'config')
    expect([made.acts, exitCode, result.problems]).toMatchObject([[], 1, [{ message: expect.stringContaining('could not be read any more') as string }]])
  })

  it('deletes nothing, and ends with the code of the failure, where the check before a deletion could not be made', async () => {
    const { run, acts } = makeSync({ remote: [...kept, ...old] })
    const engine = await run.engine()
    const locked = { ...run, engine: () => Promise.resolve({ ...engine, check: () => Promise.resolve(failure('repository-locked')) }) }
    const { exitCode, result } = await sync(locked, { test: false, allowDelete: false })
    expect([acts, exitCode, result.problems.map(({ code }) => code)]).toEqual([[], 11, ['check-failed']])
  })

  it('reads no file twice that has waited on its way up since, unless it was changed', async () => {
    const { run, acts, start } = makeSync({ remote: [], fails: true })
    expect((await start()).exitCode).toBe(5)
    // As a disk may: what is read now is another thing than what was compared, and nothing shows it.
    const path = at(`repository/${pathOf('data', 'kept')}`)
    const checked = new CheckedFiles(run.state.repositories, 'repository-id')
    expect(checked.isSound(pathOf('keys', 'kept'), statSync(at(`repository/${pathOf('keys', 'kept')}`), { bigint: true }))).toBe(true)
    writeFileSync(path, 'rots')
    expect(checked.isSound(pathOf('data', 'kept'), statSync(path, { bigint: true }))).toBe(false)
    expect(acts).toEqual([])
  })

  it('sends nothing, not even what it knows, while a file of the repository is in no group, in a dry run too', async () => {
    const { run, acts, start } = makeSync({ remote: [shared] })
    write('repository/index.38')
    const error = await errorOf(() => start())
    expect(error).toMatchObject({ kind: 'configuration', code: 'file-not-in-layout', message: expect.stringContaining('index.38') as string })
    expect((await errorOf(() => sync({ ...run, dryRun: true }, { test: false, allowDelete: false }))).code).toBe('file-not-in-layout')
    expect(acts).toEqual([])
  })

  it('refuses in one sentence for an engine without a layout, before the remote is reached', async () => {
    const error = await errorOf(() => sync(testRun({ engine: { layout: (() => undefined) as unknown as () => never } }), { test: false, allowDelete: false }))
    expect(error).toMatchObject({ kind: 'configuration', code: 'engine-without-copy', message: expect.stringContaining('the engine "restic" has no repository that stackbk can copy file by file') as string })
  })

  it('sends again what is there in another size', async () => {
    const { acts, start } = makeSync({ remote: kept })
    write('repository/config', 'a longer one')
    const { exitCode } = await start()
    expect([acts, exitCode]).toEqual([['up config'], 0])
  })

  it.each([
    ['is empty', () => true],
    ['holds nothing but its trash', (path: string) => !path.startsWith('.stackbk-trash/')],
    ['lost its config and its snapshots', (path: string) => path === 'config' || path.startsWith('snapshots/')],
  ])('refuses a remote that held snapshots after the last sync and %s now, and starts over only when told to', async (_, isLost) => {
    const { run, acts, onRemote, start } = makeSync({ remote: kept })
    expect((await start()).exitCode).toBe(0)
    onRemote.set('.stackbk-trash/2026-01-01/data/x', { path: '.stackbk-trash/2026-01-01/data/x', size: 4, modifiedAt: new Date().toISOString() })
    for (const path of [...onRemote.keys()]) if (isLost(path)) onRemote.delete(path)
    const error = await errorOf(() => start())
    expect(error).toMatchObject({ kind: 'guard', code: 'remote-vanished', fix: expect.stringContaining('--allow-new-remote') as string })
    expect((await errorOf(() => sync({ ...run, dryRun: true }, { test: false, allowDelete: false }))).code).toBe('remote-vanished')
    expect(acts).toEqual([])
    expect((await start({ allowNewRemote: true })).result).toMatchObject({ status: 'ok', verified: true })
    expect(onRemote.has('config')).toBe(true)
  })

  it('refuses an empty remote of another name after a sync that ended well, since the name may be mistyped', async () => {
    const { run, start } = makeSync({ remote: kept })
    expect((await start()).exitCode).toBe(0)
    const other = makeSync({ remote: [] })
    const elsewhere = { ...(await other.run.transport()), location: 'remtoe:' } as Transport
    const there = { ...other.run, state: run.state, transport: () => Promise.resolve(elsewhere) }
    const error = await errorOf(() => sync(there, { test: false, allowDelete: false }))
    expect(error).toMatchObject({ kind: 'guard', code: 'remote-changed', message: expect.stringContaining('remote:') as string })
    expect((await sync(there, { test: false, allowDelete: false, allowNewRemote: true })).exitCode).toBe(0)
    // Both are known now: no order of the two is refused.
    expect((await start()).exitCode).toBe(0)
    expect((await sync(there, { test: false, allowDelete: false })).exitCode).toBe(0)
  })

  it('refuses an older copy than the one of the last sync, in a dry run too, and goes on with it only when told to', async () => {
    const { run, acts, onRemote, start } = makeSync({ remote: [shared] })
    expect((await start()).exitCode).toBe(0)
    acts.length = 0
    for (const path of ['index', 'snapshots'].map((folder) => pathOf(folder, 'kept'))) onRemote.delete(path)
    for (const path of old) onRemote.set(path, { path, size: 4, modifiedAt: null })
    expect(await errorOf(() => start())).toMatchObject({ kind: 'guard', code: 'remote-older', fix: expect.stringContaining('--allow-new-remote') as string })
    expect((await errorOf(() => sync({ ...run, dryRun: true }, { test: false, allowDelete: false }))).code).toBe('remote-older')
    expect(acts).toEqual([])
    expect((await start({ allowNewRemote: true })).exitCode).toBe(0)
    expect((await start()).exitCode).toBe(0)
  })

  it('sends again a single snapshot that the remote lost, and asks nobody', async () => {
    const { onRemote, start } = makeSync({ remote: [shared] })
    expect((await start()).exitCode).toBe(0)
    onRemote.delete(pathOf('snapshots', 'kept'))
    expect([(await start()).exitCode, onRemote.has(pathOf('snapshots', 'kept'))]).toEqual([0, true])
  })

  it('knows the copy by what is left before it deletes anything there, so that a deletion that was cut short is gone on with', async () => {
    const { run, onRemote, start } = makeSync({ remote: [shared] })
    expect((await start()).exitCode).toBe(0)
    // All that was sent was forgotten here since.
    const record = new SnapshotRecord(run.state.repositories, 'repository-id')
    record.didForget([nameOf('kept')])
    for (const folder of ['index', 'snapshots']) {
      rmSync(at(`repository/${pathOf(folder, 'kept')}`))
      write(`repository/${pathOf(folder, 'newer')}`, 'newer')
    }
    const transport = await run.transport()
    const failing = { ...run, transport: () => Promise.resolve(Object.assign(Object.create(transport) as Transport, { remove: (files: readonly string[]) => (files.forEach((path) => onRemote.delete(path)), Promise.resolve(failure('transfer-failed'))), moveAll: undefined, move: (path: string) => (onRemote.delete(path), Promise.resolve(failure('transfer-failed'))) })) }
    expect((await sync(failing, { test: false, allowDelete: false })).exitCode).not.toBe(0)
    for (const path of [...onRemote.keys()]) if (path.includes(nameOf('kept')) && /^(index|snapshots)/.test(path)) onRemote.delete(path)
    expect((await start()).exitCode).toBe(0)
  })

  it('refuses an empty remote when the record of earlier syncs cannot be read', async () => {
    const { run, start } = makeSync({ remote: [] })
    write('state/repositories/repository-id.remotes.json', '{"remo')
    expect((await errorOf(() => start())).code).toBe('remote-changed')
    expect(run.locked).not.toEqual([])
    expect((await start({ allowNewRemote: true })).exitCode).toBe(0)
  })

  it('deletes nothing while the record of snapshots cannot be read, with exit code 7', async () => {
    const { run, acts, start } = makeSync({ remote: [...kept, ...old] })
    write('state/repositories/repository-id.snapshots.jsonl', 'damaged\n')
    const { exitCode, result } = await start()
    expect([exitCode, acts, result.problems.map(({ code }) => code)]).toEqual([7, [], ['snapshot-record-unreadable']])
    expect(run.logged.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('keeps the repository to itself, whatever else of the host another run shares', async () => {
    const { run, start } = makeSync({ remote: kept })
    await start()
    expect(run.locked).toContainEqual({ kind: 'repository', id: at('repository') })
  })
})
