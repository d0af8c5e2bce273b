import { readdirSync } from 'node:fs'

import { loadConfiguration, type Environment } from '../config/configuration.js'
import type { StateFolder } from '../host/state-folder.js'
import { readDirlist } from '../stacks/dirlist.js'
import { dirlistPlace } from './dirlist.js'
import { readRuns } from './history.js'
import { SnapshotRecord } from './repository-memory.js'

/** A value that a word of a command line may have, and what it is. */
export interface KnownValue {
  readonly value: string
  readonly description: string
}

/** As long as restic shows an ID. Characters. */
const idLength = 8

/** The stacks that are listed or found. No tool is asked, and nothing is said where there is no configuration that could be read. */
export function knownStacks(file: string | undefined, environment: Environment): readonly KnownValue[] {
  try {
    const configuration = loadConfiguration({ file, environment, descriptors: [], needs: [], whenMissing: 'defaults' })
    return readDirlist(dirlistPlace(configuration)).stacks.map(({ name, enabled }) => ({ value: name, description: enabled ? 'on' : 'off' }))
  } catch {
    return []
  }
}

/**
 * The snapshots that the last look at a repository found, newest first: the repository itself would want its password.
 */
export function knownSnapshots(state: StateFolder): readonly KnownValue[] {
  const described = new Map(readRuns(state.history).flatMap(snapshotsIn))
  const ids = new Set(repositoriesIn(state.repositories).flatMap((repository) => new SnapshotRecord(state.repositories, repository).present()))
  const known = [...described].filter(([id]) => ids.has(id)).toReversed()
  const others = [...ids].filter((id) => !described.has(id)).toReversed()
  return [...known.map(([id, description]) => ({ value: id.slice(0, idLength), description })), ...others.map((id) => ({ value: id.slice(0, idLength), description: '' }))]
}

function repositoriesIn(folder: string): string[] {
  const end = '.snapshots.jsonl'
  try {
    return readdirSync(folder).filter((name) => name.endsWith(end)).map((name) => name.slice(0, -end.length))
  } catch {
    return []
  }
}

/** Returns each snapshot's ID of a run's result, with its stack and the time of the run in ISO 8601. */
function snapshotsIn(run: Readonly<Record<string, unknown>>): [string, string][] {
  const { stacks, backup, startedAt } = run as { stacks?: unknown; backup?: Readonly<Record<string, unknown>>; startedAt?: string }
  if (backup !== undefined) return snapshotsIn(backup)
  if (!Array.isArray(stacks)) return []
  return (stacks as { name?: unknown; snapshot?: { id?: unknown } | null }[]).flatMap(({ name, snapshot }): [string, string][] => {
    const id = snapshot?.id
    return typeof id === 'string' && typeof name === 'string' ? [[id, `${name} ${startedAt ?? ''}`]] : []
  })
}
