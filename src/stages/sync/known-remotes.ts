import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { counted } from '../../counted.js'
import { StackbkError } from '../../errors.js'
import { writeFileAtomically } from '../../host/atomic-write.js'
import { ensureFolder } from '../../host/state-folder.js'
import { knownRepository } from '../repository-memory.js'
import type { RemoteLook } from './file-list.js'

/** A place that one repository was copied to. */
export interface KnownRemote {
  readonly remote: string
  /** When the last sync to it ended well. ISO 8601 UTC. */
  readonly at: string
  /** Snapshots that it held then. */
  readonly snapshots: number
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
  const { remote, at, snapshots } = (value ?? {}) as Partial<Record<keyof KnownRemote, unknown>>
  return typeof remote === 'string' && typeof at === 'string' && typeof snapshots === 'number'
}
