import { chmodSync, chownSync, lstatSync, mkdirSync, renameSync, type Stats } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { syncFolder } from '../../host/atomic-write.js'
import { fsPath } from '../../host/file-names.js'

/**
 * One thing that comes to its place by a rename, and what was there before, which is kept. All three paths are on one file
 * system, so that each step is done or not done. How far it has come can be told from what is where, at any moment.
 */
export interface Move {
  /** Where it goes to. */
  readonly place: string
  /** Where it waits. */
  readonly staged: string
  /** Where what was in its place is kept. */
  readonly aside: string
  readonly hadPresent: boolean
  /** Nothing comes: what is there only goes aside. */
  readonly isRemoval?: boolean
  /** Folders above that are not there, from the top: as the snapshot has them. */
  readonly above?: readonly OwnedFolder[]
}

/** Who has a folder, and who may do what in it. */
export interface Ownership {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export interface OwnedFolder extends Ownership {
  readonly path: string
}

/** A folder that stays where it is, and takes owner and mode of the snapshot's. */
export interface FolderChange {
  readonly path: string
  readonly before: Ownership
  readonly after: Ownership
}

/** Puts all in place, in order. Right also where a part is done already. Throws the system's error. */
export function placeAll(moves: readonly Move[]): void {
  for (const move of moves) place(move)
}

function place({ place: target, staged, aside, hadPresent, isRemoval = false, above = [] }: Move): void {
  if (isRemoval && isThere(target) && !isThere(aside)) renameForGood(target, aside)
  if (!isThere(staged)) return
  if (isThere(target)) renameForGood(target, hadPresent && isThere(aside) ? strayBeside(staged) : aside)
  for (const folder of above) makeOwnedFolder(folder)
  makeFolderFor(target)
  renameForGood(staged, target)
}

/** Gives folders that stay the snapshot's owner and mode, or (`before`) those that they had. Throws the system's error. */
export function changeFolders(changes: readonly FolderChange[], to: 'before' | 'after'): void {
  for (const change of changes) if (isThere(change.path)) giveTo(change.path, change[to])
}

/** What a folder, or the file that is there, has; `null` where nothing is. */
export function ownershipOf(path: string): Ownership | null {
  const found = statusOf(path)
  return found === null ? null : { mode: found.mode & 0o7777, uid: found.uid, gid: found.gid }
}

/** Makes a folder as it was, whatever the umask says; one that is there is left alone. */
export function makeOwnedFolder({ path, ...ownership }: OwnedFolder): void {
  if (isThere(path)) return
  mkdirSync(fsPath(path))
  giveTo(path, ownership)
}

/** Owner first: a change of owner takes set-user-ID bits away. Only root can give a file to someone else. */
function giveTo(path: string, { mode, uid, gid }: Ownership): void {
  const now = ownershipOf(path)
  if (process.getuid?.() === 0 && (now?.uid !== uid || now.gid !== gid)) chownSync(fsPath(path), uid, gid)
  chmodSync(fsPath(path), mode)
}

/** Puts all back as it was, last one first. Right also where a part is not done, or is put back already. */
export function undoAll(moves: readonly Move[]): void {
  for (const move of [...moves].reverse()) undo(move)
}

function undo({ place: target, staged, aside, hadPresent }: Move): void {
  // What was there has not been moved, or is back; what was not there has not been placed, or is taken back.
  if (hadPresent ? !isThere(aside) : isThere(staged) && !isThere(aside)) return
  if (isThere(target)) renameForGood(target, isThere(staged) ? strayBeside(staged) : staged)
  if (isThere(aside)) renameForGood(aside, target)
}

/** The engine makes an empty folder where a source is missing: it goes with the rest. */
function strayBeside(staged: string): string {
  for (let number = 1; ; number++) {
    const path = join(dirname(staged), `${basename(staged)}.stray-${number}`)
    if (!isThere(path)) return path
  }
}

function renameForGood(from: string, to: string): void {
  mkdirSync(fsPath(dirname(to)), { recursive: true })
  renameSync(fsPath(from), fsPath(to))
  syncFolder(fsPath(dirname(to)))
  if (dirname(from) !== dirname(to)) syncFolder(fsPath(dirname(from)))
}

/** Folders above, where they are new, as those that an administrator makes. */
function makeFolderFor(path: string): void {
  const parent = dirname(path)
  if (isThere(parent)) return
  makeFolderFor(parent)
  mkdirSync(fsPath(parent))
  chmodSync(fsPath(parent), 0o755)
}

/** Returns whether the system refused a rename because its two ends are in different file systems, pools or quota projects (EXDEV). */
export function isCrossDevice(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EXDEV'
}

/** What can be done where no rename works, though both ends seem to be on one file system. */
export const crossDeviceFix = 'This file system does not let files be moved between these folders, as with project quotas of XFS, or mergerfs: recover with --overwrite, which writes in place'

/** Also a link to nowhere is something. Throws where that cannot be known. */
export function isThere(path: string): boolean {
  return statusOf(path) !== null
}

/** As lstat(2); `null` where nothing is, also because a folder above is none. Throws the system's error. */
export function statusOf(path: string): Stats | null {
  try {
    return lstatSync(fsPath(path), { throwIfNoEntry: false }) ?? null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return null
    throw error
  }
}
