import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Capsule, PlaceReader } from '@stackbk/contract'

import { syncFolder } from '../../host/atomic-write.js'
import { ensureFolder } from '../../host/state-folder.js'
import type { ForeignPath } from './foreign-paths.js'
import type { FolderChange, Move } from './moves.js'
import type { Relocation } from './relocation.js'

/**
 * How far the recovery of a stack has come; each is on disk before what it names begins.
 *
 * - `extracting`: its files come out of the snapshot into folders of our own; nothing of the stack is touched
 * - `stopping`: what ran is in the journal, and is taken down
 * - `placing`: its files go to their places by renames
 * - `overwriting`: the same without keeping what was there, by the engine itself
 * - `rebuilding`: volumes are filled, containers made and started
 * - `confirmed`: it is up; what was kept aside goes
 * - `undoing`: what was there before comes back
 * - `undone`: it is back; our own folders go
 */
export type RecoveryPhase = 'extracting' | 'stopping' | 'placing' | 'overwriting' | 'rebuilding' | 'confirmed' | 'undoing' | 'undone'

/** A folder of our own on one file system, with what waits and what is kept aside there. */
export interface RecoveryFolder {
  readonly path: string
  /** Of its file system: where another one is mounted there, or none, nothing can be told of the moves. */
  readonly mountPoint: string
  /** Paths of the snapshot that come out of it there. Absent in records of older versions. */
  readonly paths?: readonly string[]
}

export interface RecoveryRecord {
  readonly schemaVersion: 1
  readonly runId: string
  readonly key: string
  readonly name: string
  readonly directory: string
  /** The stack's folder in the snapshot, where it moves to another one. */
  readonly origin?: string
  /** Folders that come to another path than they had, those of other stacks too. Absent: none. */
  readonly relocations?: readonly Relocation[]
  /** Files that the runtime has written into the stack's folder: they go when the recovery is undone. Absent: none. */
  readonly writtenFiles?: readonly string[]
  readonly writtenAt: string
  readonly phase: RecoveryPhase
  /** `files`: some of its files alone; its containers are stopped and started, and stay what they are. */
  readonly scope: 'stack' | 'files'
  readonly snapshotId: string
  /** Its folder, where it is not the configured one. */
  readonly repository: string | null
  /** What is to run. `null`: nothing is made, since only files come back. */
  readonly capsule: Capsule | null
  /** Something of the stack was here, and comes back unless the new one is confirmed. */
  readonly hadPresent: boolean
  /** What its containers were, where a start alone would not give the same back; else `null`. */
  readonly before: Capsule | null
  readonly folders: readonly RecoveryFolder[]
  /** The patterns that left files out of the snapshot. Absent in records of older versions. */
  readonly excludes?: readonly string[]
  /** The paths below which these acted. Absent: anywhere in a path. */
  readonly excludeRoots?: readonly string[]
  /** What outside of its folder is not the stack's alone. Absent: nothing. */
  readonly foreignPaths?: readonly ForeignPath[]
  /** Containers of elsewhere that only read what is exchanged: they have to be restarted afterwards. Absent: none. */
  readonly readers?: readonly PlaceReader[]
  /** Subvolumes among what comes back, which stay. Absent: none. */
  readonly subvolumes?: readonly string[]
  /** Anonymous volumes among {@link oldVolumes} that hold more than the snapshot does: they are not removed. */
  readonly keptVolumes?: readonly string[]
  /** What is written over without keeping what was there. Then it only goes on, never back. */
  readonly overwritten: readonly string[]
  /** Of the folder and of files elsewhere, in the order in which they are done. */
  readonly moves: readonly Move[]
  /** Of the data of volumes: the volumes are there only when it is rebuilt. */
  readonly volumeMoves: readonly Move[]
  /** Folders that stay in their place, with what is kept in them: their owner and mode. Absent in records of older versions. */
  readonly folderChanges?: readonly FolderChange[]
  /** Volumes made by the recovery. */
  readonly newVolumes: readonly string[]
  /** IDs of the containers that are taken down. */
  readonly oldContainers: readonly string[]
  /** Volumes of containers that were taken down, and that only those could find again. */
  readonly oldVolumes: readonly string[]
  /** Where the data of anonymous volumes went when the old containers were made again. */
  readonly returned: readonly Move[]
  readonly services: readonly string[]
  readonly noStart: boolean
  readonly allowHostVolumes: boolean
  /** Absent in records of older versions: false. */
  readonly createExternal?: boolean
  readonly healthTimeoutMs: number
}

/** Returns the stack's folder in the snapshot. */
export function originOf({ origin, directory }: Pick<RecoveryRecord, 'origin' | 'directory'>): string {
  return origin ?? directory
}

/** What is kept aside is numbered by this. */
export function numberOfMoves({ moves, volumeMoves, returned }: RecoveryRecord): number {
  return moves.length + volumeMoves.length + returned.length
}

/** One file a stack that is being recovered. */
export class RecoveryRecords {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** On disk for good when it returns. Throws when that cannot be: then the step must not begin. */
  write(record: RecoveryRecord): void {
    ensureFolder(this.#folder)
    const path = this.#pathOf(record.key)
    const half = `${path}.new`
    const file = openSync(half, 'w', 0o600)
    try {
      writeFileSync(file, JSON.stringify(record))
      fsyncSync(file)
    } catch (error) {
      rmSync(half, { force: true })
      throw error
    } finally {
      closeSync(file)
    }
    renameSync(half, path)
    syncFolder(this.#folder)
  }

  remove(key: string): void {
    if (this.#names().length === 0) return
    rmSync(this.#pathOf(key), { force: true })
    syncFolder(this.#folder)
  }

  /** What a kill has left of a record half written: it says nothing that the record before it does not. */
  removeHalves(): void {
    for (const name of this.#files().filter((one) => one.endsWith('.new'))) rmSync(join(this.#folder, name), { force: true })
  }

  isEmpty(): boolean {
    return this.#names().length === 0
  }

  /** Those that can be read, oldest first; and the keys of the others. */
  content(): { readonly records: readonly RecoveryRecord[]; readonly damaged: readonly string[] } {
    const records: RecoveryRecord[] = []
    const damaged: string[] = []
    for (const name of this.#names()) {
      const record = parsed(join(this.#folder, name))
      if (record === null) damaged.push(name.slice(0, -'.json'.length))
      else records.push(record)
    }
    return { records: records.sort((one, other) => one.writtenAt.localeCompare(other.writtenAt)), damaged }
  }

  #names(): string[] {
    return this.#files().filter((name) => name.endsWith('.json'))
  }

  #files(): string[] {
    try {
      return readdirSync(this.#folder)
    } catch {
      return []
    }
  }

  #pathOf(key: string): string {
    return join(this.#folder, `${key}.json`)
  }
}

function parsed(path: string): RecoveryRecord | null {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as Partial<RecoveryRecord> | null
    const isWhole = record?.schemaVersion === 1 && typeof record.key === 'string' && typeof record.directory === 'string' && typeof record.phase === 'string' && Array.isArray(record.moves) && Array.isArray(record.volumeMoves) && Array.isArray(record.folders)
    return isWhole ? (record as RecoveryRecord) : null
  } catch {
    return null
  }
}
