import { existsSync } from 'node:fs'

import type { Engine, Transport } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { restore } from '../../../../src/stages/restore.js'
import { markerName } from '../../../../src/stages/restore/target.js'
import { at, failure, ok, testRun, write } from '../fixtures.js'
import { layout, nameOf } from '../sync/layout.js'

const files = ['config', ...['keys', 'data', 'index', 'snapshots'].map((folder) => `${folder}/${nameOf('kept')}`)]
const opened = ok({ id: 'repo', location: 'place', path: null })

/** A restore of an intact copy, of which the engine answers this. */
function restoreWith(more: Partial<Engine>, content = 'kept'): ReturnType<typeof restore> {
  const engine: Partial<Engine> = {
    location: () => ({ display: at('target'), path: at('target') }),
    layout: () => layout,
    at: () => engine as Engine,
    ready: () => Promise.resolve(ok(undefined)),
    completeCopy: () => Promise.resolve(ok(undefined)),
    open: () => Promise.resolve(opened),
    snapshots: () => Promise.resolve(ok([])),
    check: () => Promise.resolve(ok({ isSound: true, errors: [] })),
    ...more,
  }
  const transport: Partial<Transport> = {
    location: 'remote:',
    ready: () => Promise.resolve(ok(undefined)),
    probe: () => Promise.resolve(ok(undefined)),
    list: () => Promise.resolve(ok(files.map((path) => ({ path, size: path === 'config' ? 6 : 4, modifiedAt: null })))),
    download: ({ files: wanted, localRoot }) => {
      for (const path of wanted) write(`${localRoot.slice(at('').length)}/${path}`, path === 'config' ? 'config' : content)
      return Promise.resolve(ok({ files: wanted.length, bytes: 0 }))
    },
  }
  return restore(testRun({ engine, transport }), { path: at('target'), readData: false })
}

const isUnfinished = (): boolean => existsSync(at(`target/${markerName}`))

describe('a restore', () => {
  it('that is verified is ok', async () => {
    const { result, exitCode } = await restoreWith({})
    expect([exitCode, result.status, result.verification.status, isUnfinished()]).toEqual([0, 'ok', 'ok', false])
  })

  it.each([['repository-locked', 11], ['timed-out', 1], ['failed', 1], ['tool-not-answering', 4]] as const)('whose check could not be made (%s) is not damaged, and the same command goes on', async (kind, code) => {
    const { result, exitCode } = await restoreWith({ check: () => Promise.resolve(failure(kind)) })
    expect([exitCode, result.status, result.verification.status, isUnfinished()]).toEqual([code, 'failed', 'unknown', true])
    expect(result.problems).toMatchObject([{ severity: 'error', code: 'verification-not-made' }])
    expect(result.nextSteps.join()).toContain('run the same command again')
  })

  it.each([['wrong-password', 12, 'failed'], ['repository-locked', 11, 'unknown'], ['corrupt', 6, 'failed']] as const)('that could not be opened (%s) has that exit code', async (kind, code, status) => {
    const { result, exitCode } = await restoreWith({ open: () => Promise.resolve(failure(kind)) })
    expect([exitCode, result.verification.status]).toEqual([code, status])
  })

  it('whose check finds damage ends with 6', async () => {
    expect((await restoreWith({ check: () => Promise.resolve(ok({ isSound: false, errors: ['a pack is missing'] })) })).exitCode).toBe(6)
  })

  it('whose files are corrupt on the remote too ends with 6', async () => {
    const { result, exitCode } = await restoreWith({}, 'rots')
    expect([exitCode, result.verification.status, isUnfinished()]).toEqual([6, 'failed', true])
  })
})
