import { expect, it } from 'vitest'

import type { RestoreResult } from '../../../src/stages/restore/restore-result.js'
import { presentRestore } from '../../../src/ui/present-restore.js'

const result = (verification: object): RestoreResult => ({ source: 'cloud:backup', target: '/srv/repository', files: 12, bytes: 2048, snapshots: 3, verification, problems: [], nextSteps: ['Set RESTIC_REPOSITORY=/srv/repository'], dryRun: false, status: 'ok', durationMs: 2000 }) as unknown as RestoreResult

it('what a restore has compared is told, and nothing is claimed of an engine whose files have no such names', () => {
  expect(presentRestore(result({ status: 'ok', filesChecked: 12, corrupt: [] }))).toContain('\nverification  ok: 12 files checked against their SHA-256 names, all intact\n')
  expect(presentRestore(result({ status: 'failed', filesChecked: 1, corrupt: ['data/x'] }))).toContain('\nverification  failed: 1 file checked against its SHA-256 name, 1 corrupt\n')
  expect(presentRestore(result({ status: 'ok', filesChecked: 0, corrupt: [] }))).toContain('\nverification  ok\n')
  expect(presentRestore(result({ status: 'ok', filesChecked: 0, corrupt: [] }))).toMatch(/restore ok in .*\n\nNext steps:\n {2}1\. Set RESTIC_REPOSITORY/)
})
