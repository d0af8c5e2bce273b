import type { Engine, RetentionRequest } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import type { StackDraft } from '../../../../src/stages/backup/backup-result.js'
import { applyRetention } from '../../../../src/stages/backup/retention.js'
import { SnapshotRecord } from '../../../../src/stages/repository-memory.js'
import { at, ok, partly, snapshotOf, testRun } from '../fixtures.js'

describe('retention', () => {
  async function retain(newest: Date) {
    const asked: RetentionRequest[] = []
    const engine = partly<Engine>('engine', { retain: (request) => (asked.push(request), Promise.resolve(ok({ removed: ['old'], kept: ['new'] }))) })
    const record = new SnapshotRecord(at('repositories'), 'id')
    const snapshots = [snapshotOf('old'), snapshotOf('newest', { time: newest.toISOString() })]
    const draft = { name: 'web', status: 'ok', verification: 'ok', snapshot: { id: 'new' } } as unknown as StackDraft
    const end = await applyRetention(testRun(), { engine, repository: { id: 'id', location: 'place', path: null }, snapshots, record, isNew: false }, [draft])
    return { end, asked, record }
  }

  it('is noted, so that the copies may follow', async () => {
    const { end, record } = await retain(new Date())
    expect(end.report).toEqual({ status: 'ok', removed: 1, forgotten: [{ id: 'old', time: snapshotOf('old').time, stack: 'web' }] })
    expect([record.wasForgotten('old'), record.wasForgotten('newest')]).toEqual([true, false])
  })

  it('is left out, and that is said, where the clock is behind the newest snapshot: by a wrong clock the wrong ones would go', async () => {
    const { end, asked } = await retain(new Date(Date.now() + 2 * 60 * 60 * 1000))
    expect(asked).toEqual([])
    expect(end).toMatchObject({ report: { status: 'skipped', removed: 0 }, problems: [{ severity: 'warning', code: 'clock-behind', stack: 'web', fix: expect.stringContaining('Set the clock') as string }] })
  })

  it('goes on for the stacks and hosts that have no snapshot dated in the future', async () => {
    const asked: RetentionRequest[] = []
    const engine = partly<Engine>('engine', { retain: (request) => (asked.push(request), Promise.resolve(ok({ removed: ['old'], kept: [] }))) })
    const record = new SnapshotRecord(at('repositories'), 'id')
    const later = new Date(Date.now() + 365 * 24 * 60 * 60 * 1000).toISOString()
    const snapshots = [snapshotOf('old', { tags: ['stackbk', 'stack:mail'] }), snapshotOf('odd', { time: later }), snapshotOf('elsewhere', { time: later, host: 'another', tags: ['stackbk', 'stack:mail'] })]
    const drafts = ['web', 'mail'].map((name) => ({ name, status: 'ok', verification: 'ok', snapshot: { id: `new-${name}` } }) as unknown as StackDraft)
    const end = await applyRetention(testRun(), { engine, repository: { id: 'id', location: 'place', path: null }, snapshots, record, isNew: false }, drafts)
    expect(asked.map(({ tagSets }) => tagSets)).toEqual([[['stackbk', 'stack:mail']]])
    expect(end).toMatchObject({ report: { status: 'ok', removed: 1 }, problems: [{ code: 'clock-behind', stack: 'web', message: expect.stringContaining('odd') as string }] })
  })

  it.each(['failed', 'unknown'] as const)('forgets nothing of a stack whose live snapshot has the verification "%s"', async (verification) => {
    const engine = partly<Engine>('engine', {})
    const draft = { name: 'web', status: 'partial', marks: new Set(['live']), verification, snapshot: { id: 'new' } } as unknown as StackDraft
    const end = await applyRetention(testRun(), { engine, repository: { id: 'id', location: 'place', path: null }, snapshots: [], record: new SnapshotRecord(at('repositories'), 'id'), isNew: false }, [draft])
    expect(end.report).toEqual({ status: 'skipped', removed: 0 })
  })
})
