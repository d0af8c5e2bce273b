import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { removeUnfinishedWrites, writeFileAtomically } from '../host/atomic-write.js'
import { ensureFolder } from '../host/state-folder.js'

/** What is remembered of one stack from run to run. Losing it costs no data: the repository knows the snapshots. */
export interface StackMemory {
  readonly schemaVersion: 1
  readonly name: string
  readonly directory: string
  /** The last snapshot that was good. */
  readonly lastGood: {
    readonly id: string
    readonly time: string
    readonly repositoryId: string
    readonly files: number
    readonly bytes: number
  } | null
  /** Milliseconds; of the last run that stopped it. */
  readonly lastDowntimeMs: number | null
  readonly lastReadyMs: number | null
  /** New data in the repository, bytes, of the last few backups, oldest first; absent in a note of before it was noted. */
  readonly recentBytesAdded?: readonly number[]
  /** The last good snapshot was read from a copy whose files the engine will not know again. */
  readonly readsAllNext?: boolean
  /** Snapshots whose verification could not be made, oldest first: the next backup verifies them. Absent: none. */
  readonly unverified?: readonly UnverifiedSnapshot[]
}

/** A snapshot to be verified later, with what its verification compares. */
export interface UnverifiedSnapshot {
  readonly id: string
  readonly repositoryId: string
  /** All files of the snapshot, and their bytes. */
  readonly files: number
  readonly bytes: number
}

/** What is remembered under this key; `null` when nothing is, or it cannot be read. */
export function recallStack(folder: string, key: string): StackMemory | null {
  try {
    return JSON.parse(readFileSync(join(folder, `${key}.json`), 'utf8')) as StackMemory
  } catch {
    return null
  }
}

/** Returns what is remembered of all stacks, also of those whose folder is gone; without what cannot be read. */
export function stackMemories(folder: string): readonly StackMemory[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json')).flatMap((name) => recallStack(folder, name.slice(0, -'.json'.length)) ?? [])
  } catch {
    return []
  }
}

/** Only for a run that holds the lock of the stacks. */
export function rememberStack(folder: string, key: string, memory: StackMemory): void {
  const path = join(folder, `${key}.json`)
  ensureFolder(folder)
  removeUnfinishedWrites(path)
  writeFileAtomically(path, `${JSON.stringify(memory, null, 2)}\n`, { mode: 0o600 })
}
