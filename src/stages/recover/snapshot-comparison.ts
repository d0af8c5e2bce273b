import { basename, dirname, join, relative } from 'node:path'

import type { SnapshotEntry } from '@stackbk/contract'

import { type FolderEntry, readEntries } from '../../host/file-names.js'
import { mostNamed } from './exchange.js'
import { ownFolderPrefix } from './own-folder.js'
import type { KeptPath, KeptPaths, KeptReason } from './kept-paths.js'
import { isThere, statusOf } from './moves.js'

/** A folder of the snapshot whose entries are coming, and what of it has not been listed yet. */
interface OpenFolder {
  readonly held: string
  readonly place: string
  readonly unlisted: Map<string, FolderEntry>
}

/**
 * Compares what is in a place with a listing of the snapshot, entry by entry as they come, folders before what is in them. It holds
 * the names of the folders from the root to the present one, and of the rest only what differs.
 */
export class SnapshotComparison {
  /** What the snapshot does not hold and nothing keeps in its place; of a whole folder the folder alone. */
  readonly notInSnapshot: string[] = []
  /** Folders in the place of files and the other way round: they have to go before the snapshot's can come. */
  readonly otherKind: string[] = []
  /** At most {@link mostNamed} of them. */
  readonly kept: KeptPath[] = []
  keptCount = 0
  /** Paths of the snapshot that must not come, since something else stays there. */
  readonly untouchable: string[] = []
  readonly #place: string
  readonly #held: string
  readonly #rules: KeptPaths
  readonly #open: OpenFolder[] = []

  constructor({ place, held, kept }: { readonly place: string; readonly held: string; readonly kept: KeptPaths }) {
    this.#place = place
    this.#held = held
    this.#rules = kept
  }

  entry({ path, type }: Pick<SnapshotEntry, 'path' | 'type'>): void {
    if (path === this.#held) return this.#compare(this.#place, path, type, statusOf(this.#place) ?? undefined)
    while (this.#open.length > 0 && !path.startsWith(`${this.#open.at(-1)!.held}/`)) this.#close()
    const folder = this.#open.at(-1)
    if (folder === undefined || folder.held !== dirname(path)) return
    const here = folder.unlisted.get(basename(path))
    folder.unlisted.delete(basename(path))
    this.#compare(join(folder.place, basename(path)), path, type, here)
  }

  /** All has been listed. */
  end(): void {
    while (this.#open.length > 0) this.#close()
  }

  #compare(place: string, held: string, type: SnapshotEntry['type'], here: Pick<FolderEntry, 'isDirectory'> | undefined): void {
    const reason = this.#rules.protectedPaths.get(place)
    if (here === undefined) return
    if (reason !== undefined) return this.#refuse({ path: place, reason }, held)
    if (here.isDirectory() && type === 'directory') return this.#enter(place, held)
    if (this.#rules.mountPoints.has(place)) return this.#refuse({ path: place, reason: 'mounted' }, held)
    if (!here.isDirectory()) {
      if (type === 'directory') this.otherKind.push(place)
      return
    }
    const fixedBy = this.#reasonToStay(place)
    if (fixedBy === null) this.otherKind.push(place)
    else this.#refuse({ path: place, reason: fixedBy }, held)
  }

  #refuse(one: KeptPath, held: string): void {
    this.#keep(one)
    this.untouchable.push(held)
  }

  #enter(place: string, held: string): void {
    this.#open.push({ held, place, unlisted: new Map(readEntries(place).map((entry) => [entry.name, entry])) })
  }

  #close(): void {
    const folder = this.#open.pop()
    if (folder === undefined) return
    for (const entry of folder.unlisted.values()) this.#leftOver(join(folder.place, entry.name), entry, this.notInSnapshot)
  }

  /** @returns whether it, or something in it, stays */
  #leftOver(path: string, entry: FolderEntry, found: string[]): boolean {
    if (entry.name.startsWith(ownFolderPrefix) || (entry.name === 'lost+found' && this.#rules.mountPoints.has(dirname(path)))) return true
    const reason = this.#rules.protectedPaths.get(path) ?? (this.#rules.mountPoints.has(path) ? 'mounted' : this.#rules.isExcluded(join(this.#held, relative(this.#place, path))) ? 'excluded' : null)
    if (reason !== null) {
      this.#keep({ path, reason })
      return true
    }
    if (!entry.isDirectory()) {
      if (!entry.isSocket()) found.push(path)
      return false
    }
    const below: string[] = []
    let stays = false
    for (const one of readEntries(path)) stays = this.#leftOver(join(path, one.name), one, below) || stays
    for (const one of stays ? below : [path]) found.push(one)
    return stays
  }

  #keep(one: KeptPath): void {
    this.keptCount++
    if (this.kept.length < mostNamed) this.kept.push(one)
  }

  /** Why a folder cannot go aside, for what is in it; `null`: it can, with what EXCLUDE keeps out of the snapshots. */
  #reasonToStay(folder: string): KeptReason | null {
    for (const [path, reason] of this.#rules.protectedPaths) if (path.startsWith(`${folder}/`) && isThere(path)) return reason
    return [...this.#rules.mountPoints].some((point) => point.startsWith(`${folder}/`)) ? 'mounted' : null
  }
}
