import { join, relative } from 'node:path'

import { type FolderEntry, readEntries, readNames } from '../../host/file-names.js'
import type { KeptPath, KeptPaths, KeptReason } from './kept-paths.js'
import { isThere, statusOf } from './moves.js'
import { ownFolderPrefix } from './own-folder.js'

/** A thing that is exchanged by two renames. */
export interface Exchange {
  readonly place: string
  /** Where what comes waits; `null`: nothing comes, since the snapshot holds none of it. */
  readonly staged: string | null
  /** What of the present one the snapshot does not hold, the place itself included. It is kept aside for good. */
  readonly notInSnapshot: readonly string[]
}

/** A folder that stays, with what is kept in it: it takes owner and mode of the snapshot's. */
export interface StayingFolder {
  readonly path: string
  readonly staged: string
}

/** So many of what is kept are named: EXCLUDE may keep millions. */
export const mostNamed = 1000

export interface Exchanges {
  readonly exchanges: readonly Exchange[]
  readonly folders: readonly StayingFolder[]
  /** At most {@link mostNamed} of them. */
  readonly kept: readonly KeptPath[]
  readonly keptCount: number
  /** Places in which the snapshot holds something else than what has to stay there: the snapshot's does not come. */
  readonly conflicts: readonly KeptPath[]
}

export interface ExchangeRequest {
  /** Where it is, or is to be, on this host. */
  readonly place: string
  /** Its path in the snapshot. */
  readonly held: string
  /** Where a path of the snapshot waits. */
  readonly stagedAt: (held: string) => string
  readonly kept: KeptPaths
}

/** One folder's share of the answer. */
interface Part {
  readonly exchanges: Exchange[]
  readonly folders: StayingFolder[]
  readonly conflicts: KeptPath[]
  readonly notInSnapshot: string[]
  /** Something in it must not be moved, so that the folder itself stays. */
  stays: boolean
  /** Why, where it is more than EXCLUDE: that can never go aside with its folder. */
  fixedBy: KeptReason | null
}

/**
 * Plans how what is in a place gives way to what waits: as a whole by one exchange, or, where something below has to stay, entry by
 * entry around it. What stays is never moved, so that no crash and no failure can lose it, and a mount is never touched.
 */
export function planExchange(request: ExchangeRequest): Exchanges {
  const { place, held, kept } = request
  const staged = request.stagedAt(held)
  const nothing: Exchanges = { exchanges: [], folders: [], kept: [], keptCount: 0, conflicts: [] }
  const reason = kept.protectedPaths.get(place)
  if (reason !== undefined) return { ...nothing, kept: [{ path: place, reason }], keptCount: 1 }
  const isMount = kept.mountPoints.has(place)
  if (!isFolder(place)) return isMount ? { ...nothing, conflicts: [{ path: place, reason: 'mounted' }] } : { ...nothing, exchanges: [{ place, staged, notInSnapshot: [] }] }
  const plan = new ExchangePlan(request)
  const part = plan.partOf(place, isFolder(staged))
  if (!part.stays && !isMount) return { ...nothing, exchanges: [{ place, staged, notInSnapshot: isFolder(staged) ? part.notInSnapshot : [place] }] }
  const { named, count: keptCount } = plan
  if (!isFolder(staged)) return { ...nothing, kept: named, keptCount, conflicts: [{ path: place, reason: part.fixedBy ?? 'excluded' }] }
  return { exchanges: part.exchanges, folders: [{ path: place, staged }, ...part.folders], kept: named, keptCount, conflicts: part.conflicts }
}

class ExchangePlan {
  readonly named: KeptPath[] = []
  count = 0
  readonly #request: ExchangeRequest

  constructor(request: ExchangeRequest) {
    this.#request = request
  }

