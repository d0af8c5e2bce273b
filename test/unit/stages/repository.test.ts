import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'

import type { Engine } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { openRepository } from '../../../src/stages/repository.js'
import { rememberRepository } from '../../../src/stages/repository-memory.js'
import { markerName } from '../../../src/stages/restore/target.js'
import { at, configuration, errorOf, failure, ok, snapshotOf, testRun, write, type TestRun } from './fixtures.js'

const missing = failure('repository-missing')

function runWith(engine: Partial<Engine>, more: { readonly dryRun?: boolean; readonly settings?: string } = {}): TestRun {
  const location = { display: at('repository'), path: at('repository') }
  return testRun({ engine: { location: () => location, ...engine }, dryRun: more.dryRun ?? false, configuration: configuration(more.settings ?? '') })
}

describe('opening the repository', () => {
  const opened = { id: 'one', location: 'place', path: null }

  it('makes none where a restore was cut short, nor where one was known', async () => {
    write(`repository/${markerName}`, '{}')
    const run = runWith({ open: () => Promise.resolve(missing), snapshots: () => Promise.resolve(missing) })
    expect(await errorOf(() => openRepository(run, { mayInit: true }))).toMatchObject({ kind: 'repository-missing', code: 'restore-unfinished', fix: expect.stringContaining('stackbk restore') as string })
    const gone = runWith({ location: () => ({ display: 'place', path: null }), open: () => Promise.resolve(missing), snapshots: () => Promise.resolve(missing) })
    rememberRepository(gone.state.repositories, 'place', opened)
    expect(await errorOf(() => openRepository(gone, { mayInit: true }))).toMatchObject({ kind: 'repository-missing', message: expect.stringContaining('is gone') as string })
  })

  describe('where one was used before', () => {
    const holding = (id: string, more: Partial<Engine> = {}): Partial<Engine> => ({
      open: () => Promise.resolve(ok({ id, location: at('disk/repository'), path: at('disk/repository') })),
      location: () => ({ display: at('disk/repository'), path: at('disk/repository') }),
      snapshots: () => Promise.resolve(ok([snapshotOf('a')])),
      removeStaleLocks: () => Promise.resolve(ok({ removed: 0, held: [] })),
      ...more,
    })
    const open = (id: string, more: { readonly accept?: boolean } = {}): Promise<unknown> => openRepository(runWith(holding(id)), { mayInit: true, ...more })
    const idOf = async (id: string): Promise<string | undefined> => ((await open(id)) as { repository: { id: string } } | null)?.repository.id
    /** Changes what was recorded of it. */
    const record = (change: object): void => {
      const folder = at('state/repositories')
      const file = `${folder}/${readdirSync(folder).find((name) => /^[0-9a-f]{32}\.json$/.test(name))}`
      writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...change }))
    }

    it('refuses what lies below the mount point of a disk that is not mounted, the known repository too, until it is accepted', async () => {
      mkdirSync(at('disk/repository'), { recursive: true })
      await open('one')
      record({ mountPoint: at('disk') })
      for (const id of ['one', 'two']) {
        expect(await errorOf(() => open(id))).toMatchObject({ kind: 'repository-missing', message: `the disk of the repository ${at('disk/repository')} is not mounted`, fix: expect.stringMatching(/^Mount .*\/disk\. .*stackbk backup --accept-repository$/) as string })
      }
      const closed = runWith(holding('one', { open: () => Promise.resolve(failure('wrong-password')), snapshots: () => Promise.resolve(failure('wrong-password')) }), { dryRun: true })
      expect(await errorOf(() => openRepository(closed, { mayInit: false }))).toMatchObject({ kind: 'repository-missing' })
      await open('one', { accept: true })
      expect(await idOf('one')).toBe('one')
    })

    it.each([
      ['on the root file system', '/', null],
      ['on a disk that the path does not lead to any more', '/nowhere', null],
      ['at an unknown place', null, null],
      ['on a disk to which a link led that leads elsewhere now', null, 'elsewhere'],
    ])('takes one that was %s', async (_, mountPoint, target) => {
      mkdirSync(at(target === null ? 'disk/repository' : `${target}/repository`), { recursive: true })
      if (target !== null) symlinkSync(at(target), at('disk'))
      await open('one')
      record({ mountPoint: target === null ? mountPoint : at('disk') })
      expect(await idOf('one')).toBe('one')
    })

    it('refuses another repository until it is accepted, and then knows both, as with disks that take turns', async () => {
      mkdirSync(at('disk/repository'), { recursive: true })
      await open('one')
      expect(await errorOf(() => open('two'))).toMatchObject({ kind: 'repository-missing', code: 'repository-changed', message: expect.stringContaining('two instead of one') as string, fix: expect.stringContaining('stackbk backup --accept-repository') as string })
      expect(await idOf('one')).toBe('one')
      await open('two', { accept: true })
      expect([await idOf('one'), await idOf('two')]).toEqual(['one', 'two'])
      expect(await errorOf(() => open('three'))).toMatchObject({ code: 'repository-changed' })
    })

    it('makes a new one in the place of one that is gone only when that is accepted', async () => {
      mkdirSync(at('disk/repository'), { recursive: true })
      await open('one')
      const gone = runWith(holding('', { open: () => Promise.resolve(missing), snapshots: () => Promise.resolve(missing), init: () => Promise.resolve(ok({ id: 'new', location: at('disk/repository'), path: at('disk/repository') })) }))
      expect(await errorOf(() => openRepository(gone, { mayInit: true }))).toMatchObject({ kind: 'repository-missing', fix: expect.stringContaining('--accept-repository') as string })
      expect(await openRepository(gone, { mayInit: true, accept: true })).toMatchObject({ isNew: true, repository: { id: 'new' } })
    })
  })

  it('takes away the mark of a restore once the repository is at work, and locks of engines long gone', async () => {
    const marker = write(`repository/${markerName}`, '{}')
    const asked: unknown[] = []
    const parts: Partial<Engine> = {
      open: () => Promise.resolve(ok({ ...opened, path: at('repository') })),
      snapshots: () => Promise.resolve(ok([snapshotOf('a')])),
      removeStaleLocks: (options) => (asked.push(options?.leastAgeMs), Promise.resolve(ok({ removed: 1, held: [] }))),
    }
    await openRepository(runWith(parts, { dryRun: true }), { mayInit: false })
    expect([existsSync(marker), asked]).toEqual([true, []])
    await openRepository(runWith(parts), { mayInit: false })
    expect([existsSync(marker), asked]).toEqual([false, [30 * 60_000]])
  })

  it('gives up on one that does not answer, after as long as a tool may be silent', async () => {
    const hang: Engine['open'] = (options) =>
      new Promise((resolve) => {
        options?.signal?.addEventListener('abort', () => resolve(failure('cancelled')))
      })
    const run = runWith({ open: hang, snapshots: () => Promise.resolve(ok([])) }, { settings: 'STALL_TIMEOUT=1\n' })
    // Node lets go of a limit while nothing else is to be done; in the program the tool itself is.
    const alive = setInterval(() => {}, 1000)
    expect(await errorOf(() => openRepository(run, { mayInit: true }))).toMatchObject({ kind: 'tool-not-answering', message: expect.stringContaining('within 1 s') as string })
    clearInterval(alive)
  })

  describe('of which the file with the ID is as it was', () => {
    const layout: Engine['layout'] = () => ({ groups: [{ name: 'config', path: 'config', isFile: true, namePattern: /^config$/, nameIs: 'none', role: 'config', decidesValidity: true }], ignored: [] })
    const opened = (): number => opens
    let opens = 0
    const parts = (snapshots: Engine['snapshots']): Partial<Engine> => ({
      layout,
      open: () => (opens++, Promise.resolve(ok({ id: `ID ${opens}`, location: at('repository'), path: at('repository') }))),
      snapshots,
      removeStaleLocks: () => Promise.resolve(ok({ removed: 0, held: [] })),
    })
    const listed = (): Partial<Engine> => parts(() => Promise.resolve(ok([snapshotOf('a')])))

    it('takes the ID that is known, and asks the engine again once that file is another', async () => {
      opens = 0
      write('repository/config', 'sealed')
      const first = await openRepository(runWith(listed()), { mayInit: false })
      const second = await openRepository(runWith(listed()), { mayInit: false })
      expect([first?.repository.id, second?.repository, opened()]).toEqual(['ID 1', { id: 'ID 1', location: at('repository'), path: at('repository') }, 1])
      write('repository/config', 'sealed anew')
      expect((await openRepository(runWith(listed()), { mayInit: false, accept: true }))?.repository.id).toBe('ID 2')
    })

    it('says why it does not open', async () => {
      opens = 0
      write('repository/config', 'sealed')
      await openRepository(runWith(listed()), { mayInit: false })
      const closed: Partial<Engine> = { ...parts(() => Promise.resolve(failure('wrong-password'))), open: () => Promise.resolve(failure('wrong-password')) }
      expect(await errorOf(() => openRepository(runWith(closed), { mayInit: false }))).toMatchObject({ kind: 'wrong-password' })
    })
  })
})
