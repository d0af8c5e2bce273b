import { readdirSync } from 'node:fs'

import type { Answer, RebuiltVolume } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'
import { asidePath, stagedPath } from './extraction.js'
import { fileSystemOf } from './file-systems.js'
import { isThere, placeAll, type Move } from './moves.js'
import { numberOfMoves, type RecoveryFolder, type RecoveryRecord } from './record.js'

export interface FillContext {
  /** Writes the record before the moves begin, and knows it from then on. */
  readonly note: (change: Partial<RecoveryRecord>) => RecoveryRecord
  readonly record: () => RecoveryRecord
  /** Brings one path out of the snapshot again, onto the file system of a place; `null` where no snapshot is at hand. */
  readonly extractFor: ((path: string, place: string) => Promise<Answer<RecoveryFolder>>) | null
  readonly onProblem: (problem: Problem) => void
}

/**
 * Gives each volume what the snapshot holds of it, by a rename; what was in it, if only what the engine had copied from an
 * image, is kept aside.
 */
export async function fillVolumes(volumes: readonly RebuiltVolume[], context: FillContext): Promise<Answer<void>> {
  const { name: stack, directory } = context.record()
  try {
    const moves: Move[] = []
    for (const volume of volumes) {
      const { recorded } = volume
      const { path } = recorded
      // It lies in the stack's folder, which is in place already.
      if (isWithin(path, directory)) continue
      const folder = context.record().folders.find((one) => isThere(stagedPath(one, path)))
      if (folder === undefined) {
        if (volume.isNew) context.onProblem({ severity: 'warning', code: 'volume-not-in-snapshot', message: `the volume ${volume.name} of ${stack} is not in the snapshot: it is new and empty`, fix: '', stack })
        continue
      }
      if (recorded.isExternal && !isEmpty(volume.path)) {
        context.onProblem({ severity: 'warning', code: 'external-volume-kept', message: `the volume ${volume.name} of ${stack} belongs to others too and holds data: what is in it stays`, fix: `To have it as it was, run: stackbk recover ${stack} --path ${path}`, stack })
        continue
      }
      const home = await homeFor(path, volume.path, folder, context)
      if (!home.ok) return home
      moves.push({ place: volume.path, staged: stagedPath(home.value, path), aside: asidePath(home.value, numberOfMoves(context.record()) + moves.length), hadPresent: isThere(volume.path) })
    }
    const { volumeMoves, newVolumes } = context.record()
    context.note({ volumeMoves: [...volumeMoves, ...moves], newVolumes: [...new Set([...newVolumes, ...volumes.flatMap(({ isNew, name }) => (isNew ? [name] : []))])] })
    placeAll(moves)
    return { ok: true, value: undefined }
  } catch (error) {
    return { ok: false, failure: { kind: 'failed', message: `the volumes of ${stack} could not be filled`, toolOutput: error instanceof Error ? error.message : String(error), fix: 'See whether their file system is writable' } }
  }
}

function isEmpty(folder: string): boolean {
  return readdirSync(folder).length === 0
}

/** Where the data waits, or comes to once more where it was not known that the volume would be on another file system. */
async function homeFor(path: string, place: string, folder: RecoveryFolder, { extractFor }: FillContext): Promise<Answer<RecoveryFolder>> {
  if (fileSystemOf(place) === fileSystemOf(stagedPath(folder, path))) return { ok: true, value: folder }
  if (extractFor !== null) return await extractFor(path, place)
  return { ok: false, failure: { kind: 'failed', message: `${place} is on another file system than ${folder.path}, where the data waits`, fix: 'Run the recovery again' } }
}
