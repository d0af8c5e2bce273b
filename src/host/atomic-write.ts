import { randomBytes } from 'node:crypto'
import { closeSync, fchmodSync, fchownSync, fstatSync, fsyncSync, lstatSync, openSync, readdirSync, realpathSync, renameSync, rmSync, type Stats, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/**
 * Puts a file in place as a whole or not at all, and on the disk before this returns: a new file beside it, synced, renamed
 * over it, the folder synced. A file that is there keeps its mode and owner; a symbolic link stays one, and what it points
 * to is replaced. Throws the system's error, the old file untouched: also where the owner cannot be kept, and for a
 * symbolic link to nothing (its disk may not be mounted).
 */
export function writeFileAtomically(path: string, content: string | Uint8Array, options: { mode?: number } = {}): void {
  const target = isThere(path) ? realpathSync.native(path) : path
  const before = statSync(target, { throwIfNoEntry: false })
  const temporary = join(dirname(target), `${temporaryStart(target)}${randomBytes(6).toString('hex')}.tmp`)
  const descriptor = openSync(temporary, 'wx', 0o600)
  try {
    try {
      writeFileSync(descriptor, content)
      takeOver(descriptor, before, options.mode ?? 0o644)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(temporary, target)
  } catch (error) {
    unlinkSync(temporary)
    throw error
  }
  syncFolder(dirname(target))
}

/**
 * Removes what killed writers of this file left next to it. Only for a caller that is the only writer of the file at the
 * time, by a lock: the new file of another writer would go too. A folder that is not there holds none.
 */
export function removeUnfinishedWrites(path: string): void {
  const folder = dirname(path)
  const start = temporaryStart(path)
  if (!isThere(folder)) return
  for (const name of readdirSync(folder)) {
    if (name.startsWith(start) && /^[0-9a-f]{12}\.tmp$/.test(name.slice(start.length))) rmSync(join(folder, name), { force: true })
  }
}

function temporaryStart(target: string): string {
  return `.${basename(target).slice(0, 200)}.`
}

/** What was created, renamed or removed in it survives a power cut only once the folder itself is on the disk. */
export function syncFolder(folder: string | Buffer): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** Owner first: a change of owner takes the set-user-ID bits away. */
function takeOver(descriptor: number, before: Stats | undefined, modeOfNew: number): void {
  if (before === undefined) {
    fchmodSync(descriptor, modeOfNew)
    return
  }
  const own = fstatSync(descriptor)
  if (own.uid !== before.uid || own.gid !== before.gid) fchownSync(descriptor, before.uid, before.gid)
  fchmodSync(descriptor, before.mode & 0o7777)
}
