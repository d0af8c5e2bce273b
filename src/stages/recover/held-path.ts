import { basename, isAbsolute, join, normalize } from 'node:path'

import { writtenPath, type Engine, type SnapshotEntry } from '@stackbk/contract'

import { errorFrom, StackbkError } from '../../errors.js'
import { capsuleName } from '../../host/state-folder.js'
import type { ChosenSnapshot } from './choice.js'
import { eachSnapshotEntry } from './snapshot-entries.js'

/** A file or folder in a snapshot. */
export interface HeldPath {
  /** Absolute. */
  readonly path: string
  /** Of it and all that is below. */
  readonly bytes: number
  /** Files, folders and links: it and all that is below. */
  readonly files: number
}

/**
 * The file or folder that is meant: absolute, or within the stack's folder, which is the only one of the snapshot's paths that
 * has it. A byte that is not UTF-8 may be written as it is shown, `\xFC`. Throws `usage` (2) where the snapshot does not hold it.
 */
export async function heldPath(engine: Engine, { stack, snapshot }: ChosenSnapshot, wanted: string, signal: AbortSignal): Promise<HeldPath> {
  const folders = snapshot.paths.filter((path) => !isCapsule(path))
  const trimmed = normalize(wanted).replace(/(.)\/+$/, '$1')
  const candidates = [...new Set([trimmed, writtenPath(trimmed)])].flatMap((path) => (isAbsolute(path) ? [path] : folders.map((folder) => join(folder, path))))
  for (const path of candidates) {
    let [entries, bytes] = [0, 0]
    const count = (entry: SnapshotEntry): void => {
      entries++
      if (entry.type === 'file') bytes += entry.bytes
    }
    const listed = await eachSnapshotEntry(engine, snapshot.id, count, { below: path, signal })
    if (!listed.ok) throw errorFrom(listed.failure)
    if (entries > 0) return { path, bytes, files: entries }
  }
  throw new StackbkError({
    kind: 'usage',
    code: 'not-in-snapshot',
    message: `the snapshot ${snapshot.id.slice(0, 8)} of ${stack} does not hold ${wanted}`,
    detail: `it holds ${folders.join(', ')}`,
    fix: 'Give a path below one of these, or one within the stack; choose another snapshot with --snapshot',
  })
}

/** The file in which a stack describes itself, wherever the state folder was. */
export function isCapsule(path: string): boolean {
  return basename(path) === capsuleName
}
