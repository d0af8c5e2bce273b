import { existsSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

import { StackbkError } from '../errors.js'
import { nearestExisting } from './mounts.js'

/** Why a path must not be relied on by root. */
export interface Distrust {
  /** The file or folder that another user can change. */
  readonly path: string
  readonly reason: string
  readonly fix: string
}

/**
 * Returns why another user can change what is at this path, or `null` if only root can: the path itself, and each folder above
 * it, has to belong to root and to be writable by no one else. A folder above may be sticky, as /tmp is. Of a path that does
 * not exist yet the folders above count. Always `null` for other users than root, and where root is not that of the machine:
 * in a user namespace owners are not known.
 */
export function distrustOf(path: string): Distrust | null {
  if (process.getuid?.() !== 0 || !isRootOfMachine()) return null
  const written = resolve(path)
  const isThere = existsSync(written)
  // Also the folders that hold the links on the way: another user could let them lead elsewhere.
  return distrustOfChain(realPath(written), isThere) ?? distrustOfChain(nearestExisting(written), isThere)
}

/** Throws (kind `configuration`) for what {@link distrustOf} finds. `what`: such as `the state folder`. `fix`: instead of the change of owner or mode. */
export function assertTrusted(what: string, path: string, fix?: string): void {
  const distrust = distrustOf(path)
  if (distrust === null) return
  throw new StackbkError({
    kind: 'configuration',
    code: 'not-trusted',
    message: `${what} ${path} can be changed by another user, and is not used by root`,
    detail: `${distrust.path}: ${distrust.reason}`,
    fix: fix ?? distrust.fix,
  })
}

function distrustOfChain(path: string, isThere: boolean): Distrust | null {
  for (let at = path, isItself = isThere; ; at = dirname(at), isItself = false) {
    try {
      const stats = statSync(at)
      // A device or a pipe holds nothing that was written before.
      const found = stats.isFile() || stats.isDirectory() ? distrustOfOne(at, stats, isItself) : null
      if (found !== null) return found
    } catch {
      // It has vanished, so whatever is read there next is not there either.
    }
    if (at === dirname(at)) return null
  }
}

/** Judges one file or folder by its owner and permissions. `isItself`: not a folder above, for which the sticky bit is enough. */
export function distrustOfOne(path: string, { uid, gid, mode }: Pick<Stats, 'uid' | 'gid' | 'mode'>, isItself: boolean): Distrust | null {
  if (uid !== 0) return { path, reason: `it belongs to the user ${uid}, not to root`, fix: `Run: chown root '${path}'` }
  const isSticky = (mode & 0o1000) !== 0 && !isItself
  if (isSticky) return null
  if ((mode & 0o002) !== 0) return { path, reason: 'every user can write it', fix: `Run: chmod o-w '${path}'` }
  if ((mode & 0o020) !== 0 && gid !== 0 && hasOtherMembers(gid)) return { path, reason: `the group ${gid} can write it`, fix: `Run: chmod g-w '${path}'` }
  return null
}

function realPath(path: string): string {
  try {
    return realpathSync(nearestExisting(path))
  } catch {
    return '/'
  }
}

/** A group that has no member but root gives no one else access. One that is not in the file (of a directory service) may have any. */
function hasOtherMembers(gid: number): boolean {
  try {
    const group = fieldsOf('/etc/group').find((fields) => fields[2] === String(gid))
    if (group === undefined) return true
    const members = (group[3] ?? '').split(',').filter((name) => name !== '' && name !== 'root')
    return members.length > 0 || fieldsOf('/etc/passwd').some((fields) => fields[3] === String(gid) && fields[2] !== '0')
  } catch {
    return true
  }
}

function fieldsOf(file: string): string[][] {
  return readFileSync(file, 'utf8').split('\n').map((line) => line.split(':'))
}

function isRootOfMachine(): boolean {
  try {
    return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'))
  } catch {
    return true
  }
}
