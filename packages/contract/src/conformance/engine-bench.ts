import { closeSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import type { Engine, SnapshotRequest, SnapshotResult } from '../engine.js'
import { valueOf } from './answers.js'

/** What a test gets: an engine on a place where no repository is yet, and folders of its own. */
export interface EngineBench {
  readonly engine: Engine
  /** The same place with another password; `null` for an engine without passwords. */
  readonly withWrongPassword: Engine | null
  /** Makes the repository by other means than the engine, where those are quicker. Absent: the engine makes it. */
  readonly makeRepository?: () => Promise<void>
  /** Where the repository comes to be. Not there yet, or empty. */
  readonly repository: string
  /** An empty folder, by its real path, for what is put into snapshots. */
  readonly source: string
  /** An empty folder for whatever else. */
  readonly scratch: string
  /** A path that is there and cannot be read, for root neither; `null` where there is none. */
  readonly unreadable: string | null
  readonly dispose: () => Promise<void>
}

/** An ID of the right form that no snapshot has. */
export const unknownId = '0123456789abcdef'.repeat(4)

export function requestOf(source: string): SnapshotRequest {
  return { paths: [source], tags: ['stackbk'], host: 'host-a', parent: null, excludes: [] }
}

export async function snapshot(engine: Engine, request: SnapshotRequest): Promise<SnapshotResult> {
  const prepared = engine.prepare(request)
  valueOf(await prepared.ready)
  return valueOf(await prepared.take())
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}

/** Files at any depth, relative to the folder; none where it is not there. */
export function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Writes a file whose change time is later than that of the other one. */
export function writeYoungerFile(path: string, older: string): void {
  const { ctimeNs } = statSync(older, { bigint: true })
  do writeFileSync(path, 'content')
  while (statSync(path, { bigint: true }).ctimeNs <= ctimeNs)
}

/** Writes over a part in the middle of the largest file. */
export function damageLargest(folder: string): void {
  const [largest] = filesBelow(folder)
    .map((file) => ({ path: join(folder, file), size: statSync(join(folder, file)).size }))
    .sort((one, other) => other.size - one.size)
  if (largest === undefined) throw new Error(`there is no file in ${folder}`)
  const descriptor = openSync(largest.path, 'r+')
  try {
    writeSync(descriptor, Buffer.alloc(4096, 'damage'), 0, 4096, Math.floor(largest.size / 2))
  } finally {
    closeSync(descriptor)
  }
}
