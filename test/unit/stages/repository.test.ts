import { existsSync } from 'node:fs'

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
      expect((await openRepository(runWith(listed()), { mayInit: false }))?.repository.id).toBe('ID 2')
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
