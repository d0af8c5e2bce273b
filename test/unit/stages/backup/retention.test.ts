import type { Engine, RetentionRequest } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import type { StackDraft } from '../../../../src/stages/backup/backup-result.js'
import { type Dirlist, readDirlist } from '../../../../src/stacks/dirlist.js'
import { applyRetention } from '../../../../src/stages/backup/retention.js'
import { SnapshotRecord } from '../../../../src/stages/repository-memory.js'
import { at, ok, partly, snapshotOf, testRun, write } from '../fixtures.js'

function dirlistNow(): Dirlist {
  return readDirlist({ file: at('dirlist'), stacksDirectory: at('stacks') })
}

describe('retention', () => {
  async function retain(newest: Date) {
    const asked: RetentionRequest[] = []
    const engine = partly<Engine>('engine', { retain: (request) => (asked.push(request), Promise.resolve(ok({ removed: ['old'], kept: ['new'] }))) })
    const record = new SnapshotRecord(at('repositories'), 'id')
    const snapshots = [snapshotOf('old'), snapshotOf('newest', { time: newest.toISOString() })]
    const draft = { name: 'web', status: 'ok', verification: 'ok', snapshot: { id: 'new' } } as unknown as StackDraft
    const end = await applyRetention(testRun(), { engine, repository: { id: 'id', location: 'place', path: null }, snapshots, record, isNew: false }, [draft], dirlistNow())
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
    const end = await applyRetention(testRun(), { engine, repository: { id: 'id', location: 'place', path: null }, snapshots, record, isNew: false }, drafts, dirlistNow())
    expect(asked.map(({ tagSets }) => tagSets)).toEqual([[['stackbk', 'stack:mail']]])
    expect(end).toMatchObject({ report: { status: 'ok', removed: 1 }, problems: [{ code: 'clock-behind', stack: 'web', message: expect.stringContaining('odd') as string }] })
  })

  it('neither counts nor forgets what another stack of the name has in the repository', async () => {
    write('stacks/web/compose.yaml', 'services: {}\n')
    write('other/web/compose.yaml', 'services: {}\n')
    write('dirlist', `web=false\n${at('other/web')}=true\n`)
    const days = Array.from({ length: 40 }, (_, day) => new Date(Date.UTC(2026, 0, 1 + day)).toISOString())
    const ofOther = days.slice(0, 2).map((time, index) => snapshotOf(`switched-off-${index}`, { time, paths: [at('stacks/web')] }))
    const own = days.slice(2).map((time, index) => snapshotOf(`own-${index}`, { time, paths: [at('other/web')] }))
    const forgotten: string[] = []
    const engine = partly<Engine>('engine', { snapshots: () => Promise.resolve(ok([...ofOther, ...own])), forget: (ids) => (forgotten.push(...ids), Promise.resolve(ok({ removed: ids }))) })
    const record = new SnapshotRecord(at('repositories'), 'id')
    const draft = { name: 'web', directory: at('other/web'), status: 'ok', verification: 'ok', snapshot: { id: own.at(-1)?.id } } as unknown as StackDraft
    const end = await applyRetention(testRun(), { engine: { ...engine, retain: () => Promise.reject(new Error('it goes by host and tags')) }, repository: { id: 'id', location: 'place', path: null }, snapshots: [...ofOther, ...own], record, isNew: false }, [draft], dirlistNow())
    expect(forgotten.length).toBeGreaterThan(10)
    expect(forgotten.filter((id) => !id.startsWith('own-'))).toEqual([])
    expect(end).toMatchObject({ report: { status: 'ok', removed: forgotten.length }, problems: [{ severity: 'warning', code: 'stacks-not-distinct', stack: 'web' }] })
  })

  it.each(['failed', 'unknown'] as const)('forgets nothing of a stack whose live snapshot has the verification "%s"', async (verification) => {
    const engine = partly<Engine>('engine', {})
    const draft = { name: 'web', status: 'partial', marks: new Set(['live']), verification, snapshot: { id: 'new' } } as unknown as StackDraft
    const end = await applyRetention(testRun(), { engine, repository: { id: 'id', location: 'place', path: null }, snapshots: [], record: new SnapshotRecord(at('repositories'), 'id'), isNew: false }, [draft], dirlistNow())
    expect(end.report).toEqual({ status: 'skipped', removed: 0 })
  })
})
