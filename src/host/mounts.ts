import { readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

import { pathFromBytes } from '@stackbk/contract'
import { files, isUnknown, type FileLimit } from '@stackbk/tool-runner/files'

/** The file system's device number; `null` when nothing is there, or its file system does not answer. */
export function deviceOf(path: string): number | null {
  try {
    return files.statNow(path).dev
  } catch {
    return null
  }
}

/**
 * The device that a path, or the nearest folder above that exists, lies on; `unknown` where its file system does not answer.
 * Does not hold up the event loop.
 */
export async function nearestDevice(path: string, limit: FileLimit): Promise<number | 'unknown'> {
  try {
    return (await files.stat(path, limit)).dev
  } catch (error) {
    const parent = dirname(path)
    return isUnknown(error) || parent === path ? 'unknown' : await nearestDevice(parent, limit)
  }
}

/** The path with symbolic links resolved as far as it exists, so that a folder has one name before and after it is made. */
export function realPathSoFar(path: string, limit: FileLimit = {}): string {
  try {
    return files.realPathNow(path, limit)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPathSoFar(parent, limit), basename(path))
  }
}

/** The nearest folder above (or the path itself) that exists. What does not answer counts as there: it is no empty folder. */
export function nearestExisting(path: string): string {
  try {
    files.statNow(path)
    return path
  } catch (error) {
    const parent = dirname(path)
    return isUnknown(error) || parent === path ? path : nearestExisting(parent)
  }
}

/** Whether one path is the other or lies below it. Both absolute. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way === '' || (way !== '..' && !way.startsWith('../') && !way.startsWith('/'))
}

/** The mount point of the file system that this path, or the nearest folder above that exists, lies on. */
export function mountPointOf(path: string, limit: FileLimit = {}): string {
  const real = realPathSoFar(path, limit)
  return mountPoints().filter((point) => isWithin(real, point)).reduce((longest, point) => (point.length > longest.length ? point : longest), '/')
}

/** The system's own trees, whose mounts come and go with sessions and services. Disks of desktop users are mounted below /run/media. */
export function isOfTheSystem(path: string): boolean {
  if (isWithin(path, '/run/media') || isWithin(path, '/var/run/media')) return false
  return ['/proc', '/sys', '/dev', '/run', '/var/run'].some((tree) => isWithin(path, tree))
}

/** What is mounted at a mount point. */
export interface MountedFileSystem {
  readonly type: string
  /** The device or the name of what is mounted, as whoever mounted it gave it. */
  readonly source: string
  /** The folder of the file system that is mounted. */
  readonly root: string
}

/** Returns what is mounted at this mount point, and not hidden by another mount; `null` where nothing is. Looks at no file system. */
export function mountedAt(mountPoint: string): MountedFileSystem | null {
  const mount = mounts().filter(({ point }) => point === mountPoint).at(-1)
  return mount === undefined ? null : { type: mount.type, source: mount.source, root: mount.root }
}

/** Every mount point of this machine. */
export function mountPoints(): string[] {
  return mounts().map(({ point }) => point)
}

/** Every mount of this machine, as the kernel lists them (proc(5), mountinfo). */
function mounts(): (MountedFileSystem & { readonly point: string })[] {
  try {
    return readFileSync('/proc/self/mountinfo', 'latin1').split('\n').flatMap((line) => {
      const [before = '', after = ''] = line.split(' - ')
      const [, , , root, point] = before.split(' ')
      const [type = '', source = ''] = after.split(' ')
      return root === undefined || point === undefined ? [] : [{ point: unescaped(point), root: unescaped(root), type, source: unescaped(source) }]
    })
  } catch {
    return []
  }
}

/** Blanks and the like are written as octal numbers. */
function unescaped(written: string): string {
  return pathFromBytes(Buffer.from(written.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))), 'latin1'))
}
