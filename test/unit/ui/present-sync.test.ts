import { expect, it } from 'vitest'

import type { SyncResult } from '../../../src/stages/sync/sync-result.js'
import { presentSync } from '../../../src/ui/present-sync.js'

const result = {
  status: 'ok',
  dryRun: false,
  durationMs: 500,
  remote: 'cloud:/backup',
  uploaded: { files: 1, bytes: 1024 },
  deleted: { files: 0, snapshots: 0, bytes: 0 },
  attempts: 1,
  verified: true,
  problems: [],
} as unknown as SyncResult

it('says what was uploaded, and that nothing was deleted', () => {
  expect(presentSync(result).split('\n')).toEqual(['remote     cloud:/backup', 'uploaded   1 file, 1.0 KiB', 'deleted    nothing', 'verified   the remote holds all that the repository has', '', 'sync ok in 0.5 s'])
})

it('says of a dry run what would be done', () => {
  const planned = { ...result, dryRun: true, uploaded: { files: 14, bytes: 0 }, deleted: { files: 3, snapshots: 1, bytes: 2048 } }
  expect(presentSync(planned).split('\n')).toEqual(['remote        cloud:/backup', 'would upload  14 files, 0 B', 'would delete  3 files (1 snapshot), 2.0 KiB', '', 'dry run: nothing was changed'])
})

it('says of a test of the remote that it answers, and not that something was synced', () => {
  expect(presentSync(result, { isTest: true })).toBe('cloud:/backup answers (0.5 s). Nothing was copied.')
})
