import { closeSync, constants, fchmodSync, fstatSync, openSync, statfsSync, type Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'

import type { Exec } from '@stackbk/contract'

/**
 * File systems that give a file a new time when a clean page of it is first written to through a memory map, by their magic
 * numbers (statfs(2)): ext2 to ext4, XFS, btrfs, F2FS. tmpfs gives none, ZFS only when it writes the page back, and of network
 * file systems nobody knows.
 */
const magicNumbers: readonly number[] = [0xef53, 0x58465342, 0x9123683e, 0xf2f52010]

/** The kernel's clock for files ticks up to a hundredth of a second behind; the rest is for clocks that are being adjusted. */
const marginMs = 2_000

const separator = Buffer.from('/')

/** So many files are looked at side by side: as many as Node has threads for that. */
const atOnce = 4

/** Its path in bytes: not every name is text. */
export interface ChangedFile {
  readonly path: Buffer
  readonly uid: number
}

/** A moment from which on changes of files can be told by their times. */
export interface Moment {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** The same on a clock that nobody sets. */
  readonly steadyAt: number
}

/** Whether the file system of this path gives every file that is written to a new time, however it is written to. */
export function timesEveryWrite(path: string): boolean {
  try {
    return magicNumbers.includes(statfsSync(path).type)
  } catch {
    return false
  }
}

/**
 * Writes out all that the file systems of these paths hold back. A page of a memory map that is clean again gives its file a
 * new time with the next write; one that stays dirty does not, however often it is written to. So after this, only files that
 * have changed since the moment can have such a page.
 *
 * Throws with the tool's words where that cannot be done.
 */
export async function settleFiles(paths: readonly string[], exec: Exec, signal: AbortSignal): Promise<Moment> {
  const moment = { at: Date.now(), steadyAt: performance.now() }
  // syncfs(2) has no other way in: Node knows only fsync, of one file.
  const { exitCode, startError, stderr } = await exec.run({ file: 'sync', args: ['--file-system', '--', ...paths], signal, env: { LC_ALL: 'C' } })
  if (exitCode !== 0) throw new Error((startError ?? stderr).trim() || 'sync did not end well')
  return moment
}

/**
 * The regular files below these paths that have changed since the moment, by their change time, which no program can set back,
 * or their modification time. `null` when the clock was set meanwhile: then no time tells anything.
 */
export async function changedSince(paths: readonly string[], moment: Moment): Promise<readonly ChangedFile[] | null> {
  const since = moment.at - marginMs
  const changed: ChangedFile[] = []
  await eachFile(paths, (path, { ctimeMs, mtimeMs, uid }) => {
    if (Math.max(ctimeMs, mtimeMs) >= since) changed.push({ path, uid })
    return true
  })
  const drift = Date.now() - moment.at - (performance.now() - moment.steadyAt)
  return Math.abs(drift) > marginMs / 2 ? null : changed
}

/** Whether there is at least so much below these paths: looks no further than it takes to know. */
export async function holdsAtLeast(paths: readonly string[], least: { readonly files: number; readonly bytes: number }): Promise<boolean> {
  let [files, bytes] = [0, 0]
  await eachFile(paths, (_path, stats) => {
    files += 1
    bytes += stats.size
    return files < least.files && bytes < least.bytes
  })
  return files >= least.files || bytes >= least.bytes
}

/**
 * Gives each file a new change time by setting the mode that it has. For files that nobody writes to now.
 *
 * @returns those that could not be given one, with the reason; one that is gone needs none
 */
export function renewChangeTimes(paths: readonly Buffer[]): readonly string[] {
  return paths.flatMap((path) => {
    try {
      const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
      try {
        const stats = fstatSync(file)
        if (stats.isFile()) fchmodSync(file, stats.mode & 0o7777)
      } finally {
        closeSync(file)
      }
      return []
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      // Not there any more, or something else than a file by now: nothing of it has been read before.
      return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' ? [] : [message]
    }
  })
}

/** Calls for every regular file at or below these paths, until an answer is false. What cannot be looked at is passed over. */
async function eachFile(paths: readonly string[], visit: (path: Buffer, stats: Stats) => boolean): Promise<void> {
  let goesOn = true
  const look = async (path: Buffer): Promise<Buffer | null> => {
    const stats = await lstat(path).catch(() => null)
    if (stats?.isFile() === true && !visit(path, stats)) goesOn = false
    return stats?.isDirectory() === true ? path : null
  }
  const waiting: Buffer[] = []
  const lookAtAll = async (all: readonly Buffer[]): Promise<void> => {
    for (let index = 0; index < all.length && goesOn; index += atOnce) {
      const folders = await Promise.all(all.slice(index, index + atOnce).map(look))
      waiting.push(...folders.filter((folder) => folder !== null))
    }
  }
  await lookAtAll(paths.map((path) => Buffer.from(path)))
  for (let folder = waiting.pop(); folder !== undefined && goesOn; folder = waiting.pop()) {
    const here = folder
    const names = await readdir(here, { encoding: 'buffer' }).catch(() => [])
    await lookAtAll(names.map((name) => Buffer.concat([here, separator, name])))
  }
}
