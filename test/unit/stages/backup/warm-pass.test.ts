import { mkdtempSync, rmSync, truncateSync } from 'node:fs'

import type { PreparedSnapshot, SnapshotRequest, SnapshotResult } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { stackKey } from '../../../../src/stacks/identity.js'
import { rememberStack, type StackMemory } from '../../../../src/stacks/stack-memory.js'
import type { StackPlan } from '../../../../src/stages/backup/stack-plan.js'
import { decideWarmPass, removeWarmSnapshots, takeWarmPass, warmRequest, withWarmPass } from '../../../../src/stages/backup/warm-pass.js'
import type { OpenRepository } from '../../../../src/stages/repository.js'
import { at, configuration, failure, ok, partly, snapshotOf, stackAt, testRun, write, type TestRun } from '../fixtures.js'

const plan = (more: Partial<StackPlan> = {}): StackPlan => partly<StackPlan>('plan', { stack: stackAt(), willStop: true, paths: [at('stacks/web')], ...more })
const holding = (...ids: string[]): OpenRepository => partly<OpenRepository>('repository', { snapshots: ids.map((id) => snapshotOf(id)) })
const set = (choice: string) => configuration(`[docker]\nWARM_PASS=${choice}\n`)
const mebibytes = 1024 ** 2

/** A file of so many bytes, which takes no room. */
const file = (name: string, bytes: number): void => truncateSync(write(`stacks/web/${name}`, ''), bytes)

function remember(run: TestRun, more: Partial<StackMemory>): void {
  rememberStack(run.state.stacks, stackKey(stackAt()), { schemaVersion: 1, name: 'web', directory: at('stacks/web'), lastGood: null, lastDowntimeMs: null, lastReadyMs: null, ...more })
}

