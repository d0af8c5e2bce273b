import { closeSync, copyFileSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import type { StackState, StopMode } from '@stackbk/contract'

import { syncFolder } from '../host/atomic-write.js'
import type { MountedFileSystem } from '../host/mounts.js'
import { ensureFolder } from '../host/state-folder.js'

/** What must be known to bring one stack back, written before the first of its containers is touched. */
export interface JournalEntry {
  readonly schemaVersion: 1
  readonly runId: string
  readonly key: string
  readonly name: string
  readonly directory: string
  readonly writtenAt: string
  readonly bootId: string
  readonly mode: StopMode
  readonly healthTimeoutMs: number
  readonly state: StackState
  /** Why `down` would not have given back the same containers, already then: only what is new since has been changed by somebody. */
  readonly whyNotDown: readonly string[]
  /**
   * Where each source lay at the stop: a start on another device would meet an unmounted disk. After a restart of the machine
   * the same disk may have another number: then its mount point tells. `mount` is what was mounted there; absent in entries of
   * earlier versions.
   */
  readonly devices: readonly { readonly path: string; readonly device: number; readonly mountPoint?: string; readonly mount?: MountedFileSystem }[]
  /** Files, and folders that were not empty, that containers had mounted from the host. Absent in entries of earlier versions. */
  readonly filledBinds?: readonly string[]
  /**
   * The grace in seconds of each container that asks for none itself (see `stopGraceOf` of the contract). Until it is over a
   * container that still runs may be about to end. Absent in entries of earlier versions.
   */
  readonly graceSeconds?: number
}

/** An entry that cannot be read: that a stack was stopped, and not how it was. */
export interface DamagedEntry {
  readonly key: string
  readonly reason: string
}

export interface JournalContent {
  readonly entries: readonly JournalEntry[]
  /** Files that could not be read as entries. */
  readonly damaged: readonly DamagedEntry[]
}

/** The stacks that a run has stopped and not yet confirmed up: one file a stack, there from before its stop until then. */
export class Journal {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** On disk for good when it returns: file and folder are synced. Throws when that cannot be (a full disk): then nothing may be stopped. */
  write(entry: JournalEntry): void {
    ensureFolder(this.#folder)
    const path = this.#pathOf(entry.key)
    const half = `${path}.new`
    const file = openSync(half, 'w', 0o600)
    try {
      writeWhole(file, JSON.stringify(entry))
      fsyncSync(file)
    } catch (error) {
      rmSync(half, { force: true })
      throw error
    } finally {
      closeSync(file)
    }
    renameSync(half, path)
    syncFolder(this.#folder)
  }

  /** The stack is confirmed up, or its entry is discarded. */
  remove(key: string): void {
    if (this.isEmpty()) return
    rmSync(this.#pathOf(key), { force: true })
    syncFolder(this.#folder)
  }

  /** What a kill has left of an entry half written: it says nothing that the entry before it does not. */
  removeHalves(): void {
    for (const name of this.#names().filter((one) => one.endsWith('.json.new'))) rmSync(join(this.#folder, name), { force: true })
  }

  /** Whether anything waits, without reading it. */
  isEmpty(): boolean {
    return this.#files().length === 0
  }

  /** Those that can be read, oldest first. */
  entries(): readonly JournalEntry[] {
    return this.content().entries
  }

  /** All that waits, oldest first. */
  content(): JournalContent {
    const entries: JournalEntry[] = []
    const damaged: DamagedEntry[] = []
    for (const name of this.#files()) {
      const entry = parseEntry(join(this.#folder, name))
      if (typeof entry === 'string') damaged.push({ key: name.slice(0, -'.json'.length), reason: entry })
      else entries.push(entry)
    }
    entries.sort((one, other) => one.writtenAt.localeCompare(other.writtenAt))
    return { entries, damaged }
  }

  /** Names of the stacks that wait, and the keys of those whose entry is damaged. */
  waiting(): readonly string[] {
    const { entries, damaged } = this.content()
    return [...entries.map(({ name }) => name), ...damaged.map(({ key }) => key)]
  }

  /** Puts a damaged entry out of the way, for people to look at. Gives its path there. */
  keepAside(key: string): string {
    const keptAs = damagedPath(this.#pathOf(key))
    renameSync(this.#pathOf(key), keptAs)
    syncFolder(this.#folder)
    return keptAs
  }

  /** The same for one that stays until a better one takes its place. */
  copyAside(key: string): string {
    const keptAs = damagedPath(this.#pathOf(key))
    copyFileSync(this.#pathOf(key), keptAs)
    return keptAs
  }

  #files(): string[] {
    return this.#names().filter((name) => name.endsWith('.json'))
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder)
    } catch {
      return []
    }
  }

  #pathOf(key: string): string {
    return join(this.#folder, `${key}.json`)
  }
}

function damagedPath(path: string): string {
  return `${path}.damaged`
}

/** The entry, or why it is none. */
function parseEntry(path: string): JournalEntry | string {
  try {
    const entry = JSON.parse(readFileSync(path, 'utf8')) as Partial<JournalEntry>
    if (entry.schemaVersion !== 1) return `its schemaVersion is ${String(entry.schemaVersion)}, not 1`
    if (typeof entry.key !== 'string' || typeof entry.directory !== 'string' || !Array.isArray(entry.state?.projects)) return 'it lacks a part'
    return entry as JournalEntry
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function writeWhole(file: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
}
