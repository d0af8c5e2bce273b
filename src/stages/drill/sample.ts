import { lstatSync } from 'node:fs'
import { join } from 'node:path'

import type { Answer, Engine, SnapshotEntry } from '@stackbk/contract'

import { errorFrom } from '../../errors.js'
import { sha256OfFile } from '../../host/file-digest.js'
import { fsPath } from '../../host/file-names.js'
import { eachSnapshotEntry } from '../recover/snapshot-entries.js'

/** A file larger than this is not fetched twice only to be compared. Bytes. */
export const largestComparedFile = 256 * 1024 * 1024

export interface SampleRequest {
  readonly engine: Engine
  readonly snapshotId: string
  /** Files of the snapshot, see {@link chooseSample}. */
  readonly chosen: readonly SnapshotEntry[]
  /** Where the snapshot was brought back to: its absolute paths are below it. */
  readonly restored: string
  /** An empty folder for the second look at the snapshot. */
  readonly scratch: string
  readonly signal: AbortSignal
}

export interface Sample {
  readonly filesCompared: number
  /** Paths in the snapshot. */
  readonly mismatches: readonly string[]
}

/** Returns files of a snapshot, chosen at random. It needs none of them to be restored. */
export async function chooseSample(engine: Engine, snapshotId: string, { count, signal }: { readonly count: number; readonly signal: AbortSignal }): Promise<Answer<readonly SnapshotEntry[]>> {
  const sample = new RandomSample(count)
  const listed = await eachSnapshotEntry(engine, snapshotId, (entry) => { if (entry.type === 'file' && entry.bytes <= largestComparedFile) sample.offer(entry) }, { signal })
  return listed.ok ? { ok: true, value: sample.chosen } : listed
}

/**
 * Compares these files with what the snapshot says and holds: size, mode, owner from its list, content from a
 * second way out of the repository. Before anything is started, which may change them.
 */
export async function compareSample({ engine, snapshotId, chosen, restored, scratch, signal }: SampleRequest): Promise<Sample> {
  if (chosen.length === 0) return { filesCompared: 0, mismatches: [] }
  const again = await engine.restore({ snapshot: snapshotId, target: scratch, include: chosen.map(({ path }) => path), subfolder: '', deleteExtra: false, sparse: false, verify: false, signal })
  if (!again.ok) throw errorFrom(again.failure)
  const mismatches: string[] = []
  for (const entry of chosen) {
    if (!isAsListed(join(restored, entry.path), entry) || (await digest(join(restored, entry.path), signal)) !== (await digest(join(scratch, entry.path), signal))) mismatches.push(entry.path)
  }
  return { filesCompared: chosen.length, mismatches }
}

/** Keeps a fixed number of all that are offered, each as likely as any other, however many there are (reservoir sampling). */
class RandomSample {
  readonly chosen: SnapshotEntry[] = []
  readonly #count: number
  #offered = 0

  constructor(count: number) {
    this.#count = count
  }

  offer(entry: SnapshotEntry): void {
    this.#offered++
    if (this.chosen.length < this.#count) {
      this.chosen.push(entry)
      return
    }
    const index = Math.floor(Math.random() * this.#offered)
    if (index < this.#count) this.chosen[index] = entry
  }
}

/** Owners only where this user may set them. */
function isAsListed(path: string, entry: SnapshotEntry): boolean {
  const file = lstatSync(fsPath(path), { throwIfNoEntry: false })
  if (file === undefined || !file.isFile() || file.size !== entry.bytes || (file.mode & 0o7777) !== entry.mode) return false
  return process.getuid?.() !== 0 || (file.uid === entry.uid && file.gid === entry.gid)
}

/** `null`: it cannot be read. */
async function digest(path: string, signal: AbortSignal): Promise<string | null> {
  try {
    return await sha256OfFile(path, signal)
  } catch (error) {
    if (signal.aborted) throw error
    return null
  }
}
