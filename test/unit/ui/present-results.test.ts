import { describe, expect, it } from 'vitest'

import type { DrillResult } from '../../../src/stages/drill/drill-result.js'
import type { RecoverResult } from '../../../src/stages/recover/recover-result.js'
import type { VerifyResult } from '../../../src/stages/verify.js'
import { presentDrill } from '../../../src/ui/present-drill.js'
import { presentRecover } from '../../../src/ui/present-recover.js'
import { presentVerify } from '../../../src/ui/present-verify.js'
import { behindInWords } from '../../../src/ui/unread-repository.js'

const header = { status: 'ok', dryRun: false, durationMs: 1300, problems: [] }
const cells = (line: string | undefined): readonly string[] => (line ?? '').split(/ {2,}/)

describe('the result of a verify', () => {
  const verified = (more: object): string => presentVerify({ ...header, depth: 'remote 100 %', checked: 13, corrupt: [], ...more } as unknown as VerifyResult)

  it('says how many files of the remote were checked, and against what', () => {
    expect(verified({})).toBe('verify ok in 1.3 s: 13 remote files checked against their SHA-256 names, all intact')
    expect(verified({ checked: 1, depth: 'remote 20 %' })).toBe('verify ok in 1.3 s: 1 remote file checked against its SHA-256 name (remote 20 %), all intact')
    expect(verified({ checked: 0 })).toBe('verify ok in 1.3 s: no remote file checked')
  })

  it('says what of the local repository was checked, and which files are corrupt', () => {
    expect(verified({ depth: 'structure', checked: 0 })).toBe('verify ok in 1.3 s: structure checked')
    expect(verified({ status: 'failed', depth: 'data 5 %', checked: 4, corrupt: [{ file: 'data/ab', where: 'local', healed: false }, { file: 'data/cd', where: 'local', healed: true }] }))
      .toBe('local  data/ab  CORRUPT\nlocal  data/cd  replaced by an intact copy\n\nverify failed in 1.3 s: data 5 % checked, 4 files checked against their SHA-256 names, 2 corrupt')
  })
})

describe('the result of a drill', () => {
  const report = { name: 'web', snapshotId: '0123456789', dataAgeMs: 1000, recoveryMs: 2000, healthy: true, probe: 'skipped', filesCompared: 43, mismatches: 0, status: 'ok' }
  const drilled = (more: object): readonly string[] => cells(presentDrill({ ...header, source: 'cloud:', kept: null, stacks: [{ ...report, ...more }] } as unknown as DrillResult).split('\n')[1])

  it('says that there is no probe, and not that one was skipped', () => {
    expect(drilled({})).toEqual(['web', 'ok', '01234567', '1.0 s', '2.0 s', 'none', '43 match'])
    expect(drilled({ probe: 'ok' })[5]).toBe('ok')
    expect(drilled({ healthy: false, status: 'failed', mismatches: 2 }).slice(5)).toEqual(['-', '2 of 43 differ'])
  })
})

it('a dry run of a recovery shows no figures that are not known', () => {
  const stack = { name: 'web', directory: '/srv/web', snapshotId: '0123456789', status: 'ok', files: 0, bytes: 0, started: false, healthy: false, changes: null, problems: [] }
  const shown = (dryRun: boolean): readonly string[] => cells(presentRecover({ ...header, dryRun, stacks: [stack] } as unknown as RecoverResult).split('\n')[1])
  expect(shown(true)).toEqual(['web', 'would be recovered', '01234567', '-', '-', '-', '/srv/web'])
  expect(shown(false)).toEqual(['web', 'ok', '01234567', '0', '0 B', 'not started', '/srv/web'])
})

it.each([[null, 'unknown how many snapshots behind'], [0, '0 snapshots behind'], [1, '1 snapshot behind'], [2, '2 snapshots behind']])('%s snapshots that the cloud lacks are "%s"', (count, words) => {
  expect(behindInWords(count)).toBe(words)
})
