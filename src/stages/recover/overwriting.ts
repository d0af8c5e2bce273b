import { chmodSync, chownSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import type { Answer, Engine, RebuiltVolume, RestoreResult, SnapshotEntry } from '@stackbk/contract'

import { isWithin, mountPointOf } from '../../host/mounts.js'
import { ownFolderPrefix } from '../own-folders.js'
import { notReplaced } from './file-moves.js'
import { fileSystemOf, isWritable, shareOf, sharesOf } from './file-systems.js'
import { moveToKept } from './kept-aside.js'
import { mountPointsBelow } from './kept-paths.js'
import { isThere, makeOwnedFolder, type OwnedFolder } from './moves.js'
import { originOf, type RecoveryFolder } from './record.js'
import type { Recovery } from './recovery.js'
import { placeOf } from './relocation.js'
import { SnapshotComparison } from './snapshot-comparison.js'
import { eachSnapshotEntry } from './snapshot-entries.js'

/** A path of the snapshot, and where it goes. */
interface Target {
  readonly held: string
  readonly place: string
  /** What is in it came from an image, and has to go. */
  readonly isNew: boolean
}

/**
 * Lets the engine write over what is there, without a second copy: then what the snapshot holds equals it. What it does not hold
 * stays where EXCLUDE or a mount keeps it, and is moved aside otherwise. Right also where an earlier try was cut short.
 */
export async function overwriteFiles(recovery: Recovery, engine: Engine, signal: AbortSignal): Promise<Answer<RestoreResult>> {
  let sum: RestoreResult = { files: 0, bytes: 0 }
  for (const path of recovery.record.overwritten) {
    const came = await overwrite(recovery, engine, { held: path, place: placeOf(recovery.record.relocations ?? [], path), isNew: false }, signal)
    if (!came.ok) return came
    sum = { files: sum.files + came.value.files, bytes: sum.bytes + came.value.bytes }
  }
  return { ok: true, value: sum }
}

/** The same for the data of volumes. A volume of which the snapshot holds nothing stays as it is. */
export async function overwriteVolumes(recovery: Recovery, engine: Engine, held: readonly string[], volumes: readonly RebuiltVolume[], signal: AbortSignal): Promise<Answer<void>> {
  const { record } = recovery
  for (const { recorded, path, isNew } of volumes) {
    if ((recorded.isExternal && !isNew) || isWithin(recorded.path, originOf(record)) || !held.some((one) => isWithin(recorded.path, one))) continue
    const came = await overwrite(recovery, engine, { held: recorded.path, place: path, isNew }, signal)
    if (!came.ok) return came
  }
  return { ok: true, value: undefined }
}

async function overwrite(recovery: Recovery, engine: Engine, target: Target, signal: AbortSignal): Promise<Answer<RestoreResult>> {
  const { record, run } = recovery
  const { held, place, isNew } = target
  const kept = await recovery.kept()
  const comparison = new SnapshotComparison({ place, held, kept })
  const missing = held === place ? missingAbove(place) : []
  const above: OwnedFolder[] = []
  let root: SnapshotEntry | null = null
  const onEntry = (entry: SnapshotEntry): void => {
    if (entry.path === held) root = entry
    if (missing.includes(entry.path)) above.push({ path: entry.path, mode: entry.mode, uid: entry.uid, gid: entry.gid })
    if (isWithin(entry.path, held)) comparison.entry(entry)
  }
  const listed = await eachSnapshotEntry(engine, record.snapshotId, onEntry, { below: missing[0] ?? held, signal })
  if (!listed.ok) return listed
  comparison.end()
  for (const point of mountPointsBelow(kept, place)) if (!isWritable(point)) comparison.untouchable.push(`${held}${point.slice(place.length)}`)
  try {
    for (const folder of above) makeOwnedFolder(folder)
    if (!isNew) moveAside(recovery, comparison)
    for (const path of comparison.untouchable) recovery.problems.push(notReplaced(record.name, { path: `${place}${path.slice(held.length)}`, reason: comparison.kept.find((one) => one.path === `${place}${path.slice(held.length)}`)?.reason ?? 'mounted' }, path))
    if (comparison.untouchable.includes(held)) return { ok: true, value: { files: 0, bytes: 0 } }
  } catch (error) {
    return { ok: false, failure: { kind: 'failed', message: `what the snapshot does not hold of ${place} could not be moved aside`, toolOutput: error instanceof Error ? error.message : String(error), fix: 'See that it may be renamed: neither immutable nor read-only' } }
  }
  if (comparison.untouchable.length > 0 && engine.eachEntry === undefined) return { ok: false, failure: { kind: 'unsupported', message: `the engine cannot leave out ${comparison.untouchable.join(', ')}, which must not be written over`, fix: 'Recover without --overwrite' } }
  const came = await engine.restore({
    snapshot: record.snapshotId,
    ...inPlace(target, comparison.untouchable),
    deleteExtra: isNew,
    sparse: true,
    verify: false,
    signal,
    onProgress: (progress) => run.reporter.stackPhase(record.name, placeOf(record.relocations ?? [], held) === place ? 'extracting' : 'filling volumes', progress),
  })
  if (!came.ok) return came
  if (root === null || (basename(held) === basename(place) && comparison.untouchable.length === 0)) return came
  return likeItsRoot(place, root) ?? came
}

/** Folders above that are not there, from the top. */
function missingAbove(place: string): readonly string[] {
  const missing: string[] = []
  for (let above = dirname(place); !isThere(above); above = dirname(above)) missing.unshift(above)
  return missing
}

/** What would be written over by nothing, and what is in the way by its kind: a rename each, on its own file system. */
function moveAside(recovery: Recovery, { notInSnapshot, otherKind, kept, keptCount }: SnapshotComparison): void {
  recovery.planned.push({ moves: [], folderChanges: [], notInSnapshot: new Map(), kept, keptCount, conflicts: [] })
  for (const path of [...notInSnapshot, ...otherKind]) {
    moveToKept(folderOn(recovery, path), path, path)
    recovery.movedAside.push(path)
  }
}

function folderOn(recovery: Recovery, path: string): RecoveryFolder {
  const { folders, key, runId, directory } = recovery.record
  const mountPoint = mountPointOf(dirname(path))
  const fileSystem = fileSystemOf(join(dirname(path), ownFolderPrefix))
  const present = folders.find((folder) => folder.mountPoint === mountPoint && fileSystemOf(folder.path) === fileSystem)
  if (present !== undefined) return present
  // Next to the stack, or as high as may be on another file system: never in the folder that is compared.
  const share = shareOf(sharesOf([directory, path], `${ownFolderPrefix}${key}-${runId.slice(-6)}`), path)
  if (share === undefined) throw new Error(`there is no folder for ${path}`)
  recovery.note({ folders: [...folders, share.folder] })
  return share.folder
}

/** From the folder above, so that owner and mode of the thing itself come too; under another name, or without a part of it, only what is in it can. */
function inPlace({ held, place }: Target, untouchable: readonly string[]): { readonly subfolder: string; readonly include: readonly string[]; readonly target: string; readonly exclude?: readonly string[] } {
  if (untouchable.length > 0) return { subfolder: held, include: [], target: place, exclude: untouchable }
  if (basename(held) !== basename(place)) return { subfolder: held, include: [], target: place }
  return { subfolder: dirname(held) === '/' ? '' : dirname(held), include: [held], target: dirname(place) }
}

/** `null`: it has its root's owner and mode now. */
function likeItsRoot(place: string, root: SnapshotEntry): Answer<never> | null {
  try {
    chownSync(place, root.uid, root.gid)
    chmodSync(place, root.mode)
    return null
  } catch (error) {
    return { ok: false, failure: { kind: 'failed', message: `owner and mode of ${place} could not be set`, toolOutput: String(error) } }
  }
}
