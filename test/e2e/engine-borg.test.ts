import { execFile, spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { DrillResult } from '../../src/stages/drill/drill-result.js'
import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import type { SnapshotsResult } from '../../src/stages/snapshots.js'
import type { VerifyResult } from '../../src/stages/verify/verify-result.js'
import { makeWorld, oneService, type World, type WorldStack } from '../fixtures/world.js'

const folder = fileURLToPath(new URL('../../examples/stackbk-plugin-borg', import.meta.url))
const hasBorg = spawnSync('borg', ['--version']).status === 0

/** Each call of borg takes half a second, and the suite has some hundred of them. */
const suiteLimitMs = 900_000

describe.skipIf(!hasBorg)('the example engine around borg', () => {
  it('passes the suite for engines', { timeout: suiteLimitMs }, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=tap'], { cwd: folder })
    expect(stdout).toMatch(/^# fail 0$/m)
  })

  describe('in place of restic', () => {
    let world: World
    let web: WorldStack
    beforeAll(async () => {
      world = await makeWorld()
      writeFileSync(join(world.root, 'passphrase'), 'a passphrase\n', { mode: 0o600 })
      world.configure({
        local_backup: { ENGINE: 'borg', KEEP_WITHIN: 0, KEEP_LAST: 1, KEEP_DAILY: 0, KEEP_WEEKLY: 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0 },
        'plugin:borg': { REPOSITORY: join(world.root, 'borg'), PASSPHRASE_FILE: join(world.root, 'passphrase') },
      })
      const { exitCode, stdout, stderr } = await world.run(['plugins', 'link', '--no-install', folder], { config: null, onHostNetwork: true })
      expect(exitCode, stdout + stderr).toBe(0)
      web = await world.stack('web', { model: oneService, files: { 'data/file': 'first' } })
    })
    afterAll(() => world.remove())

    it('backs up, keeps what the policy keeps, verifies, recovers and is drilled', async () => {
      for (const content of ['first', 'second']) {
        web.write('data/file', content)
        const backup = await world.backup()
        expect([backup.exitCode, backup.result.problems]).toEqual([0, []])
        expect(backup.stack('web').status).toBe('ok')
      }
      // The engine has no retain(): the core has chosen, and forgotten the first one.
      expect((await world.json<SnapshotsResult>(['snapshots'])).result.snapshots).toHaveLength(1)
      const verified = await world.json<VerifyResult>(['verify'])
      expect([verified.exitCode, verified.result.problems]).toEqual([0, []])

      rmSync(join(web.directory, 'data/file'))
      const recovered = await world.json<RecoverResult>(['recover', 'web', '--yes'])
      expect([recovered.exitCode, recovered.result.problems]).toEqual([0, []])
      expect(web.read('data/file')).toBe('second')
      expect(await web.running()).toEqual(['app'])

      const drill = await world.json<DrillResult>(['drill', '--local'])
      expect([drill.exitCode, drill.result.problems]).toEqual([0, []])
    })

    it.each([['sync'], ['restore', '/tmp/stackbk-never-restored'], ['verify', '--cloud'], ['drill'], ['kit', 'write', '/tmp/stackbk-never-written']])('refuses in one sentence, with exit code 2, what needs a copy file by file: %s', async (...args) => {
      const { exitCode, stdout, stderr } = await world.run(args)
      expect(exitCode, stdout + stderr).toBe(2)
      expect(stderr).toContain('the engine "borg" has no repository that stackbk can copy file by file')
    })
  })
})
