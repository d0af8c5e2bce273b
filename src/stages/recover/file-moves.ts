import { lstatSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname } from 'node:path'

import type { Problem } from '../../errors.js'
import { fsPath } from '../../host/file-names.js'
import { isWithin } from '../../host/mounts.js'
import { planExchange, type Exchanges, type StayingFolder } from './exchange.js'
import { asidePath, stagedPath } from './extraction.js'
import { shareOf } from './file-systems.js'
import type { NotInSnapshot } from './kept-aside.js'
import type { KeptPath, KeptPaths } from './kept-paths.js'
import { isThere, ownershipOf, type FolderChange, type Move, type OwnedFolder } from './moves.js'
import type { RecoveryPlan } from './plan.js'
import type { RecoveryFolder } from './record.js'
import { heldOf, placeOf } from './relocation.js'

/** All that is done to bring one thing to its place, and what stays there. */
export interface PlannedMoves {
  readonly moves: readonly Move[]
  readonly folderChanges: readonly FolderChange[]
  /** What the snapshot does not hold, by the folder on whose file system it is kept. */
  readonly notInSnapshot: ReadonlyMap<RecoveryFolder, readonly NotInSnapshot[]>
  readonly kept: readonly KeptPath[]
  readonly keptCount: number
  readonly conflicts: readonly KeptPath[]
}

/** Joins what was planned for several places. */
export function joinMoves(parts: readonly PlannedMoves[]): PlannedMoves {
  const notInSnapshot = new Map<RecoveryFolder, NotInSnapshot[]>()
  for (const part of parts) for (const [folder, paths] of part.notInSnapshot) notInSnapshot.set(folder, [...(notInSnapshot.get(folder) ?? []), ...paths])
  return {
    moves: parts.flatMap(({ moves }) => moves),
    folderChanges: parts.flatMap(({ folderChanges }) => folderChanges),
    notInSnapshot,
    kept: parts.flatMap(({ kept }) => kept),
    keptCount: parts.reduce((sum, { keptCount }) => sum + keptCount, 0),
    conflicts: parts.flatMap(({ conflicts }) => conflicts),
  }
}

export interface MovesRequest {
  readonly place: string
  /** Its path in the snapshot. */
  readonly held: string
  readonly folders: readonly RecoveryFolder[]
  readonly kept: KeptPaths
  /** How many moves there are already: what is kept aside is numbered. */
  readonly from: number
}

/** The moves by which what waits comes to one place, around what has to stay there. */
export function movesTo({ place, held, folders, kept, from }: MovesRequest): PlannedMoves {
  const folderFor = (path: string): RecoveryFolder => {
    const folder = shareOf(folders, path) ?? folders.find((one) => isThere(stagedPath(one, path))) ?? folders[0]
    if (folder === undefined) throw new Error(`nothing was brought out of the snapshot for ${path}`)
    return folder
  }
  const heldFor = (path: string): string => `${held}${path.slice(place.length)}`
  const exchanges = planExchange({ place, held, stagedAt: (path) => stagedPath(folderFor(path), path), kept })
  const notInSnapshot = new Map<RecoveryFolder, NotInSnapshot[]>()
  const moves = exchanges.exchanges.map((one, index): Move => {
    const folder = folderFor(heldFor(one.place))
    const staged = one.staged ?? stagedPath(folder, heldFor(one.place))
    const aside = asidePath(folder, from + index)
    for (const path of one.notInSnapshot) {
      const list = notInSnapshot.get(folder) ?? []
      notInSnapshot.set(folder, list)
      list.push({ now: `${aside}${path.slice(one.place.length)}`, was: path })
    }
    const above = missingAbove(one.place, staged)
    return { place: one.place, staged, aside, hadPresent: isThere(one.place), ...(one.staged === null ? { isRemoval: true } : {}), ...(above.length === 0 ? {} : { above }) }
  })
  return { moves, folderChanges: changesOf(exchanges), notInSnapshot, kept: exchanges.kept, keptCount: exchanges.keptCount, conflicts: exchanges.conflicts }
}

function changesOf({ folders }: Exchanges): readonly FolderChange[] {
  return folders.flatMap(({ path, staged }: StayingFolder) => {
    const [before, after] = [ownershipOf(path), ownershipOf(staged)]
    if (before === null || after === null) return []
    return before.mode === after.mode && before.uid === after.uid && before.gid === after.gid ? [] : [{ path, before, after }]
  })
}

