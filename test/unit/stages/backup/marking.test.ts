import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'

import type { Engine, Snapshot } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { emptyDraft, type StackDraft } from '../../../../src/stages/backup/backup-result.js'
import { guardAgainstShrinking, makePendingMarks, markSnapshot, recordMarks } from '../../../../src/stages/backup/marking.js'
import { bestSnapshot, lastGoodSnapshot, type Mark } from '../../../../src/stages/backup/stack-snapshots.js'
import { rememberStack } from '../../../../src/stacks/stack-memory.js'
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

describe('the shrink guard', () => {
  const kib = 1024
  const mib = 1024 * kib
  const gib = 1024 * mib

  /** The marks of a snapshot of so many files and bytes, after a good one of so many. */
  function marksAfter(before: { files: number; bytes: number }, now: { files: number; bytes: number }, acceptShrink = false): { marks: readonly string[]; status: string } {
    const run = testRun()
    rememberStack(run.state.stacks, 'key', { schemaVersion: 1, name: 'web', directory: at('stacks/web'), lastGood: { id: 'good', time: '2026-01-01T00:00:00.000Z', repositoryId: 'repo', ...before }, lastDowntimeMs: null, lastReadyMs: null })
    const draft = { ...emptyDraft(stackAt()), status: 'ok' as const, ownFiles: 1, snapshot: { id: 'fresh', bytesAdded: 0, bytesProcessed: now.bytes, filesNew: 0, filesChanged: 0, filesUnmodified: now.files + 1 } }
    guardAgainstShrinking(run, draft, 'key', acceptShrink)
    return { marks: [...draft.marks], status: draft.status }
  }

  const ordinary: [string, { files: number; bytes: number }, { files: number; bytes: number }][] = [
    ['of a small stack a handful of small files', { files: 6, bytes: 20 * kib }, { files: 2, bytes: 5 * kib }],
    ['19 files of a few bytes each', { files: 20, bytes: 800 }, { files: 1, bytes: 40 }],
    ['12 small files next to a large one', { files: 15, bytes: 5 * gib }, { files: 3, bytes: 5 * gib - 100 * kib }],
    ['one of three large files', { files: 3, bytes: 30 * gib }, { files: 2, bytes: 20 * gib }],
    ['a log that was rotated, just below the floor', { files: 4, bytes: mib }, { files: 4, bytes: kib }],
    ['less than the guard allows', { files: 1000, bytes: gib }, { files: 500, bytes: gib / 2 }],
    ['nothing: it has grown', { files: 10, bytes: mib }, { files: 1000, bytes: gib }],
  ]
  it.each(ordinary)('accepts the loss of %s', (_, before, now) => {
    expect(marksAfter(before, now)).toEqual({ marks: [], status: 'ok' })
  })

  const suspicious: [string, { files: number; bytes: number }, { files: number; bytes: number }][] = [
    ['an emptied folder of many files', { files: 1000, bytes: 300 * mib }, { files: 15, bytes: 10 * mib }],
    ['an emptied folder of many tiny files', { files: 1000, bytes: 200 * kib }, { files: 15, bytes: 150 * kib }],
    ['two of three large files', { files: 3, bytes: 30 * gib }, { files: 1, bytes: 10 * gib }],
    ['the content of files that are still there', { files: 8, bytes: 10 * gib }, { files: 8, bytes: mib }],
    ['20 files out of 21', { files: 21, bytes: 2100 }, { files: 1, bytes: 100 }],
    ['the one database of a small stack', { files: 3, bytes: 3 * mib }, { files: 2, bytes: 10 * kib }],
  ]
  it.each(suspicious)('marks a snapshot that lost %s', (_, before, now) => {
    expect(marksAfter(before, now)).toEqual({ marks: ['shrunk'], status: 'partial' })
    expect(marksAfter(before, now, true)).toEqual({ marks: [], status: 'ok' })
  })

  it('fails a snapshot without any file of the stack, however small the stack was', () => {
    expect(marksAfter({ files: 1, bytes: 10 }, { files: 0, bytes: 500 })).toEqual({ marks: ['partial'], status: 'failed' })
  })
})
