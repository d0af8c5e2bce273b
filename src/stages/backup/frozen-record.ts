import { rmSync } from 'node:fs'
import { join } from 'node:path'

import { writeFileAtomically } from '../../host/atomic-write.js'
import { readRecords } from '../../host/record-files.js'
import { ensureFolder } from '../../host/state-folder.js'

/** That a frozen copy of a stack's places may be there: on disk before it is made, gone when it is released. */
export interface FrozenRecord {
  readonly schemaVersion: 1
  readonly key: string
  readonly name: string
  /** The freezer's id. */
  readonly freezer: string
  readonly paths: readonly string[]
  /** Of each path: where the disk that it was on was mounted. */
  readonly mountPoints: readonly string[]
}

/** Throws when it cannot be written: then nothing may be frozen. */
export function noteFrozen(folder: string, record: FrozenRecord): void {
  ensureFolder(folder)
  writeFileAtomically(frozenRecordPath(folder, record.key), JSON.stringify(record), { mode: 0o600 })
}

export function forgetFrozen(folder: string, key: string): void {
  rmSync(frozenRecordPath(folder, key), { force: true })
}

/** All that are noted. One that cannot be read is passed over: the write is atomic, so it is none of ours. */
export function frozenRecords(folder: string): readonly FrozenRecord[] {
  return readRecords<FrozenRecord>(
    folder,
    ({ schemaVersion, key, name, freezer, paths, mountPoints }) => schemaVersion === 1 && [key, name, freezer].every((part) => typeof part === 'string') && [paths, mountPoints].every(Array.isArray),
  )
}

export function frozenRecordPath(folder: string, key: string): string {
  return join(folder, `${key}.json`)
}
