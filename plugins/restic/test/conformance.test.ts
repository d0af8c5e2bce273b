import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Engine, RepositoryLayout } from '@stackbk/contract'
import { engineSuite } from '@stackbk/contract/conformance'
import { restic } from '@stackbk/plugin-restic'
import { afterEach, describe, expect, test, vi } from 'vitest'

import { makeQuickRepository } from '../../../test/fixtures/quick-repository.js'
import { benchIn, contextOf, freshFolder } from './bench.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** The suite on restic, with something of the engine changed. */
function suiteWith(change: (engine: Engine) => Engine = (engine) => engine): ReturnType<typeof engineSuite> {
  return engineSuite(async () => {
    const folder = freshFolder()
    const { repository, source, settings, password } = benchIn(folder)
    vi.stubEnv('RESTIC_CACHE_DIR', join(folder, 'restic-cache'))
    const scratch = join(folder, 'scratch')
    mkdirSync(scratch)
    const wrong = join(folder, 'wrong-password')
    writeFileSync(wrong, 'not-the-password')
    return {
      engine: change(await restic.create(settings, contextOf(folder))),
      withWrongPassword: await restic.create({ ...settings, RESTIC_PASSWORD_FILE: wrong }, contextOf(folder)),
      makeRepository: async () => makeQuickRepository(repository, password),
      repository,
      source,
      scratch,
      // Nobody can read another's memory by reading at 0.
      unreadable: '/proc/self/mem',
      dispose: async () => rmSync(folder, { recursive: true, force: true }),
    }
  })
}

describe('restic is a snapshot engine as the core expects one', () => {
  for (const { name, run } of suiteWith()) test(name, run)
})

describe('the suite for engines turns red for a layout that is not true', () => {
  const withLayout = (change: (layout: RepositoryLayout) => Partial<RepositoryLayout>) => (engine: Engine): Engine =>
    new Proxy(engine, {
      get: (target, name) => {
        if (name === 'layout') {
          const layout = target.layout!()
          return () => ({ ...layout, ...change(layout) })
        }
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  const without = (...roles: readonly string[]) => withLayout(({ groups }) => ({ groups: groups.filter(({ role }) => !roles.includes(role)) }))

  test.each([
    ['that leaves files out', without('index'), /^the layout covers/, /the file index\/\w+ of the repository is in a group of the layout/],
    ['without a group of the snapshots, which are then ignored', withLayout(({ groups, ignored }) => ({ groups: groups.filter(({ role }) => role !== 'snapshot'), ignored: [...ignored, 'snapshots'] })), /^the layout covers/, /the layout has a group of the role snapshot/],
    ['whose copies lack the key', withLayout(({ groups, ignored }) => ({ groups: groups.filter(({ role }) => role !== 'key'), ignored: [...ignored, 'keys'] })), /^a copy of the files alone/, /./],
  ])('%s', async (_what, change, sentence, words) => {
    const held = suiteWith(change).filter(({ name }) => sentence.test(name))
    expect(held).toHaveLength(1)
    await expect(held[0]!.run()).rejects.toThrow(words)
  })

  test('and takes copies that may only be read for what they are', async () => {
    for (const { name, run } of suiteWith(withLayout(() => ({ copiesAreReadOnly: true })))) if (name.startsWith('a copy of the files alone')) await run()
  })
})