  /** `isStaged`: the snapshot has a folder here too. */
  partOf(folder: string, isStaged: boolean): Part {
    const part: Part = { exchanges: [], folders: [], conflicts: [], notInSnapshot: [], stays: false, fixedBy: null }
    const comes = new Set(isStaged ? readNames(this.#stagedFor(folder)) : [])
    for (const entry of readEntries(folder)) this.#addEntry(part, folder, entry, comes)
    // What is not here comes without anything to exchange.
    for (const name of [...comes].sort()) part.exchanges.push({ place: join(folder, name), staged: this.#stagedFor(join(folder, name)), notInSnapshot: [] })
    return part
  }

  #addEntry(part: Part, folder: string, entry: FolderEntry, comes: Set<string>): void {
    const { kept } = this.#request
    const path = join(folder, entry.name)
    const isMount = kept.mountPoints.has(path)
    const isHeld = comes.delete(entry.name) || (isMount && isThere(this.#stagedFor(path)))
    const staged = isHeld ? this.#stagedFor(path) : null
    const reason = kept.protectedPaths.get(path)
    if (entry.name.startsWith(ownFolderPrefix) || (entry.name === 'lost+found' && !isHeld && kept.mountPoints.has(folder))) this.#fix(part, 'mounted')
    else if (reason !== undefined) this.#keep(part, { path, reason })
    else if (isMount) this.#addMount(part, path, staged)
    else if (!isHeld && kept.isExcluded(this.#heldFor(path))) this.#keep(part, { path, reason: 'excluded' })
    else if (entry.isDirectory()) this.#addFolder(part, path, staged)
    // A socket is made by whoever listens on it, and no snapshot holds any.
    else exchange(part, { place: path, staged, notInSnapshot: isHeld || entry.isSocket() ? [] : [path] })
  }

  #addMount(part: Part, path: string, staged: string | null): void {
    if (staged !== null && isFolder(path) && isFolder(staged)) {
      // The disk stays, and its content is exchanged on it.
      include(part, this.partOf(path, true), { path, staged })
      this.#fix(part, 'mounted')
      return
    }
    this.#keep(part, { path, reason: 'mounted' })
    if (staged !== null) part.conflicts.push({ path, reason: 'mounted' })
  }

  #addFolder(part: Part, path: string, staged: string | null): void {
    const isFolderStaged = staged !== null && isFolder(staged)
    const [named, count] = [this.named.length, this.count]
    const below = this.partOf(path, isFolderStaged)
    if (!below.stays) return exchange(part, { place: path, staged, notInSnapshot: isFolderStaged ? below.notInSnapshot : [path] })
    if (staged === null || isFolderStaged) return include(part, below, staged === null ? null : { path, staged })
    if (below.fixedBy === null) {
      // What EXCLUDE keeps out cannot stay in a folder that is a file in the snapshot: it is kept aside with the folder.
      this.named.length = named
      this.count = count
      return exchange(part, { place: path, staged, notInSnapshot: [path] })
    }
    part.conflicts.push({ path, reason: below.fixedBy })
    this.#fix(part, below.fixedBy)
  }

  #keep(part: Part, one: KeptPath): void {
    this.count++
    if (this.named.length < mostNamed) this.named.push(one)
    if (one.reason === 'excluded') part.stays = true
    else this.#fix(part, one.reason)
  }

  #fix(part: Part, reason: KeptReason): void {
    part.stays = true
    part.fixedBy ??= reason
  }

  #heldFor(path: string): string {
    return join(this.#request.held, relative(this.#request.place, path))
  }

  #stagedFor(path: string): string {
    return this.#request.stagedAt(this.#heldFor(path))
  }
}

function exchange(part: Part, one: Exchange): void {
  part.exchanges.push(one)
  append(part.notInSnapshot, one.notInSnapshot)
}

function include(part: Part, below: Part, folder: StayingFolder | null): void {
  if (folder !== null) part.folders.push(folder)
  append(part.exchanges, below.exchanges)
  append(part.folders, below.folders)
  append(part.conflicts, below.conflicts)
  append(part.notInSnapshot, below.notInSnapshot)
  part.stays = true
  part.fixedBy ??= below.fixedBy
}

/** Not by `push(...many)`: there may be more than a call takes. */
function append<T>(to: T[], from: readonly T[]): void {
  for (const one of from) to.push(one)
}

function isFolder(path: string): boolean {
  return statusOf(path)?.isDirectory() === true
}
