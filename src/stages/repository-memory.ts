import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Repository, RepositoryLayout } from '@stackbk/contract'
import { files } from '@stackbk/tool-runner/files'

import { writeFileAtomically } from '../host/atomic-write.js'
import { deviceOf, isWithin, mountPointOf, mountPoints, nearestExisting, realPathSoFar } from '../host/mounts.js'
import { ensureFolder } from '../host/state-folder.js'

export { SnapshotRecord } from './snapshot-record.js'

/** What this host knows of one place where a repository was. */
export interface KnownRepository {
  readonly schemaVersion: 1
  readonly location: string
  /** `null` where what was noted cannot be read any more: one was there, and that is all that is known. */
  readonly repositoryId: string | null
  /** The file system that its folder was on; `null` where it is no folder of this host, or not known any more. */
  readonly device: number | null
  /** Where that file system was mounted. Absent in a note of before it was noted. */
  readonly mountPoint?: string | null
  /** True if that was the root file system, also where it was mounted once more. Absent in a note of before it was noted. */
  readonly isOnRoot?: boolean
  /** IDs of other repositories that were used at this place, such as those of disks that take turns. Absent: none. */
  readonly otherIds?: readonly string[]
  /** SHA-256 of the file that holds its ID, as the engine wrote it; absent where that was not noted. */
  readonly configDigest?: string
  readonly firstSeenAt: string
  readonly lastSeenAt: string
  readonly lastSync: { readonly at: string; readonly remote: string; readonly snapshots: number } | null
}

/** The repository that was seen at this place before; `null` when none ever was. A note that cannot be read is a note all the same. */
export function knownRepository(folder: string, location: string): KnownRepository | null {
  const path = pathOf(folder, location)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    return isAbsence(error) ? null : unreadable(path, location)
  }
  const known = parsed(text)
  return known ?? unreadable(path, location)
}

/** Returns true if this host ever used a repository, at whatever location. */
export function anyRepositoryKnown(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => /^[0-9a-f]{32}\.json$/.test(name))
  } catch (error) {
    return !isAbsence(error)
  }
}

/**
 * Whether the disk that the repository was on is mounted at its place. By the mount point: a device's number may change with
 * each boot, and a new disk in the place of a dead one is what a restore is for.
 */
export function isDiskMounted(known: KnownRepository, path: string): boolean {
  if (typeof known.mountPoint === 'string') return mountPointOf(path) === known.mountPoint
  return known.device === null || deviceOf(nearestExisting(path)) === known.device
}

/**
 * Returns true if the file system that the repository was on is not mounted at its place any more, so that what is there lies
 * below the mount point. False where the path leads elsewhere by now, and for a repository that was on the root file system.
 */
export function isDiskGone({ mountPoint, isOnRoot }: KnownRepository, path: string): boolean {
  if (typeof mountPoint !== 'string' || mountPoint === '/') return false
  // An access, so that a disk that is mounted on demand is there.
  files.isThereNow(`${path}/.`)
  const real = realPathSoFar(path)
  if (!isWithin(real, mountPoint)) return false
  // A folder of the disk that is bound to the place is bound all the same when the disk is missing: then it is one of the root file system.
  return !mountPoints().includes(mountPoint) || (isOnRoot === false && isOnRootFileSystem(real))
}

function isOnRootFileSystem(path: string): boolean {
  const device = deviceOf(nearestExisting(path))
  return device !== null && device === deviceOf('/')
}

function parsed(text: string): KnownRepository | null {
  try {
    const known = JSON.parse(text) as KnownRepository | null
    return typeof known?.repositoryId === 'string' && typeof known.lastSeenAt === 'string' ? known : null
  } catch {
    return null
  }
}

function unreadable(path: string, location: string): KnownRepository {
  const seenAt = statSync(path, { throwIfNoEntry: false })?.mtime.toISOString() ?? now()
  return { schemaVersion: 1, location, repositoryId: null, device: null, firstSeenAt: seenAt, lastSeenAt: seenAt, lastSync: null }
}

function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
}

/** SHA-256 of the file that says which repository this is; `null` where there is none that could be read. */
export function configDigestOf(layout: RepositoryLayout | undefined, path: string | null): string | null {
  const config = layout?.groups.find(({ role, isFile }) => role === 'config' && isFile === true)
  if (path === null || config === undefined) return null
  try {
    return createHash('sha256').update(readFileSync(join(path, config.path))).digest('hex')
  } catch {
    return null
  }
}

/** Returns the same as {@link configDigestOf}, and holds up nothing else while a disk does not answer. */
export async function readConfigDigest(layout: RepositoryLayout | undefined, path: string): Promise<string | null> {
  const config = layout?.groups.find(({ role, isFile }) => role === 'config' && isFile === true)
  if (config === undefined) return null
  try {
    return createHash('sha256').update(await readFile(join(path, config.path))).digest('hex')
  } catch {
    return null
  }
}

/** Notes that a repository is at this place, so that it is never taken for one still to be made. What is not given stays as it was noted. */
export function rememberRepository(folder: string, location: string, repository: Repository, more: { readonly lastSync?: KnownRepository['lastSync']; readonly configDigest?: string | null } = {}): void {
  ensureFolder(folder)
  const before = knownRepository(folder, location)
  const seenAt = now()
  const isSame = before?.repositoryId === repository.id
  const otherIds = [...new Set([...(before?.otherIds ?? []), before?.repositoryId ?? repository.id])].filter((id) => id !== repository.id)
  const digest = more.configDigest === undefined && isSame ? before.configDigest : more.configDigest
  const known: KnownRepository = {
    schemaVersion: 1,
    location: repository.location,
    repositoryId: repository.id,
    device: repository.path === null ? null : statSync(repository.path).dev,
    mountPoint: repository.path === null ? null : mountPointOf(repository.path),
    ...(repository.path === null ? {} : { isOnRoot: isOnRootFileSystem(repository.path) }),
    ...(otherIds.length === 0 ? {} : { otherIds }),
    firstSeenAt: isSame ? before.firstSeenAt : seenAt,
    lastSeenAt: seenAt,
    lastSync: more.lastSync ?? (isSame ? before.lastSync : null),
    ...(typeof digest === 'string' ? { configDigest: digest } : {}),
  }
  writeFileAtomically(pathOf(folder, location), `${JSON.stringify(known, null, 2)}\n`, { mode: 0o600 })
}

function pathOf(folder: string, location: string): string {
  return join(folder, `${createHash('sha256').update(location).digest('hex').slice(0, 32)}.json`)
}

function now(): string {
  return new Date().toISOString()
}
