import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { done, failed, type Answer, type Repository, type RepositoryLayout } from '@stackbk/contract'

import { appendLine } from '../host/append-line.js'
import { writeFileAtomically } from '../host/atomic-write.js'
import { deviceOf, mountPointOf, nearestExisting } from '../host/mounts.js'
import { ensureFolder } from '../host/state-folder.js'

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

/**
 * Whether the disk that the repository was on is mounted at its place. By the mount point: a device's number may change with
 * each boot, and a new disk in the place of a dead one is what a restore is for.
 */
export function isDiskMounted(known: KnownRepository, path: string): boolean {
  if (typeof known.mountPoint === 'string') return mountPointOf(path) === known.mountPoint
  return known.device === null || deviceOf(nearestExisting(path)) === known.device
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
export function configDigestOf(layout: RepositoryLayout, path: string | null): string | null {
  const config = layout.groups.find(({ role, isFile }) => role === 'config' && isFile === true)
  if (path === null || config === undefined) return null
  try {
    return createHash('sha256').update(readFileSync(join(path, config.path))).digest('hex')
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
  const digest = more.configDigest === undefined && isSame ? before.configDigest : more.configDigest
  const known: KnownRepository = {
    schemaVersion: 1,
    location: repository.location,
    repositoryId: repository.id,
    device: repository.path === null ? null : statSync(repository.path).dev,
    mountPoint: repository.path === null ? null : mountPointOf(repository.path),
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

type Line =
  | { readonly is: 'seen'; readonly at: string; readonly ids: readonly string[] }
  | { readonly is: 'forgetting'; readonly at: string; readonly candidates: readonly string[]; readonly staying?: readonly string[] }
  | { readonly is: 'forgot'; readonly at: string; readonly ids: readonly string[] }

/**
 * Which snapshots of one repository were here, and which of them went by our own hand. Only what went so may be deleted
 * from a copy: a rolled-back disk, a second writer or a lost state folder leaves no such proof.
 *
 * One line an act, added before and after it, so that a kill in between is settled by the next look at the repository. So is
 * what could not be noted after an act, on a full disk say: that is no reason to end a run.
 */
export class SnapshotRecord {
  readonly #path: string
  readonly #folder: string
  readonly #seen = new Set<string>()
  readonly #forgotten = new Set<string>()
  #open = new Set<string>()
  /** What the unfinished act cannot have removed. */
  #staying: readonly string[] = []

  constructor(folder: string, repositoryId: string) {
    this.#folder = folder
    this.#path = join(folder, `${repositoryId}.snapshots.jsonl`)
    for (const line of linesOf(this.#path)) this.#apply(line)
  }

  wasSeen(id: string): boolean {
    return this.#seen.has(id)
  }

  wasForgotten(id: string): boolean {
    return this.#forgotten.has(id)
  }

  /** Those that were here at the last look, in the order in which they were first seen. */
  present(): readonly string[] {
    return [...this.#seen].filter((id) => !this.#forgotten.has(id))
  }

  /**
   * The repository holds these now, and no others. Those of an unfinished act that it no longer holds went by it, unless
   * something is gone with them that the act leaves alone: then the repository is another state of itself, a disk rolled back.
   */
  settle(present: readonly string[]): void {
    const here = new Set(present)
    const isContinued = this.#staying.every((id) => here.has(id))
    const gone = isContinued ? [...this.#open].filter((id) => !here.has(id)) : []
    if (this.#open.size > 0) this.#add({ is: 'forgot', at: now(), ids: gone })
    this.noteSeen(present)
  }

  /** These are here, besides what else is. */
  noteSeen(ids: readonly string[]): void {
    const fresh = ids.filter((id) => !this.#seen.has(id) || this.#forgotten.has(id))
    if (fresh.length > 0) this.#add({ is: 'seen', at: now(), ids: fresh })
  }

  /**
   * Before an act that may remove any of these. `staying`: what it surely leaves, by which its end can be told from a rollback.
   * Fails where that cannot be noted: then nothing should be forgotten, since the copies could never follow.
   */
  willForget(candidates: readonly string[], staying: readonly string[] = []): Answer<void> {
    const line: Line = { is: 'forgetting', at: now(), candidates, ...(staying.length === 0 ? {} : { staying }) }
    try {
      this.#write(line)
    } catch (error) {
      return failed({ kind: 'failed', message: 'no snapshot was forgotten, because that could not be noted first', toolOutput: error instanceof Error ? error.message : String(error), fix: `Free space in ${this.#folder}` })
    }
    this.#apply(line)
    return done
  }

  /** After it: these it removed, the others it did not. */
  didForget(ids: readonly string[]): void {
    this.#add({ is: 'forgot', at: now(), ids })
  }

  #add(line: Line): void {
    try {
      this.#write(line)
    } catch {
      // The next look at the repository makes up for it.
    }
    this.#apply(line)
  }

  #write(line: Line): void {
    ensureFolder(this.#folder)
    appendLine(this.#path, JSON.stringify(line), true)
  }

  #apply(line: Line): void {
    switch (line.is) {
      case 'seen':
        for (const id of line.ids) {
          this.#seen.add(id)
          this.#forgotten.delete(id)
        }
        break
      case 'forgetting':
        this.#open = new Set(line.candidates)
        this.#staying = line.staying ?? []
        break
      case 'forgot':
        for (const id of line.ids) {
          this.#seen.add(id)
          this.#forgotten.add(id)
        }
        this.#open = new Set()
        this.#staying = []
        break
    }
  }
}

function linesOf(path: string): Line[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return []
  }
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Line]
    } catch {
      return []
    }
  })
}

function now(): string {
  return new Date().toISOString()
}
