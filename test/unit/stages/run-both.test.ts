import { describe, expect, it, vi } from 'vitest'

import { StackbkError } from '../../../src/errors.js'
import type { BackupResult } from '../../../src/stages/backup/backup-result.js'
import { runBoth } from '../../../src/stages/run-both.js'
import { testRun } from './fixtures.js'

const stages = vi.hoisted(() => ({ backup: vi.fn(), sync: vi.fn() }))
vi.mock('../../../src/stages/backup.js', () => ({ backup: stages.backup }))
vi.mock('../../../src/stages/sync.js', () => ({ sync: stages.sync }))

const choices = { names: [], verify: true, prune: true, acceptShrink: false, sync: true }
const saved = { result: { status: 'ok', problems: [] } as unknown as BackupResult, exitCode: 0 }
const busy = (holder: string): StackbkError => new StackbkError({ kind: 'busy', message: 'another stackbk run is at work', holder })

describe('a run', () => {
  it.each([['configuration', 2, 'there is no rclone remote named dead'], ['remote-unreachable', 5, 'the remote does not answer']] as const)('backs up although the sync cannot begin (%s), and then fails with %i', async (kind, code, message) => {
    stages.backup.mockResolvedValue(saved)
    stages.sync.mockRejectedValue(new StackbkError({ kind, message }))
    const { result, exitCode } = await runBoth(testRun(), choices)
    expect(stages.backup).toHaveBeenCalled()
    expect(exitCode).toBe(code)
    expect(result).toMatchObject({ status: 'partial', backup: { status: 'ok' }, sync: null, problems: [{ severity: 'error', message }] })
  })

  it.each([['stackbk run', 'busy'], ['stackbk backup', 'busy'], ['stackbk drill', 'failed'], ['', 'failed']] as const)('that a schedule calls ends while "%s" holds the lock as: %s', async (holder, kind) => {
    stages.backup.mockRejectedValue(busy(holder))
    await expect(runBoth(testRun(), { ...choices, isScheduled: true })).rejects.toMatchObject({ kind })
    await expect(runBoth(testRun(), choices)).rejects.toMatchObject({ kind: 'busy' })
  })
})
