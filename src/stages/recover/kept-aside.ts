import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { syncFolder } from '../../host/atomic-write.js'
import { fsPath } from '../../host/file-names.js'
import { makeFolder } from '../../host/make-folder.js'
import { isThere } from './moves.js'
import type { RecoveryFolder } from './record.js'

/** A path that the snapshot does not hold: where it is now, and where it was in the stack. */
export interface NotInSnapshot {
  readonly now: string
  readonly was: string
}

/** Where what the snapshot does not hold is kept when the recovery is confirmed, below its full path. */
export function keptFolder(folder: Pick<RecoveryFolder, 'path'>): string {
  return join(folder.path, 'kept')
}

function listPath(folder: Pick<RecoveryFolder, 'path'>): string {
  return join(folder.path, 'not-in-snapshot.jsonl')
}

/** On disk for good when it returns, before the first of them is moved. Throws the system's error. */
export function recordNotInSnapshot(folder: RecoveryFolder, paths: readonly NotInSnapshot[]): void {
  if (paths.length === 0) return
  makeFolder(folder.path)
  const file = openSync(listPath(folder), 'a', 0o600)
  try {
    for (const path of paths) writeFileSync(file, `${JSON.stringify(path)}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  syncFolder(folder.path)
}

/**
 * Moves what the snapshot does not hold out of what is about to be removed. Right also where an earlier try was cut short.
 *
 * @returns why one could not be moved; `null` when all are kept. Then nothing of this folder may be removed.
 */
export function keepNotInSnapshot(folder: RecoveryFolder): string | null {
  try {
    if (!isThere(listPath(folder))) return null
    for (const line of readFileSync(listPath(folder), 'utf8').split('\n')) {
      if (line === '') continue
      const { now, was } = JSON.parse(line) as NotInSnapshot
      if (isThere(now)) moveToKept(folder, now, was)
    }
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Moves one thing to where it is kept. An earlier one of the same path stays too. Throws the system's error. */
export function moveToKept(folder: RecoveryFolder, now: string, was: string): void {
  let target = join(keptFolder(folder), was)
  for (let number = 2; isThere(target); number++) target = `${join(keptFolder(folder), was)}.${number}`
  makeFolder(dirname(target), fsPath)
  renameSync(fsPath(now), fsPath(target))
  syncFolder(fsPath(dirname(target)))
}

/** Whether anything is kept there. */
export function holdsKept(folder: RecoveryFolder): boolean {
  return statSync(keptFolder(folder), { throwIfNoEntry: false })?.isDirectory() === true
}
