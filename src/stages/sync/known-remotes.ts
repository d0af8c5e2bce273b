import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { LayoutGroup, Snapshot } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { StackbkError } from '../../errors.js'
import { writeFileAtomically } from '../../host/atomic-write.js'
import { ensureFolder } from '../../host/state-folder.js'
import { knownRepository } from '../repository-memory.js'
import type { FileList, RemoteLook } from './file-list.js'

/** A place that one repository was copied to. */
export interface KnownRemote {
  readonly remote: string
  /** When the last sync to it ended well. ISO 8601 UTC. */
  readonly at: string
  /** Snapshots that it held then. */
  readonly snapshots: number
  /** Indexes and snapshots of the copy, by their paths, the last ones that were sent first: an older copy lacks these. Absent: not known. */
  readonly recent?: readonly string[]
  /** The same of other copies that were at this place, such as those of disks that take turns. Absent: none. */
  readonly otherCopies?: readonly (readonly string[])[]
}

/**
 * Records which remotes a repository was copied to, by its ID, so that a remote that was there and is gone is not taken for a
 * new one: its disk may not be mounted, its bucket deleted, or its name mistyped.
 */
export class KnownRemotes {
  readonly #path: string
  readonly #folder: string
  readonly #remotes: readonly KnownRemote[]
  /** False if there is a record that cannot be read. Then there were remotes, and that is all that is known. */
  readonly isReadable: boolean

