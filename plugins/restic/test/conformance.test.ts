import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { engineSuite } from '@stackbk/contract/conformance'
import { restic } from '@stackbk/plugin-restic'
import { afterEach, describe, test, vi } from 'vitest'

import { makeQuickRepository } from '../../../test/fixtures/quick-repository.js'
import { benchIn, contextOf, freshFolder } from './bench.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('restic is a snapshot engine as the core expects one', () => {
  const suite = engineSuite(async () => {
    const folder = freshFolder()
    const { repository, source, settings, password } = benchIn(folder)
    vi.stubEnv('RESTIC_CACHE_DIR', join(folder, 'restic-cache'))
    const scratch = join(folder, 'scratch')
    mkdirSync(scratch)
    const wrong = join(folder, 'wrong-password')
    writeFileSync(wrong, 'not-the-password')
    return {
      engine: await restic.create(settings, contextOf(folder)),
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
  for (const { name, run } of suite) test(name, run)
})
