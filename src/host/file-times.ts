import { chmodSync, closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'

import { pathFromBytes, pathToBytes, type Exec } from '@stackbk/contract'
import { files as fileSystems, isUnknown } from '@stackbk/tool-runner/files'

import { isWithin, mountPoints } from './mounts.js'

/**
 * File systems that give a file a new time when a clean page of it is first written to through a memory map, by their magic
 * numbers (statfs(2)): ext2 to ext4, XFS, btrfs, F2FS. tmpfs gives none, ZFS only when it writes the page back, and of network
 * file systems nobody knows.
 */
const magicNumbers: readonly number[] = [0xef53, 0x58465342, 0x9123683e, 0xf2f52010]

/** The kernel's clock for files ticks up to a hundredth of a second behind; the rest is for clocks that are being adjusted. */
const marginMs = 2_000

/** A change may have a time that is so much older than it is: one tick of the slowest kernel clock. */
const tickMs = 10

/** A disk that hangs must not hold up a night; a slow one may have some gigabytes in memory to write. */
const settleLimitMs = 10 * 60_000

/** open(2): only names the file, and does nothing to it that the file's driver would hear of. Node has no word for it. */
const openPath = 0o10000000

const separator = Buffer.from('/')

/** So many files are looked at side by side: as many as Node has threads for that. */
const atOnce = 4

/** Its path in bytes: not every name is text. Device and inode tell whether the path still leads to the same file. */
export interface ChangedFile {
  readonly path: Buffer
  readonly uid: number
  readonly device: number
  readonly inode: number
}

export interface Changes {
  readonly files: readonly ChangedFile[]
  /** Why these may not be all of them; `null` where they are. */
  readonly doubt: string | null
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
    return magicNumbers.includes(fileSystems.fileSystemNow(path).type)
  } catch {
    return false
  }
}

/** These paths, and what is mounted below them, where that is not so: a file there may change without a trace. */
export function placesOfUntimedWrites(paths: readonly string[], mounted: readonly string[] = mountPoints()): readonly string[] {
  return [...paths, ...mountedBelow(paths, mounted)].filter((place) => !timesEveryWrite(place))
}

function mountedBelow(paths: readonly string[], mounted: readonly string[]): readonly string[] {
  return [...new Set(mounted)].filter((point) => paths.some((path) => point !== path && isWithin(point, path)))
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
  // What is mounted below is another file system, which is read along.
  const places = [...paths, ...mountedBelow(paths, mountPoints()).filter(timesEveryWrite)]
  // syncfs(2) has no other way in: Node knows only fsync, of one file.
  const { outcome, exitCode, startError, stderr } = await exec.run({ file: 'sync', args: ['--file-system', '--', ...places], signal, timeoutMs: settleLimitMs, env: { LC_ALL: 'C' } })
  if (outcome === 'timed-out') throw new Error(`sync took longer than ${settleLimitMs / 1000} s`)
  if (exitCode !== 0) throw new Error((startError ?? stderr).trim() || 'sync did not end well')
  return moment
}

/**
 * The regular files below these paths that have changed since the moment, by their change time, which no program can set back,
 * or their modification time. In doubt when the clock was set meanwhile, since then no time tells anything, and where
 * something could not be looked at, or the signal has put an end to the looking. Never throws.
 */
export async function changedSince(paths: readonly string[], moment: Moment, signal?: AbortSignal): Promise<Changes> {
  const since = moment.at - marginMs
  const files: ChangedFile[] = []
  const unseen = await eachFile(paths, (path, { ctimeMs, mtimeMs, uid, dev, ino }) => {
    if (Math.max(ctimeMs, mtimeMs) >= since) files.push({ path, uid, device: dev, inode: ino })
    return signal?.aborted !== true
  })
  if (signal?.aborted === true) return { files, doubt: 'it was interrupted' }
  const drift = Date.now() - moment.at - (performance.now() - moment.steadyAt)
  return { files, doubt: Math.abs(drift) > marginMs / 2 ? 'the clock was set meanwhile' : unseen }
}

/** Files and folders that changed while something else was done, by their change times. */
export interface ChangedWithin {
  readonly during: readonly string[]
  /** Changed after it, and perhaps also during it. */
  readonly later: readonly string[]
  /** Why these may not be all of them; `null` where they are. */
  readonly doubt: string | null
}

/**
 * Returns which files and folders at or below these paths changed in this span of time (milliseconds since the epoch). A folder
 * changes when an entry is added, removed or renamed. The times of a network file system come from another clock, so nothing is
 * known there. Never throws.
 */