  /** @param location where the repository is, for what was recorded before there was a file for each repository */
  constructor(folder: string, repositoryId: string, location: string) {
    this.#folder = folder
    this.#path = join(folder, `${repositoryId}.remotes.json`)
    const earlier = knownRepository(folder, location)?.lastSync ?? null
    const read = remotesIn(this.#path)
    this.isReadable = read !== 'unreadable'
    this.#remotes = read === 'unreadable' || read === null ? (earlier === null ? [] : [earlier]) : read
  }

  of(remote: string): KnownRemote | null {
    return this.#remotes.find((known) => known.remote === remote) ?? null
  }

  /** Returns the remote of the last sync, whichever is configured now; `null` if there was none. */
  last(): KnownRemote | null {
    return this.#remotes.toSorted((one, other) => one.at.localeCompare(other.at)).at(-1) ?? null
  }

  record(remote: KnownRemote): void {
    ensureFolder(this.#folder)
    const remotes = [...this.#remotes.filter((known) => known.remote !== remote.remote), remote]
    writeFileAtomically(this.#path, `${JSON.stringify({ schemaVersion: 1, remotes }, null, 2)}\n`, { mode: 0o600 })
  }
}

/** So many files are recorded of a copy. */
const mostRecent = 20
const mostOtherCopies = 5

/** A single one may have been lost by accident: the next sync sends it again. */
const decidingFiles = 2

/** Tells which of the copies that were at one place a remote is. */
export class CopyIdentity {
  readonly #known: KnownRemote | null
  readonly #copies: readonly (readonly string[])[]
  /** Of {@link #copies}; -1 for none of them. */
  readonly #at: number
  readonly #isEmpty: boolean

  /** @param snapshots of the local repository, oldest first */
  constructor(known: KnownRemote | null, { list }: Pick<RemoteLook, 'list'>, snapshots: readonly Snapshot[]) {
    const there = new Set(list.flatMap(({ files }) => files.map(({ path }) => path)))
    this.#known = known
    this.#copies = [known?.recent ?? [], ...(known?.otherCopies ?? [])]
    this.#isEmpty = there.size === 0
    const found = this.#copies.findIndex((recent) => recent.length === 0 || recent.slice(0, decidingFiles).some((path) => there.has(path)))
    // Another host has sent what is newer, and removed what it has forgotten.
    const isNewer = snapshotIds(list).some((id) => snapshots.some((snapshot) => snapshot.id === id && known !== null && Date.parse(snapshot.time) > Date.parse(known.at)))
    this.#at = found === -1 && isNewer ? 0 : found
  }

  /** Throws `guard` (7) if the remote is an older copy than the one of the last sync, and none that was used since. */
  assertKnown(): void {
    if (this.#known === null || this.#at !== -1) return
    throw new StackbkError({
      kind: 'guard',
      code: 'remote-older',
      message: `${this.#known.remote} lacks the newest snapshots that it held after the sync of ${this.#known.at}`,
      detail: 'nothing was written there: its disk may not be mounted, so that an older copy is found in its place, or another disk is mounted there',
      fix: 'Mount its disk or correct the remote in the configuration. To go on with this copy, run once: stackbk sync --allow-new-remote',
    })
  }

  /** Returns what is recorded of this copy, and of those with which it takes turns, once it holds all of `list`. */
  after(list: FileList, before: FileList, snapshots: readonly Snapshot[]): Required<Pick<KnownRemote, 'recent' | 'otherCopies'>> {
    const earlier = this.#copies[this.#at] ?? []
    const otherCopies = this.#copies.filter((recent, index) => index !== this.#at && recent.length > 0 && !(this.#isEmpty && index === 0)).slice(0, mostOtherCopies)
    return { recent: recentFiles(list, before, snapshots, earlier), otherCopies }
  }
}

/** What was sent by this sync comes first, then what was sent by earlier ones, in each the newest snapshot first. */
function recentFiles(list: FileList, before: FileList, snapshots: readonly Snapshot[], earlier: readonly string[]): readonly string[] {
  const ages = new Map(snapshots.toReversed().map(({ id }, age) => [id, age]))
  const age = (path: string): number => ages.get(nameIn(path)) ?? ages.size
  const inRole = (role: LayoutGroup['role']): readonly string[] => list.filter(({ group }) => group.role === role).flatMap(({ files }) => files.map(({ path }) => path))
  const [newestFirst, indexes] = [inRole('snapshot').toSorted((one, other) => age(one) - age(other)), inRole('index')]
  const [present, had] = [new Set([...newestFirst, ...indexes]), new Set(before.flatMap(({ files }) => files.map(({ path }) => path)))]
  const sent = [...newestFirst, ...indexes].filter((path) => !had.has(path))
  return [...new Set([...sent, ...earlier.filter((path) => present.has(path)), ...newestFirst])].slice(0, mostRecent)
}

function snapshotIds(list: FileList): readonly string[] {
  return list.filter(({ group }) => group.role === 'snapshot').flatMap(({ files }) => files.map(({ path }) => nameIn(path)))
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/**
 * Throws `guard` (7) if the remote holds no snapshot and no `config` although one of this repository's copies should be there.
 * `knows`: what was recorded before this run looked at the repository.
 */
export function refuseVanishedRemote(location: string, look: RemoteLook, knows: KnownRemotes): void {
  const holds = look.list.some(({ group, files }) => (group.role === 'config' || group.role === 'snapshot') && files.length > 0)
  if (holds) return
  const [before, last] = [knows.of(location), knows.last()]
  if (before !== null ? before.snapshots > 0 : last !== null && last.snapshots > 0) throw vanished(location, before ?? null, last)
  if (before === null && !knows.isReadable) throw vanished(location, null, null)
}

function vanished(location: string, before: KnownRemote | null, last: KnownRemote | null): StackbkError {
  const told = before ?? last
  const [code, message, detail] =
    before !== null
      ? (['remote-vanished', `${location} is empty, and held ${counted(before.snapshots, 'snapshot')} after the sync of ${before.at}`, 'nothing was written there: its disk may not be mounted, or its bucket or folder was deleted'] as const)
      : (['remote-changed', `${location} is empty, and ${told === null ? 'the record of earlier syncs cannot be read' : `the last sync, of ${told.at}, went to ${told.remote}`}`, 'nothing was written there: its name may be mistyped'] as const)
  return new StackbkError({ kind: 'guard', code, message, detail, fix: 'Mount its disk or correct the remote in the configuration. To start a new copy there, run once: stackbk sync --allow-new-remote' })
}

function remotesIn(path: string): readonly KnownRemote[] | 'unreadable' | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '') ? null : 'unreadable'
  }
  try {
    const { remotes } = JSON.parse(text) as { remotes?: unknown }
    return Array.isArray(remotes) && remotes.every(isRemote) ? remotes : 'unreadable'
  } catch {
    return 'unreadable'
  }
}

function isRemote(value: unknown): value is KnownRemote {
  const { remote, at, snapshots, recent = [], otherCopies = [] } = (value ?? {}) as Partial<Record<keyof KnownRemote, unknown>>
  return typeof remote === 'string' && typeof at === 'string' && typeof snapshots === 'number' && isPaths(recent) && Array.isArray(otherCopies) && otherCopies.every(isPaths)
}

function isPaths(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((path) => typeof path === 'string')
}
