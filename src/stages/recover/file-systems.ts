import { accessSync, constants, statfsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { isWithin, mountPointOf, mountPoints, nearestExisting, realPathSoFar } from '../../host/mounts.js'
import { isThere } from './moves.js'
import type { RecoveryFolder } from './record.js'
import { placeOf, type Relocation } from './relocation.js'
import { isOnOwnDevice } from './subvolumes.js'

/** What comes out of a snapshot onto one file system, so that it gets to its place by a rename. */
export interface FileSystemShare {
  readonly folder: RecoveryFolder
  /** Of the snapshot. */
  readonly paths: readonly string[]
  /** Bytes that this user may still write there. */
  readonly free: number
}

/** By file system: the paths' own places, the first path's first. `name` is that of the folders of our own, of which none exists yet. */
export function sharesOf(paths: readonly string[], name: string, relocations: readonly Relocation[] = []): readonly FileSystemShare[] {
  const shares = new Map<string, FileSystemShare>()
  for (const path of paths) {
    const place = placeOf(relocations, path)
    const identity = fileSystemOf(place)
    const share = shares.get(identity) ?? { folder: { path: join(homeOn(place, shares.size === 0), name), mountPoint: mountPointOf(nearestExisting(place)) }, paths: [], free: freeBytes(place) }
    shares.set(identity, { ...share, paths: [...share.paths, path] })
  }
  return [...shares.values()].map((share) => ({ ...share, folder: { ...share.folder, paths: share.paths } }))
}

/** The same for two paths between which a rename can be: one file system, mounted at one place (rename(2), EXDEV). */
export function fileSystemOf(path: string): string {
  const there = nearestExisting(isMountPoint(path) ? path : dirname(path))
  return `${statSync(there).dev} ${mountPointOf(there)}`
}

/** A rename cannot take its place (EBUSY, or EXDEV for a subvolume): what is in it is exchanged instead. */
export function isMountPoint(path: string): boolean {
  return isThere(path) && (mountPoints().includes(realPathSoFar(path)) || isOnOwnDevice(path))
}

/**
 * Where a folder of our own may be: beside the stack, or as high on the file system as this user may write. Not deep in
 * another one's tree: an engine takes any folder among its volumes for a volume.
 */
function homeOn(path: string, isStack: boolean): string {
  if (isMountPoint(path)) return path
  const nearest = nearestExisting(dirname(path))
  if (isStack) return nearest
  const identity = fileSystemOf(join(nearest, 'x'))
  let home = nearest
  for (let above = nearest; ; above = dirname(above)) {
    if (fileSystemOf(join(above, 'x')) !== identity) break
    if (isWritable(above)) home = above
    if (above === dirname(above)) break
  }
  return home
}

/** Whether this user may write there; false also on a file system that is mounted read-only. */
export function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** What this user may still write at this path, in bytes. */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(nearestExisting(path))
  return bavail * bsize
}

/** The share that a path of the snapshot lies in: where one disk is mounted below another, that of the inner one. */
export function shareOf<T extends { readonly paths?: readonly string[] }>(shares: readonly T[], path: string): T | undefined {
  let found: { readonly share: T; readonly length: number } | undefined
  for (const share of shares) for (const held of share.paths ?? []) if (isWithin(path, held) && held.length >= (found?.length ?? 0)) found = { share, length: held.length }
  return found?.share
}
