import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'

import type { Engine, Snapshot } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { emptyDraft, type StackDraft } from '../../../../src/stages/backup/backup-result.js'
import { makePendingMarks, markSnapshot, recordMarks } from '../../../../src/stages/backup/marking.js'
import { bestSnapshot, lastGoodSnapshot, type Mark } from '../../../../src/stages/backup/stack-snapshots.js'
import { pendingMarks, recordMark, recordMarkMade, withPendingMarks } from '../../../../src/stages/pending-marks.js'
import { SnapshotRecord } from '../../../../src/stages/repository-memory.js'
import type { OpenRepository } from '../../../../src/stages/repository.js'
import { at, failure, ok, partly, snapshotOf, stackAt, testRun } from '../fixtures.js'

const locked = failure('repository-locked')

function repositoryWith(tag: Engine['tag'], snapshots: readonly Snapshot[] = []): OpenRepository {
  return { engine: partly<Engine>('engine', { tag }), repository: { id: 'repo', location: 'place', path: null }, snapshots, record: new SnapshotRecord(at('repositories'), 'repo'), isNew: false }
}

function draftWith(id: string, ...marks: Mark[]): StackDraft {
  const draft = emptyDraft(stackAt())
  draft.snapshot = { id, bytesAdded: 1, bytesProcessed: 1, filesNew: 1, filesChanged: 0, filesUnmodified: 0 }
  for (const mark of marks) draft.marks.add(mark)
  return draft
}

describe('a mark', () => {
  it('that is made leaves no record, and the report has the new ID', async () => {
    const run = testRun()
    const draft = draftWith('old', 'live')
    await markSnapshot(run, repositoryWith(() => Promise.resolve(ok({ id: 'new' }))), draft)
    expect([draft.snapshot?.id, draft.problems, pendingMarks(run.state.marks)]).toEqual(['new', [], []])
  })

  it('that cannot be made counts as made: the older good snapshot is the last good one and the one to recover', async () => {
    const run = testRun()
    const draft = draftWith('fresh', 'live')
    await markSnapshot(run, repositoryWith(() => Promise.resolve(locked)), draft)
    expect(draft.problems).toMatchObject([{ severity: 'warning', code: 'not-marked', message: expect.stringContaining('repository-locked') as string }])
    const snapshots = withPendingMarks([snapshotOf('good'), snapshotOf('fresh')], run.state.marks)
    expect(snapshots.map(({ tags }) => tags)).toEqual([['stackbk', 'stack:web'], ['stackbk', 'stack:web', 'live']])
    expect([lastGoodSnapshot(snapshots, 'web', 'host')?.id, bestSnapshot(snapshots, 'web', 'host')?.id]).toEqual(['good', 'good'])
  })

  it('is recorded as soon as it is known, before a kill can come between', () => {
    const run = testRun()
    recordMarks(run, repositoryWith(() => Promise.reject(new Error('not yet'))), draftWith('fresh', 'live', 'partial'))
    expect(pendingMarks(run.state.marks)).toMatchObject([{ snapshotId: 'fresh', repositoryId: 'repo', marks: ['live', 'partial'], madeAs: null }])
  })

  it('that can neither be made nor recorded is an error', async () => {
    const run = testRun()
    mkdirSync(run.state.root, { recursive: true })
    writeFileSync(run.state.marks, 'a file where the folder should be')
    const draft = draftWith('fresh', 'live')
    await markSnapshot(run, repositoryWith(() => Promise.resolve(locked)), draft)
    expect(draft.problems).toMatchObject([{ severity: 'error', code: 'not-marked' }])
  })

  it('whose record is damaged counts as partial', () => {
    const run = testRun()
    recordMark(run.state.marks, { snapshotId: 'fresh', repositoryId: 'repo', marks: ['live'] })
    writeFileSync(`${run.state.marks}/fresh.json`, '{"snapsh')
    expect(withPendingMarks([snapshotOf('fresh')], run.state.marks)[0]?.tags).toEqual(['stackbk', 'stack:web', 'partial'])
  })
})

describe('the marks that an earlier run could not make', () => {
  it('are made, and the snapshots have their new IDs; a copy that holds an old one still shows the mark', async () => {
    const run = testRun()
    recordMark(run.state.marks, { snapshotId: 'old', repositoryId: 'repo', marks: ['live'] })
    const asked: unknown[] = []
    const repository = await makePendingMarks(run, repositoryWith((id, change) => (asked.push([id, change]), Promise.resolve(ok({ id: 'new' }))), [snapshotOf('good'), snapshotOf('old')]), [])
    expect(asked).toEqual([['old', { add: ['live'] }]])
    expect(repository.snapshots.map(({ id }) => id)).toEqual(['good', 'new'])
    expect([repository.record.wasForgotten('old'), repository.record.wasSeen('new')]).toEqual([true, true])
    expect(withPendingMarks([snapshotOf('old')], run.state.marks)[0]?.tags).toContain('live')
  })

  it('wait on while another client keeps the repository, which is asked for one of them only', async () => {
    const run = testRun()
    for (const snapshotId of ['a', 'b']) recordMark(run.state.marks, { snapshotId, repositoryId: 'repo', marks: ['live'] })
    let asked = 0
    await makePendingMarks(run, repositoryWith(() => (asked++, Promise.resolve(locked)), [snapshotOf('a'), snapshotOf('b')]), [])
    expect([asked, pendingMarks(run.state.marks).length]).toEqual([1, 2])
  })

  it('are dropped when the snapshot is gone from its repository or the mark was made long ago, and kept for another repository', async () => {
    const run = testRun()
    recordMark(run.state.marks, { snapshotId: 'gone', repositoryId: 'repo', marks: ['live'] })
    recordMark(run.state.marks, { snapshotId: 'elsewhere', repositoryId: 'another', marks: ['live'] })
    recordMark(run.state.marks, { snapshotId: 'own', repositoryId: 'repo', marks: ['live'] })
    recordMark(run.state.marks, { snapshotId: 'made', repositoryId: 'repo', marks: ['live'] })
    const [made] = pendingMarks(run.state.marks).filter(({ snapshotId }) => snapshotId === 'made')
    recordMarkMade(run.state.marks, { ...made!, recordedAt: '2026-01-01T00:00:00.000Z' }, 'new')
    await makePendingMarks(run, repositoryWith(() => Promise.reject(new Error('not asked'))), ['own'])
    expect(readdirSync(run.state.marks).sort()).toEqual(['elsewhere.json', 'own.json'])
  })

  it('keep to their folder, whatever the ID of a snapshot is', () => {
    const run = testRun()
    recordMark(run.state.marks, { snapshotId: '../../out', repositoryId: null, marks: ['live'] })
    expect(existsSync(at('out.json'))).toBe(false)
    expect(pendingMarks(run.state.marks).map(({ snapshotId }) => snapshotId)).toEqual(['../../out'])
  })
})
