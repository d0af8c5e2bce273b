import { mkdirSync, rmSync } from 'node:fs'

import type { Answer, CheckResult, Engine, Transport } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { verify } from '../../../../src/stages/verify.js'
import { at, errorOf, failure, ok, testRun, write, type TestRun } from '../fixtures.js'
import { layout, nameOf } from '../sync/layout.js'

const damaged = ok({ isSound: false, errors: ['a pack does not load'] })
const intact = ok({ isSound: true, errors: [] })
const pack = `data/${nameOf('pack')}`

/** A repository with one file that is corrupt; `checks`: what the engine's check answers, one call after the other. */
function runWith({ checks, opens = () => true }: { checks: readonly Answer<CheckResult>[]; opens?: () => boolean }): TestRun {
  for (const folder of ['keys', 'index', 'snapshots']) mkdirSync(at(`repository/${folder}`), { recursive: true })
  write(`repository/${pack}`, 'rots')
  write('repository/config', 'config')
  const answers = [...checks]
  const engine: Partial<Engine> = {
    location: () => ({ display: at('repository'), path: at('repository') }),
    layout: () => layout,
    ready: () => Promise.resolve(ok(undefined)),
    open: () => Promise.resolve(opens() ? ok({ id: 'repo', location: at('repository'), path: at('repository') }) : failure('repository-missing')),
    snapshots: () => Promise.resolve(ok([])),
    check: () => Promise.resolve(answers.shift() ?? failure('failed')),
  }
  const transport: Partial<Transport> = {
    location: 'remote:',
    ready: () => Promise.resolve(ok(undefined)),
    list: () => Promise.resolve(ok([])),
    download: ({ files, localRoot }) => {
      for (const path of files) write(`${localRoot.slice(at('').length)}/${path}`, 'pack')
      return Promise.resolve(ok({ files: files.length, bytes: 0 }))
    },
  }
  return testRun({ engine, transport })
}

const choices = { percent: undefined, cloud: false, repair: false }

describe('a verification of the repository', () => {
  it('that finds a corrupt file ends with 6', async () => {
    const { result, exitCode } = await verify(runWith({ checks: [damaged] }), choices)
    expect([exitCode, result.status, result.corrupt]).toEqual([6, 'failed', [{ file: pack, where: 'local', healed: false }]])
  })

  it.each([['repository-locked', 11], ['timed-out', 1], ['tool-not-answering', 4], ['failed', 1]] as const)('that could not be made (%s) ends with the code of that', async (kind, code) => {
    const error = await errorOf(() => verify(runWith({ checks: [failure(kind)] }), choices))
    expect(error.kind).toBe(kind)
    expect(code).not.toBe(6)
  })

  it('whose disk goes away meanwhile is not damage, and nothing is repaired in the folder below', async () => {
    let calls = 0
    const run = runWith({ checks: [damaged], opens: () => ++calls === 1 })
    expect((await errorOf(() => verify(run, { ...choices, repair: true }))).kind).toBe('repository-missing')
  })

  it('that waits for other runs is waited for by them, and no other one is', async () => {
    for (const [more, expected] of [[{ waits: true }, 1], [{}, 0], [{ waits: true, cloud: true }, 0]] as const) {
      const locked: unknown[] = []
      const run = { ...runWith({ checks: [intact] }), lock: (thing: unknown) => Promise.resolve(void locked.push(thing)) }
      await verify(run, { ...choices, ...more }).catch(() => null)
      expect(locked).toHaveLength(expected)
    }
  })

  it('that cannot read the folders of the repository is not made', async () => {
    const run = runWith({ checks: [damaged] })
    rmSync(at('repository/keys'), { recursive: true })
    expect(await errorOf(() => verify(run, choices))).toMatchObject({ kind: 'failed', code: 'verification-not-made' })
  })

  it('that repaired all files, and whose last check could not be made, does not say that the repository is damaged', async () => {
    const { result, exitCode } = await verify(runWith({ checks: [damaged, failure('repository-locked')] }), { ...choices, repair: true })
    expect([exitCode, result.status, result.corrupt, result.problems.map(({ code }) => code)]).toEqual([11, 'failed', [{ file: pack, where: 'local', healed: true }], ['verification-not-made']])
  })

  it('that repaired all files and passes its last check is ok', async () => {
    const { result, exitCode } = await verify(runWith({ checks: [damaged, intact] }), { ...choices, repair: true })
    expect([exitCode, result.status]).toEqual([0, 'ok'])
  })
})
