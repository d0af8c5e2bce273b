import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import type { Snapshot } from '@stackbk/contract'

import { writeFileAtomically } from '../host/atomic-write.js'
import { ensureFolder } from '../host/state-folder.js'

/** How long a mark is kept that was made late: a copy may hold the snapshot without it until its next sync. */
const keptMs = 30 * 24 * 60 * 60_000

/** The marks of one snapshot that the repository does not show, or did not show when a copy of it was made. */
export interface PendingMark {
  readonly schemaVersion: 1
  readonly snapshotId: string
  /** `null` where it was not known. */
  readonly repositoryId: string | null
  readonly marks: readonly string[]
  /** ISO 8601 UTC. */
  readonly recordedAt: string
  /** The ID that the snapshot has since the mark was made; `null` until then. */
  readonly madeAs: string | null
}

/** Returns all of them. A record that cannot be read counts as the mark `partial`: something is wrong with its snapshot. */
export function pendingMarks(folder: string): readonly PendingMark[] {
  return recordedIds(folder).map((snapshotId) => {
    try {
      const mark = JSON.parse(readFileSync(fileOf(folder, snapshotId), 'utf8')) as Partial<PendingMark> | null
      if (mark?.snapshotId === snapshotId && Array.isArray(mark.marks) && typeof mark.recordedAt === 'string') return { madeAs: null, repositoryId: null, ...mark } as PendingMark
    } catch {
      // As below.
    }
    return { schemaVersion: 1, snapshotId, repositoryId: null, marks: ['partial'], recordedAt: new Date(0).toISOString(), madeAs: null }
  })
}

/** Returns the snapshots with the marks that are recorded here among their tags, whether the repository shows them yet or not. */
export function withPendingMarks<T extends Snapshot>(snapshots: readonly T[], folder: string): readonly T[] {
  const recorded = new Map(pendingMarks(folder).map(({ snapshotId, marks }) => [snapshotId, marks]))
  if (recorded.size === 0) return snapshots
  return snapshots.map((snapshot) => {
    const marks = recorded.get(snapshot.id)?.filter((mark) => !snapshot.tags.includes(mark)) ?? []
    return marks.length === 0 ? snapshot : { ...snapshot, tags: [...snapshot.tags, ...marks] }
  })
}

/** Throws the system's error where it cannot be written. */
export function recordMark(folder: string, mark: Omit<PendingMark, 'schemaVersion' | 'recordedAt' | 'madeAs'>): void {
  ensureFolder(folder)
  const record: PendingMark = { schemaVersion: 1, ...mark, recordedAt: new Date().toISOString(), madeAs: null }
  writeFileAtomically(fileOf(folder, mark.snapshotId), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 })
}

/** The mark was made late: copies may still hold the snapshot under its old ID. Throws the system's error. */
export function recordMarkMade(folder: string, mark: PendingMark, madeAs: string): void {
  writeFileAtomically(fileOf(folder, mark.snapshotId), `${JSON.stringify({ ...mark, madeAs }, null, 2)}\n`, { mode: 0o600 })
}

/** Removes a record that nothing needs any more. One that is not there is no failure. */
export function dropMark(folder: string, snapshotId: string): void {
  rmSync(fileOf(folder, snapshotId), { force: true })
}

/** Whether every copy that is synced now and then has the mark by now. */
export function isOutdated({ madeAs, recordedAt }: PendingMark, now = Date.now()): boolean {
  return madeAs !== null && now - Date.parse(recordedAt) > keptMs
}

function recordedIds(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .flatMap((name) => {
        try {
          return [decodeURIComponent(name.slice(0, -'.json'.length))]
        } catch {
          return []
        }
      })
      .sort()
  } catch {
    return []
  }
}

function fileOf(folder: string, snapshotId: string): string {
  return join(folder, `${encodeURIComponent(snapshotId)}.json`)
}
