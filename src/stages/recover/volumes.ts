import { readdirSync } from 'node:fs'

import type { Answer, RebuiltVolume } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'
import { stagedPath } from './extraction.js'
import { joinMoves, movesTo, notReplaced, type PlannedMoves } from './file-moves.js'
import { fileSystemOf, shareOf } from './file-systems.js'
import { recordNotInSnapshot } from './kept-aside.js'
import type { KeptPaths } from './kept-paths.js'
import { changeFolders, crossDeviceFix, isCrossDevice, isThere, placeAll } from './moves.js'
import { numberOfMoves, originOf, type RecoveryFolder, type RecoveryRecord } from './record.js'

export interface FillContext {
  /** Writes the record before the moves begin, and knows it from then on. */
  readonly note: (change: Partial<RecoveryRecord>) => RecoveryRecord
  readonly record: () => RecoveryRecord
  /** Brings one path out of the snapshot again, onto the file system of a place. */
  readonly extractFor: (path: string, place: string) => Promise<Answer<RecoveryFolder>>
  readonly onProblem: (problem: Problem) => void
  /** What stays in its place. */
  readonly kept: () => Promise<KeptPaths>
  /** What was planned for the volumes, before it is done. */
  readonly onPlanned: (planned: PlannedMoves) => void
}

/**
 * Gives each volume what the snapshot holds of it, by a rename; what was in it, if only what the engine had copied from an
 * image, is kept aside.
 */
export async function fillVolumes(volumes: readonly RebuiltVolume[], context: FillContext): Promise<Answer<void>> {
  const { name: stack } = context.record()
  const origin = originOf(context.record())
  try {
    const kept = await context.kept()
    const parts: PlannedMoves[] = []
    let from = numberOfMoves(context.record())
    for (const volume of volumes) {
      const { recorded } = volume
      const { path } = recorded
      // It lies in the stack's folder, which is in place already.
      if (isWithin(path, origin)) continue
      const inShare = shareOf(context.record().folders, path)
      const folder = [...(inShare === undefined ? [] : [inShare]), ...context.record().folders].find((one) => isThere(stagedPath(one, path)))
      if (folder === undefined) {
        if (volume.isNew) context.onProblem({ severity: 'warning', code: 'volume-not-in-snapshot', message: `the volume ${volume.name} of ${stack} is not in the snapshot: it is new and empty`, fix: '', stack })
        continue
      }
      if (recorded.isExternal && !volume.isNew && !isEmpty(volume.path)) {
        context.onProblem({ severity: 'warning', code: 'external-volume-kept', message: `the volume ${volume.name} of ${stack} belongs to others too and holds data: what is in it stays`, fix: `To have it as it was, run: stackbk recover ${stack} --path ${path}`, stack })
        continue
      }
      const home = await homeFor(path, volume.path, folder, context)
      if (!home.ok) return home
      // The latest folder first: the data of this volume may have come twice, to two file systems.
      const folders = [{ ...home.value, paths: [path] }, ...context.record().folders.filter((one) => one.paths?.some((held) => held !== path && isWithin(held, path)) === true)]
      const part = movesTo({ place: volume.path, held: path, folders, kept: volume.isNew ? ofNewVolume(kept) : kept, from })
      from += part.moves.length
      parts.push(volume.isNew ? { ...part, notInSnapshot: new Map() } : part)
    }
    const planned = joinMoves(parts)
    for (const conflict of planned.conflicts) context.onProblem(notReplaced(stack, conflict))
    for (const [folder, paths] of planned.notInSnapshot) recordNotInSnapshot(folder, paths)
    context.onPlanned(planned)
    const { volumeMoves, newVolumes, folderChanges = [] } = context.record()
    context.note({ volumeMoves: [...volumeMoves, ...planned.moves], folderChanges: [...folderChanges, ...planned.folderChanges], newVolumes: [...new Set([...newVolumes, ...volumes.flatMap(({ isNew, name }) => (isNew ? [name] : []))])] })
    placeAll(planned.moves)
    changeFolders(planned.folderChanges, 'after')
    return { ok: true, value: undefined }
  } catch (error) {
    return { ok: false, failure: { kind: 'failed', message: `the volumes of ${stack} could not be filled`, toolOutput: error instanceof Error ? error.message : String(error), fix: isCrossDevice(error) ? crossDeviceFix : 'See whether their file system is writable' } }
  }
}

/** What is in a new volume came from an image, and has to go. */
function ofNewVolume({ mountPoints }: KeptPaths): KeptPaths {
  return { mountPoints, protectedPaths: new Map(), isExcluded: () => false }
}

function isEmpty(folder: string): boolean {
  return readdirSync(folder).length === 0
}

/** Where the data waits, or comes to once more where it was not known that the volume would be on another file system. */
async function homeFor(path: string, place: string, folder: RecoveryFolder, { extractFor }: FillContext): Promise<Answer<RecoveryFolder>> {
  if (fileSystemOf(place) === fileSystemOf(stagedPath(folder, path))) return { ok: true, value: folder }
  return await extractFor(path, place)
}