/** Folders above that are not there, from the top, as the snapshot has them: what waits lies in folders of the same names. */
function missingAbove(place: string, staged: string): readonly OwnedFolder[] {
  const missing: OwnedFolder[] = []
  for (let [above, waiting] = [dirname(place), dirname(staged)]; !isThere(above); [above, waiting] = [dirname(above), dirname(waiting)]) {
    const ownership = waiting.endsWith(above) ? ownershipOf(waiting) : null
    if (ownership === null) break
    missing.unshift({ path: above, ...ownership })
  }
  return missing
}

/**
 * What goes where, but for the data of volumes: the folder; other folders that the snapshot holds; single files that the stack writes
 * to; and files of elsewhere that it only reads, which may belong to others too: one that is there and differs stays, and is named.
 */
export function fileMoves(plan: Pick<RecoveryPlan, 'name' | 'origin' | 'relocations' | 'held' | 'volumePaths' | 'shares' | 'capsule' | 'part' | 'writtenFiles'>, kept: KeptPaths, problems: Problem[]): PlannedMoves {
  const folders = plan.shares.map(({ folder }) => folder)
  const parts: PlannedMoves[] = []
  let from = 0
  for (const path of plan.part?.paths ?? plan.held) {
    if (plan.part === null && plan.volumePaths.includes(path)) continue
    // It comes with the folder that it lies in.
    if (plan.part === null && plan.held.some((other) => other !== path && isWithin(path, other) && !plan.volumePaths.includes(other))) continue
    const folder = shareOf(folders, path)
    if (folder === undefined) continue
    const staged = stagedPath(folder, path)
    if (!isThere(staged)) continue
    const isFile = !lstatSync(fsPath(staged)).isDirectory()
    const place = placeOf(plan.relocations, path)
    if (plan.part === null && path !== plan.origin && plan.capsule === null && !isFile) {
      problems.push({ severity: 'warning', code: 'not-brought-back', message: `${path} is in the snapshot of ${plan.name}, and nothing says what it is to the stack: it is left out`, fix: `Extract it: stackbk recover ${plan.name} --path ${path} --target DIR`, stack: plan.name })
      continue
    }
    if (plan.part === null && path !== plan.origin && isFile && isThere(place)) {
      const difference = differenceOf(staged, place)
      if (difference === null) continue
      if (!plan.writtenFiles.includes(path)) {
        problems.push({ severity: 'warning', code: 'file-differs', message: `${place}, which ${plan.name} reads, ${difference}: what is there now stays`, fix: `To have it as it was, run: stackbk recover ${plan.name} --path ${path}`, stack: plan.name })
        continue
      }
    }
    const part = movesTo({ place, held: path, folders, kept, from })
    from += part.moves.length
    parts.push(part)
  }
  const joined = joinMoves(parts)
  problems.push(...joined.conflicts.map((conflict) => notReplaced(plan.name, conflict, heldOf(plan.relocations, conflict.path))))
  return joined
}

/** Says that the snapshot's version of something, which has the path `held` there, did not come, since what is there has to stay. */
export function notReplaced(stack: string, { path, reason }: KeptPath, held = path): Problem {
  const why: Readonly<Record<KeptPath['reason'], string>> = {
    mounted: 'a file system is mounted there',
    excluded: 'EXCLUDE keeps what is in it out of the snapshots',
    repository: 'the repository is there',
    state: 'the state folder of stackbk is there',
    configuration: 'the configuration of stackbk is there',
    'other-stack': 'the folder of another stack is there',
    shared: 'another stack uses it too',
    system: 'it belongs to this host',
  }
  return { severity: 'warning', code: 'not-replaced', message: `${path} stays as it is, because ${why[reason]}: the snapshot holds something else there`, fix: `Extract what the snapshot holds: stackbk recover ${stack} --path ${held} --target DIR`, stack }
}

/** In words, or `null` for none: content, mode and owner count. */
function differenceOf(staged: string, present: string): string | null {
  const [one, other] = [lstatSync(fsPath(staged)), lstatSync(fsPath(present))]
  if (one.isSymbolicLink() && other.isSymbolicLink()) return readlinkSync(fsPath(staged), 'buffer').equals(readlinkSync(fsPath(present), 'buffer')) ? null : 'is a link to elsewhere than in the snapshot'
  if (one.isFile() !== other.isFile()) return 'is of another kind than in the snapshot'
  if (one.isFile() && (one.size !== other.size || !readFileSync(fsPath(staged)).equals(readFileSync(fsPath(present))))) return 'has another content than in the snapshot'
  if (one.mode !== other.mode || one.uid !== other.uid || one.gid !== other.gid) return 'has another mode or owner than in the snapshot'
  return null
}