export async function changedWithin(paths: readonly string[], span: { readonly from: number; readonly until: number }, signal?: AbortSignal): Promise<ChangedWithin> {
  const [during, later]: string[][] = [[], []]
  const unseen = await eachFile(
    paths,
    (path, { ctimeMs }) => {
      if (ctimeMs > span.from - tickMs) (ctimeMs <= span.until ? during! : later!).push(pathFromBytes(path))
      return signal?.aborted !== true
    },
    { alsoFolders: true },
  )
  const untimed = placesOfUntimedWrites(paths)
  const doubt = signal?.aborted === true ? 'it was interrupted' : (unseen ?? (untimed.length === 0 ? null : `the file system of ${untimed.join(', ')} does not record the time of every change`))
  return { during: during!, later: later!, doubt }
}

/** Returns the regular files at or below these paths that have one of these inode numbers. Never throws. */
export async function filesWithInodes(paths: readonly string[], inodes: ReadonlySet<number>): Promise<readonly { readonly path: string; readonly inode: number; readonly device: number }[]> {
  const found: { path: string; inode: number; device: number }[] = []
  await eachFile(paths, (path, { ino, dev }) => {
    if (inodes.has(ino)) found.push({ path: pathFromBytes(path), inode: ino, device: dev })
    return true
  })
  return found
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
 * Others may write to these folders: what has taken a file's place meanwhile, a device or a link that leads elsewhere, is
 * neither opened nor changed.
 *
 * @returns those that could not be given one, with the reason; one that is gone or another one by now needs none
 */
export function renewChangeTimes(files: readonly ChangedFile[]): readonly string[] {
  return files.flatMap(({ path, device, inode }) => {
    try {
      const file = openSync(path, openPath | constants.O_NOFOLLOW)
      try {
        const stats = fstatSync(file)
        if (stats.isFile() && stats.dev === device && stats.ino === inode) chmodSync(`/proc/self/fd/${file}`, stats.mode & 0o7777)
      } finally {
        closeSync(file)
      }
      return []
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      return isGone(error) || code === 'ELOOP' ? [] : [`${path.toString()}: ${code ?? message}`]
    }
  })
}

/**
 * Calls for every regular file at or below these paths, until an answer is false. What is gone when it is looked at is passed over.
 *
 * @returns why something else could not be looked at; `null` where all was
 */
async function eachFile(paths: readonly string[], visit: (path: Buffer, stats: Stats) => boolean, { alsoFolders = false } = {}): Promise<string | null> {
  let goesOn = true
  let unseen: string | null = null
  const unlessGone = (error: unknown): void => {
    if (!isGone(error)) unseen ??= (error as Error).message
  }
  const mounted = new Set(mountPoints())
  const hangs = async (path: Buffer): Promise<boolean> => {
    const reason = await whyNotAsked(path)
    unseen ??= reason
    return reason !== null
  }
  const look = async (path: Buffer): Promise<Buffer | null> => {
    if (mounted.has(path.toString()) && (await hangs(path))) return null
    const stats = await lstat(path).catch(unlessGone)
    if (stats !== undefined && (stats.isFile() || (alsoFolders && stats.isDirectory())) && !visit(path, stats)) goesOn = false
    return stats?.isDirectory() === true ? path : null
  }
  const waiting: Buffer[] = []
  const lookAtAll = async (all: readonly Buffer[]): Promise<void> => {
    for (let index = 0; index < all.length && goesOn; index += atOnce) {
      const folders = await Promise.all(all.slice(index, index + atOnce).map(look))
      waiting.push(...folders.filter((folder) => folder !== null))
    }
  }
  for (const path of paths.map((one) => Buffer.from(pathToBytes(one)))) if (!(await hangs(path))) await lookAtAll([path])
  for (let folder = waiting.pop(); folder !== undefined && goesOn; folder = waiting.pop()) {
    const here = folder
    if (await hangs(here)) continue
    const names = (await readdir(here, { encoding: 'buffer' }).catch(unlessGone)) ?? []
    await lookAtAll(names.map((name) => Buffer.concat([here, separator, name])))
  }
  return unseen
}

/**
 * Why a path is not looked at: its file system does not answer. A thread of Node that asks it would be lost, and with four of
 * them every other question about files. Each mount that may hang is asked by a child process first.
 */
async function whyNotAsked(path: Buffer): Promise<string | null> {
  const name = path.toString()
  if (fileSystems.slowMountOf(name) === null) return null
  return await fileSystems.lstat(name).then(() => null, (error: unknown) => (isUnknown(error) ? (error as Error).message : null))
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
}
