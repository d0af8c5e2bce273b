import { statSync } from 'node:fs'
import { join } from 'node:path'

import { done, failed, type Answer } from '@stackbk/contract'

import { StackbkError } from '../errors.js'
import { appendLine } from '../host/append-line.js'
import { writeFileAtomically } from '../host/atomic-write.js'
import { ensureFolder } from '../host/state-folder.js'
import { readRecordLines, type RecordLine } from './snapshot-record-lines.js'

/** A record of this size is rewritten when half of it is history that the next run does not need. Bytes. */
const compactFromBytes = 256 * 1024

/** The record keeps this many snapshots that are gone: two years of thirty stacks each night. Of an older one the proof is lost. */
const mostGone = 50_000

/**
 * Records which snapshots of one repository were here, and which of them stackbk itself removed. Only those may be deleted
 * from a copy: a rolled-back disk, a second writer or a lost state folder leaves no such proof.
 *
 * Each act adds one line before and one after it, so that the next run finds out what an interrupted act did. The same holds
 * for what could not be recorded after an act, for example on a full disk. A record that cannot be read proves nothing: its
 * questions throw, and nothing is forgotten while it is in that state.
 */
export class SnapshotRecord {
  readonly #path: string
  readonly #folder: string
  readonly #seen = new Set<string>()
  /** In the order in which they were forgotten. */
  readonly #forgotten = new Set<string>()
  /** The host that forgot it, for those that this one did not forget itself. */
  readonly #forgottenBy = new Map<string, string>()
  /** The host, or the machine of the same hostname, that made a snapshot. Absent for this machine's own. */
  readonly #owners = new Map<string, string>()
  /** Snapshots that were found in the repository and not made by a run of this state folder. */
  readonly #found = new Set<string>()
  #open = new Set<string>()
  /** Snapshots that the unfinished act cannot have removed. */
  #staying: readonly string[] = []
  #isPublished = true
  #unreadable: string | null = null