describe('a warm pass', () => {
  const isWanted = async (run: TestRun, repository: OpenRepository, of = plan()): Promise<boolean> => (await decideWarmPass(run, of, repository)).isWanted

  it('is made by itself for a first backup with much to read, and for no small one', async () => {
    file('small', 63 * mebibytes)
    expect(await isWanted(testRun(), holding())).toBe(false)
    file('more', 2 * mebibytes)
    expect(await isWanted(testRun(), holding())).toBe(true)
  })

  it('is made by itself later only where much new data is to be expected', async () => {
    file('large', 500 * mebibytes)
    const run = testRun()
    expect(await isWanted(run, holding('earlier'))).toBe(false)
    remember(run, { recentBytesAdded: [1, 2, 500 * mebibytes] })
    expect(await isWanted(run, holding('earlier'))).toBe(false)
    remember(run, { recentBytesAdded: [1, 65 * mebibytes, 500 * mebibytes] })
    expect(await isWanted(run, holding('earlier'))).toBe(true)
  })

  it('is made by itself where all has to be read anew', async () => {
    const run = testRun()
    remember(run, { readsAllNext: true })
    file('small', mebibytes)
    expect(await isWanted(run, holding('earlier'))).toBe(false)
    file('large', 500 * mebibytes)
    expect(await isWanted(run, holding('earlier'))).toBe(true)
  })

  it('is made, or not, as it was said, and never of a stack that is not stopped', async () => {
    file('large', 500 * mebibytes)
    expect(await isWanted(testRun({ configuration: set('false') }), holding())).toBe(false)
    expect(await isWanted(testRun({ configuration: set('true') }), holding('earlier'))).toBe(true)
    expect(await isWanted(testRun({ configuration: set('true') }), holding(), plan({ willStop: false }))).toBe(false)
  })

  it('is not made where a file may change without a trace, and that is told when it was asked for', async () => {
    const memory = mkdtempSync('/dev/shm/stackbk-warm-')
    try {
      const both = plan({ paths: [at('stacks/web'), memory] })
      write('stacks/web/file')
      expect(await decideWarmPass(testRun(), both, holding())).toEqual({ isWanted: false, problems: [] })
      expect(await decideWarmPass(testRun({ configuration: set('true') }), both, holding())).toMatchObject({ isWanted: false, problems: [{ severity: 'warning', code: 'no-warm-pass', message: expect.stringContaining(memory) as string }] })
    } finally {
      rmSync(memory, { recursive: true })
    }
  })

  it('belongs to no stack, and holds nothing of ours', () => {
    const request: SnapshotRequest = { paths: [at('stacks/web'), at('capsule')], tags: ['stackbk', 'stack:web'], host: 'host', parent: 'earlier', excludes: ['*.tmp'] }
    expect(warmRequest(testRun(), request, plan())).toEqual({ paths: [at('stacks/web')], tags: expect.arrayContaining(['stackbk-warm']) as string[], host: 'host', parent: 'earlier', excludes: ['*.tmp'] })
  })

  const figures = { id: 'real', bytesAdded: 10, bytesProcessed: 100, filesNew: 0, filesChanged: 0, filesUnmodified: 10 }
  const taken = (more: Partial<SnapshotResult> = {}): SnapshotResult => ({ ...figures, id: 'warm', isComplete: true, unreadable: [], ...more })
  const preparedTo = (take: PreparedSnapshot['take']): PreparedSnapshot => ({ ready: Promise.resolve(ok(undefined)), take, abandon: () => Promise.resolve() })

  it('suspects what has changed since it began, and nothing older', async () => {
    write('stacks/web/new')
    const run = testRun()
    const warm = await takeWarmPass(run, plan(), preparedTo(() => (write('stacks/web/newer'), Promise.resolve(ok(taken())))))
    expect(warm.ok && warm.value.suspects?.map(({ path }) => path.toString()).sort()).toEqual([at('stacks/web/new'), at('stacks/web/newer')])
  })

  it('fails as the engine does, and is not built upon where nothing can be told', async () => {
    write('stacks/web/file')
    expect(await takeWarmPass(testRun(), plan(), preparedTo(() => Promise.resolve(failure('timed-out'))))).toEqual(failure('timed-out'))
    const gone = plan({ paths: [at('nothing')] })
    expect(await takeWarmPass(testRun(), gone, preparedTo(() => Promise.resolve(ok(taken()))))).toMatchObject({ ok: true, value: { snapshot: { id: 'warm' }, suspects: null } })
  })

  it('and the snapshot give figures as of one', () => {
    const warm = { snapshot: taken({ bytesAdded: 1000, filesNew: 6, filesChanged: 2, filesUnmodified: 2 }), suspects: [{ path: Buffer.from('a'), uid: 0, device: 1, inode: 2 }] }
    expect(withWarmPass({ ...figures, filesChanged: 1, filesUnmodified: 9 }, warm)).toEqual({ ...figures, bytesAdded: 1010, filesNew: 6, filesChanged: 2, filesUnmodified: 2 })
    expect(withWarmPass({ ...figures, filesNew: 3, filesChanged: 5, filesUnmodified: 2 }, warm)).toMatchObject({ filesNew: 9, filesChanged: 1, filesUnmodified: 0 })
    expect(withWarmPass({ ...figures, filesNew: 10, filesUnmodified: 0 }, { ...warm, suspects: null })).toMatchObject({ bytesAdded: 1010, filesNew: 10 })
  })

  it('leaves no snapshot: those of killed runs go as well, those of other hosts stay', async () => {
    const asked: unknown[] = []
    const tags = ['stackbk-warm']
    const repository = partly<OpenRepository>('repository', {
      snapshots: [snapshotOf('of the stack'), snapshotOf('left', { tags }), snapshotOf('elsewhere', { tags, host: 'another' })],
      record: partly<OpenRepository['record']>('record', { willForget: (ids) => (asked.push(['will', ids]), ok(undefined)), didForget: (ids) => asked.push(['did', ids]) }),
      engine: partly<OpenRepository['engine']>('engine', { forget: (ids, { prune }) => (asked.push([ids, prune]), Promise.resolve(ok({ removed: ids }))) }),
    })
    expect(await removeWarmSnapshots(testRun(), repository, ['made'])).toEqual([])
    expect(asked).toEqual([['will', ['left', 'made']], [['left', 'made'], false], ['did', ['left', 'made']]])
    asked.length = 0
    expect(await removeWarmSnapshots(testRun(), holding('of the stack'), [])).toEqual([])
  })

  it('whose snapshot cannot be removed says so, and finds out what is there', async () => {
    const settled: unknown[] = []
    const repository = partly<OpenRepository>('repository', {
      snapshots: [],
      record: partly<OpenRepository['record']>('record', { willForget: () => ok(undefined), settle: (ids) => settled.push(ids) }),
      engine: partly<OpenRepository['engine']>('engine', { forget: () => Promise.resolve(failure('repository-locked')), snapshots: () => Promise.resolve(ok([snapshotOf('made')])) }),
    })
    expect(await removeWarmSnapshots(testRun(), repository, ['made'])).toMatchObject([{ severity: 'warning', code: 'warm-snapshot-left' }])
    expect(settled).toEqual([['made']])
  })
})
