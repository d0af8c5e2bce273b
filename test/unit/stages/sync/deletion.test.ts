import { describe, expect, it } from 'vitest'

import { SnapshotRecord } from '../../../../src/stages/repository-memory.js'
import { planDeletion, type DeletionPlan } from '../../../../src/stages/sync/deletion.js'
import { groupFiles, type FileList } from '../../../../src/stages/sync/file-list.js'
import { at } from '../fixtures.js'
import { layout, nameOf } from './layout.js'

const gigabyte = 1024 ** 3

/** Snapshots by number, and what lies beside them. */
const snapshot = (number: number): string => nameOf(`snapshot ${number}`)
const snapshots = (...numbers: number[]): string[] => numbers.map((number) => `snapshots/${snapshot(number)}`)
const pack = (number: number): string => `data/aa/${nameOf(`pack ${number}`)}`
const upTo = (count: number, from = 1): number[] => Array.from({ length: count }, (_, index) => index + from)

describe('what may be deleted from the remote', () => {
  const listOf = (paths: readonly (string | readonly [string, number])[]): FileList =>
    groupFiles(layout, paths.map((entry) => (typeof entry === 'string' ? { path: entry, size: 100 } : { path: entry[0], size: entry[1] }))).list

  /** A record by which snapshots were here, and of those some forgotten by us. */
  function recordOf(seen: readonly number[], forgotten: readonly number[] = []): SnapshotRecord {
    const record = new SnapshotRecord(at('repositories'), 'repository')
    record.noteSeen(seen.map(snapshot))
    record.willForget(forgotten.map(snapshot))
    record.didForget(forgotten.map(snapshot))
    return record
  }

  const plan = (local: Parameters<typeof listOf>[0], remote: Parameters<typeof listOf>[0], record: SnapshotRecord, maxPercent = 50): DeletionPlan => planDeletion(listOf(local), listOf(remote), record, maxPercent)

  it('is nothing when the remote has nothing more', () => {
    expect(plan(['config', pack(1), ...snapshots(1, 2)], ['config', ...snapshots(1)], recordOf([1, 2]))).toEqual({ files: [], snapshots: 0, bytes: 0, guards: [] })
  })

  it('is a snapshot that stackbk has forgotten, with its index and packs, snapshots first', () => {
    const remote = ['config', pack(1), pack(2), `index/${nameOf('old')}`, `index/${nameOf('new')}`, ...snapshots(1, 2)]
    const { files, snapshots: count, bytes, guards } = plan(['config', pack(2), `index/${nameOf('new')}`, ...snapshots(2)], remote, recordOf([1, 2], [1]))
    expect(guards).toEqual([])
    expect(files.map(({ path }) => path)).toEqual([...snapshots(1), `index/${nameOf('old')}`, pack(1)])
    expect({ count, bytes }).toEqual({ count: 1, bytes: 300 })
  })

  it('is never the configuration, and nothing that has no name of the layout', () => {
    const { files } = plan([...snapshots(1)], ['config', 'README', 'data/aa/notes.txt', 'keys/x', 'other/file', ...snapshots(1)], recordOf([1]))
    expect(files).toEqual([])
  })

  it.each([
    ['was here and went without us (a disk rolled back, files deleted by hand)', recordOf.bind(null, [1, 2], []), /went otherwise than by stackbk/],
    ['was never here (another host writes there too, or our state folder is new)', recordOf.bind(null, [2], []), /this host never held/],
  ])('is nothing at all as long as one snapshot %s', (_, record, reason) => {
    const { guards } = plan([pack(2), ...snapshots(2, 3)], [pack(1), pack(2), ...snapshots(1, 2, 3)], record())
    expect(guards).toMatchObject([{ severity: 'error', code: 'unproven-deletion', fix: expect.stringContaining('--allow-delete') }])
    expect(guards[0]?.message).toMatch(reason)
    expect(guards[0]?.message).toContain(snapshot(1).slice(0, 8))
  })

  it('is nothing, the packs of the proven ones included, when only one of many is unproven', () => {
    expect(plan([...snapshots(9)], [...snapshots(1, 2, 3, 9)], recordOf([1, 2, 3, 9], [1, 3])).guards).toMatchObject([{ code: 'unproven-deletion' }])
  })

  it('is not a snapshot that was forgotten and has come back since', () => {
    const record = recordOf([1, 2], [1])
    record.noteSeen([snapshot(1)])
    expect(plan([...snapshots(2)], [...snapshots(1, 2)], record).guards).toMatchObject([{ code: 'unproven-deletion' }])
  })

  it('is nothing when there is no snapshot here any more, forgotten or not', () => {
    expect(plan(['config'], ['config', ...snapshots(1, 2)], recordOf([1, 2], [1, 2])).guards).toMatchObject([{ code: 'no-snapshots-here' }])
  })

  it('may be packs alone, which a prune has rewritten', () => {
    expect(plan([pack(2), ...snapshots(1)], [pack(1), ...snapshots(1)], recordOf([1]))).toMatchObject({ snapshots: 0, guards: [] })
  })

  it.each([
    ['10 of 11, since so few may always go', 10, 11, 50, []],
    ['11 of 22, which is just the share', 11, 22, 50, []],
    ['11 of 21, which is more', 11, 21, 50, ['max-delete']],
    ['11 of 100 with a share of 10 %', 11, 100, 10, ['max-delete']],
    ['11 of 110 with a share of 10 %', 11, 110, 10, []],
    ['99 of 100 with a share of 100 %', 99, 100, 100, []],
    ['11 of 1000 with a share of 0 %', 11, 1000, 0, ['max-delete']],
  ])('of snapshots is %s', (_, gone, all, maxPercent, codes) => {
    const forgotten = upTo(gone)
    const kept = upTo(all - gone, gone + 1)
    const { guards } = plan(snapshots(...kept), snapshots(...forgotten, ...kept), recordOf([...forgotten, ...kept], forgotten), maxPercent)
    expect(guards.map(({ code }) => code)).toEqual(codes)
  })

  it.each([
    ['1 GiB of 1 GiB and a little, since so little may always go', gigabyte, 1, []],
    ['2 GiB of 4, which is just the share', 2 * gigabyte, 2 * gigabyte, []],
    ['2 GiB of less than 4, which is more', 2 * gigabyte, 2 * gigabyte - 1000, ['max-delete']],
  ])('of bytes is %s', (_, gone, kept, codes) => {
    const remote = [[pack(1), gone], [pack(2), kept], [snapshots(1)[0] ?? '', 0]] as const
    const { guards, bytes } = plan([[pack(2), kept], [snapshots(1)[0] ?? '', 0]], remote, recordOf([1]))
    expect(bytes).toBe(gone)
    expect(guards.map(({ code }) => code)).toEqual(codes)
  })
})