  constructor(folder: string, repositoryId: string) {
    this.#folder = folder
    this.#path = join(folder, `${repositoryId}.snapshots.jsonl`)
    const read = readRecordLines(this.#path)
    if (read.ok) for (const line of read.value) this.#apply(line)
    else this.#unreadable = read.failure.message
  }

  /** Why the record cannot be read; `null` if it can. */
  get unreadable(): string | null {
    return this.#unreadable
  }

  /** Throws `snapshot-record-unreadable` if the record cannot be read. */
  wasSeen(id: string): boolean {
    this.#assertReadable()
    return this.#seen.has(id)
  }

  /** Throws `snapshot-record-unreadable` if the record cannot be read. */
  wasForgotten(id: string): boolean {
    this.#assertReadable()
    return this.#forgotten.has(id)
  }

  /** Returns the host, or the machine of the same hostname, that made a snapshot; `null` for this machine's own. */
  ownerOf(id: string): string | null {
    return this.#owners.get(id) ?? null
  }

  /** Returns whether a snapshot was found in the repository and it is not known yet which machine made it. */
  isOfUnknownMachine(id: string): boolean {
    return this.#found.has(id) && !this.#owners.has(id)
  }

  /** Returns the snapshots that were here at the last look, in the order in which they were first seen. */
  present(): readonly string[] {
    return [...this.#seen].filter((id) => !this.#forgotten.has(id))
  }

  /** Returns the snapshots that this host itself forgot, the oldest act first. */
  forgottenHere(): readonly string[] {
    return [...this.#forgotten].filter((id) => !this.#forgottenBy.has(id))
  }

  /** Returns whether the other hosts can read in the repository what this one has forgotten. */
  get isPublished(): boolean {
    return this.#isPublished
  }

  /**
   * Records that the repository holds these snapshots now, and no others. Those of an unfinished act that are gone went by it,
   * unless something that the act leaves alone is gone with them: then the disk was rolled back to an earlier state.
   */
  settle(present: readonly string[]): void {
    if (this.#unreadable !== null) return
    const here = new Set(present)
    const isContinued = this.#staying.every((id) => here.has(id))
    const gone = isContinued ? [...this.#open].filter((id) => !here.has(id)) : []
    if (this.#open.size > 0) this.#add({ is: 'forgot', at: now(), ids: gone })
    const fresh = this.#unseen(present)
    if (fresh.length > 0) this.#add({ is: 'seen', at: now(), ids: fresh, found: true })
    this.#compact(here)
  }

  /** Records snapshots that a run of this state folder has made or fetched. */
  noteSeen(ids: readonly string[]): void {
    const fresh = ids.filter((id) => !this.#seen.has(id) || this.#forgotten.has(id) || this.#found.has(id))
    if (fresh.length > 0) this.#add({ is: 'seen', at: now(), ids: fresh })
  }

  /** Records which host, or machine of the same hostname, made these; `null`: this machine. */
  noteOwner(ids: readonly string[], owner: string | null): void {
    const fresh = ids.filter((id) => (owner === null ? this.#found.has(id) : this.#owners.get(id) !== owner))
    if (fresh.length === 0) return
    this.#add(owner === null ? { is: 'seen', at: now(), ids: fresh } : { is: 'owned', at: now(), ids: fresh, owner })
  }

  /**
   * Records, before an act, that it may remove any of these. `staying`: snapshots that it never removes, by which its end can
   * be told from a rollback. Fails if that cannot be recorded: then nothing should be forgotten, since the copies could never
   * follow.
   */
  willForget(candidates: readonly string[], staying: readonly string[] = []): Answer<void> {
    if (this.#unreadable !== null) return failed({ kind: 'failed', message: `no snapshot was forgotten, because the record of snapshots ${this.#path} cannot be read`, toolOutput: this.#unreadable, fix: this.#wayOut() })
    const line: RecordLine = { is: 'forgetting', at: now(), candidates, ...(staying.length === 0 ? {} : { staying }) }
    try {
      this.#write(line)
    } catch (error) {
      return failed({ kind: 'failed', message: 'no snapshot was forgotten, because that could not be noted first', toolOutput: error instanceof Error ? error.message : String(error), fix: `Free space in ${this.#folder}` })
    }
    this.#apply(line)
    return done
  }

  /** Records, after an act, that it removed these and no others. */
  didForget(ids: readonly string[]): void {
    this.#add({ is: 'forgot', at: now(), ids })
  }

  /** Records that another host has removed these, by its own word. */
  noteForgottenBy(host: string, ids: readonly string[]): void {
    if (ids.length > 0) this.#add({ is: 'forgot', at: now(), ids, by: host })
  }

  /** Records that the other hosts can read in the repository what this one has forgotten so far. */
  notePublished(): void {
    this.#add({ is: 'published', at: now() })
  }

  /** Returns the failure of a record that cannot be read, with a way out. */
  unreadableError(): StackbkError {
    return new StackbkError({ kind: 'failed', code: 'snapshot-record-unreadable', message: `the record of snapshots ${this.#path} cannot be read`, detail: this.#unreadable ?? '', fix: this.#wayOut() })
  }

  #wayOut(): string {
    return `Check the disk and the permissions of ${this.#folder}. If the record is lost, move the file away; the next sync then asks for --allow-delete once`
  }

  #assertReadable(): void {
    if (this.#unreadable !== null) throw this.unreadableError()
  }

  #unseen(ids: readonly string[]): readonly string[] {
    return ids.filter((id) => !this.#seen.has(id) || this.#forgotten.has(id))
  }

  #add(line: RecordLine): void {
    if (this.#unreadable !== null) return
    try {
      this.#write(line)
    } catch {
      // The next look at the repository makes up for it.
    }
    this.#apply(line)
  }

  #write(line: RecordLine): void {
    ensureFolder(this.#folder)
    appendLine(this.#path, JSON.stringify(line), true)
  }

  /** Rewrites a record that is mostly history. The caller holds the repository's lock, and no act is open. */
  #compact(here: ReadonlySet<string>): void {
    const size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0
    if (size < compactFromBytes || this.#open.size > 0) return
    const lost = this.present().filter((id) => !here.has(id))
    for (const id of [...[...this.#forgotten].slice(0, -mostGone), ...lost.slice(0, -mostGone)]) {
      for (const ids of [this.#seen, this.#forgotten, this.#forgottenBy, this.#owners, this.#found]) ids.delete(id)
    }
    const text = this.#lines(here).map((line) => `${JSON.stringify(line)}\n`).join('')
    if (text.length * 2 > size) return
    try {
      writeFileAtomically(this.#path, text, { mode: 0o600 })
    } catch {
      // The longer record holds the same.
    }
  }

  /** What the next run needs to know, in the fewest lines. */
  #lines(here: ReadonlySet<string>): readonly RecordLine[] {
    const at = now()
    const seen = this.present()
    const forgottenBy = groupedBy(this.#forgotten, (id) => this.#forgottenBy.get(id) ?? '')
    const owners = groupedBy(seen, (id) => this.#owners.get(id) ?? '')
    const lines: RecordLine[] = [
      { is: 'forgot', at, ids: forgottenBy.get('') ?? [] },
      ...[...forgottenBy].flatMap(([by, ids]): RecordLine[] => (by === '' ? [] : [{ is: 'forgot', at, ids, by }])),
      ...(this.#isPublished ? [{ is: 'published', at } as const] : []),
      // One that is gone without an act stays known as seen: its deletion is not proven.
      { is: 'seen', at, ids: seen.filter((id) => !this.#found.has(id) || !here.has(id)) },
      { is: 'seen', at, ids: seen.filter((id) => this.#found.has(id) && here.has(id)), found: true },
      ...[...owners].flatMap(([owner, ids]): RecordLine[] => (owner === '' ? [] : [{ is: 'owned', at, ids, owner }])),
    ]
    return lines.filter((line) => !('ids' in line) || line.ids.length > 0)
  }

  #apply(line: RecordLine): void {
    switch (line.is) {
      case 'seen':
        for (const id of line.ids) {
          this.#seen.add(id)
          this.#forgotten.delete(id)
          this.#forgottenBy.delete(id)
          if (line.found === true) this.#found.add(id)
          else this.#found.delete(id)
        }
        break
      case 'owned':
        for (const id of line.ids) this.#owners.set(id, line.owner)
        break
      case 'forgetting':
        this.#open = new Set(line.candidates)
        this.#staying = line.staying ?? []
        break
      case 'forgot':
        for (const id of line.ids) {
          this.#seen.add(id)
          this.#forgotten.delete(id)
          this.#forgotten.add(id)
          this.#found.delete(id)
          this.#owners.delete(id)
          if (line.by === undefined) this.#forgottenBy.delete(id)
          else this.#forgottenBy.set(id, line.by)
        }
        if (line.by !== undefined) break
        if (line.ids.length > 0) this.#isPublished = false
        this.#open = new Set()
        this.#staying = []
        break
      case 'published':
        this.#isPublished = true
        break
    }
  }
}

function groupedBy(ids: Iterable<string>, keyOf: (id: string) => string): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const id of ids) {
    const group = groups.get(keyOf(id))
    if (group === undefined) groups.set(keyOf(id), [id])
    else group.push(id)
  }
  return groups
}

function now(): string {
  return new Date().toISOString()
}
