import { existsSync, lstatSync, mkdirSync, renameSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { syncFolder } from '../../host/atomic-write.js'

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
}

/** Puts all in place, in order. Right also where a part is done already. Throws the system's error. */
export function placeAll(moves: readonly Move[]): void {
  for (const move of moves) place(move)
}

function place({ place: target, staged, aside, hadPresent, isRemoval = false }: Move): void {
  if (isRemoval && isThere(target) && !isThere(aside)) renameForGood(target, aside)
  if (!isThere(staged)) return
  if (isThere(target)) renameForGood(target, hadPresent && isThere(aside) ? strayBeside(staged) : aside)
  makeFolderFor(target)
  renameForGood(staged, target)
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
  mkdirSync(dirname(to), { recursive: true })
  renameSync(from, to)
  syncFolder(dirname(to))
  if (dirname(from) !== dirname(to)) syncFolder(dirname(from))
}

/** Folders above, where they are new, as those that an administrator makes. */
function makeFolderFor(path: string): void {
  const parent = dirname(path)
  if (!existsSync(parent)) mkdirSync(parent, { recursive: true, mode: 0o755 })
}

/** Also a link to nowhere is something. */
export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
