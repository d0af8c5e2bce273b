import type { Engine, VerificationRequest } from '@stackbk/contract'
import { beforeEach, describe, expect, it } from 'vitest'

import { emptyDraft, type StackDraft } from '../../../../src/stages/backup/backup-result.js'
import { verifySnapshots } from '../../../../src/stages/backup/verification.js'
import { pendingMarks } from '../../../../src/stages/pending-marks.js'
import { SnapshotRecord } from '../../../../src/stages/repository-memory.js'
import type { OpenRepository } from '../../../../src/stages/repository.js'
import { at, failure, ok, partly, snapshotOf, stackAt, testRun } from '../fixtures.js'

/** The requests of each call, by ID. */
let asked: string[][] = []
let tagged: [string, readonly string[]][] = []

beforeEach(() => {
  asked = []
  tagged = []
})

function repositoryWith(verify: Engine['verify'], ids: readonly string[] = []): OpenRepository {
  const tag: Engine['tag'] = (id, { add = [] }) => (tagged.push([id, add]), Promise.resolve(ok({ id: `${id}-marked` })))
  return {
    engine: partly<Engine>('engine', { tag, verify: (requests, depth, options) => (asked.push(requests.map(({ id }) => id)), verify(requests, depth, options)) }),
    repository: { id: 'repo', location: 'place', path: null },
    snapshots: ids.map((id) => snapshotOf(id)),
    record: new SnapshotRecord(at('repositories'), 'repo'),
    isNew: false,
  }
}

function draftOf(id: string, more: Partial<StackDraft> = {}): StackDraft {
  return { ...emptyDraft(stackAt()), status: 'ok', snapshot: { id, bytesAdded: 1, bytesProcessed: 30, filesNew: 3, filesChanged: 0, filesUnmodified: 0 }, ...more }
}

const verdicts = (damaged: readonly string[] = []): Engine['verify'] => (requests: readonly VerificationRequest[]) => Promise.resolve(ok(requests.map(({ id }) => ({ id, isSound: !damaged.includes(id), reason: damaged.includes(id) ? 'its trees do not load' : '' }))))
const owed = (id: string, repositoryId = 'repo') => ({ id, repositoryId, files: 3, bytes: 30 })

describe('a snapshot that could not be verified', () => {
  it.each(['repository-locked', 'timed-out', 'failed', 'tool-not-answering', 'repository-missing'] as const)('because of a failure of kind %s makes its stack partial, is not marked, and asks for no exit code', async (kind) => {
    const draft = draftOf('fresh')
    await verifySnapshots(testRun(), repositoryWith(() => Promise.resolve(failure(kind))), [draft])
    expect(draft).toMatchObject({ status: 'partial', verification: 'unknown', problems: [{ severity: 'error', code: 'verification-not-made', stack: 'web', message: expect.stringContaining(kind) as string }] })
    expect([[...draft.codes], [...draft.marks], tagged]).toEqual([[], [], []])
    expect(draft.unverified).toEqual([owed('fresh')])
    expect(asked).toHaveLength(3)
  })

  it('because the engine left out its verdict does not make the others worse', async () => {
    const [one, two] = [draftOf('one'), draftOf('two')]
    await verifySnapshots(testRun(), repositoryWith(() => Promise.resolve(ok([{ id: 'two', isSound: true, reason: '' }]))), [one, two])
    expect([one.verification, one.status, two.verification, two.status]).toEqual(['unknown', 'partial', 'ok', 'ok'])
  })

  it('because the run was interrupted is verified by the next run', async () => {
    const draft = draftOf('fresh')
    await verifySnapshots(testRun(), repositoryWith(() => Promise.resolve(failure('cancelled'))), [draft])
    expect(draft).toMatchObject({ status: 'ok', verification: 'skipped', problems: [], unverified: [owed('fresh')] })
  })

  it('is ok where a second try verifies it', async () => {
    const draft = draftOf('fresh')
    const answers = [() => Promise.resolve(failure('failed')), verdicts()]
    await verifySnapshots(testRun(), repositoryWith((requests, depth) => answers.shift()!(requests, depth)), [draft])
    expect(draft).toMatchObject({ status: 'ok', verification: 'ok', problems: [], unverified: [] })
  })
})

describe('a snapshot that is damaged', () => {
  it('fails its stack with exit code 6 and is marked', async () => {
    const [draft, other] = [draftOf('fresh'), draftOf('other')]
    await verifySnapshots(testRun(), repositoryWith(verdicts(['fresh'])), [draft, other])
    expect(draft).toMatchObject({ status: 'failed', verification: 'failed', snapshot: { id: 'fresh-marked' }, problems: [{ code: 'verification-failed' }] })
    expect([[...draft.codes], tagged, other.verification]).toEqual([[6], [['fresh', ['partial']]], 'ok'])
  })

  it('as part of a damaged repository has exit code 6 too', async () => {
    const draft = draftOf('fresh')
    await verifySnapshots(testRun(), repositoryWith(() => Promise.resolve(failure('corrupt'))), [draft])
    expect([draft.verification, [...draft.codes], draft.problems[0]?.code]).toEqual(['failed', [6], 'verification-failed'])
  })
})

describe('the verification that an earlier run could not make', () => {
  it('is made up for, after that of the new snapshots, and forgotten', async () => {
    const draft = draftOf('fresh', { unverified: [owed('old')] })
    await verifySnapshots(testRun(), repositoryWith(verdicts(), ['old']), [draft])
    expect(asked).toEqual([['fresh'], ['old']])
    expect(draft).toMatchObject({ status: 'ok', verification: 'ok', unverified: [] })
  })

  it('that finds damage marks the old snapshot, and the new one stays good', async () => {
    const run = testRun()
    const draft = draftOf('fresh', { unverified: [owed('old')] })
    await verifySnapshots(run, repositoryWith(verdicts(['old']), ['old']), [draft])
    expect(draft).toMatchObject({ status: 'partial', verification: 'ok', unverified: [], problems: [{ code: 'earlier-snapshot-damaged' }] })
    expect([[...draft.codes], [...draft.marks], [...draft.damaged], tagged]).toEqual([[6], [], ['old'], [['old', ['partial']]]])
    expect(pendingMarks(run.state.marks)).toMatchObject([{ snapshotId: 'old', madeAs: 'old-marked' }])
  })

  it('waits on where it cannot be made again, and says nothing against the new snapshot', async () => {
    const draft = draftOf('fresh', { unverified: [owed('old')] })
    await verifySnapshots(testRun(), repositoryWith((requests, depth) => (requests[0]?.id === 'old' ? Promise.resolve(failure('timed-out')) : verdicts()(requests, depth)), ['old']), [draft])
    expect(draft).toMatchObject({ status: 'ok', verification: 'ok', problems: [], unverified: [owed('old')] })
  })

  it('is dropped where the snapshot is gone, and kept where it is of another repository', async () => {
    const draft = draftOf('fresh', { unverified: [owed('gone'), owed('elsewhere', 'another')] })
    await verifySnapshots(testRun(), repositoryWith(verdicts()), [draft])
    expect([asked, draft.unverified]).toEqual([[['fresh']], [owed('elsewhere', 'another')]])
  })

  it('does not grow without bound', async () => {
    const unverified = Array.from({ length: 7 }, (_, index) => owed(`old-${index}`))
    const draft = draftOf('fresh', { unverified })
    await verifySnapshots(testRun(), repositoryWith(() => Promise.resolve(failure('timed-out'))), [draft])
    expect(draft.unverified.map(({ id }) => id)).toEqual([...unverified.slice(1).map(({ id }) => id), 'fresh'])
  })
})
