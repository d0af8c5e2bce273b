import { chmodSync, chownSync } from 'node:fs'
import { basename, dirname } from 'node:path'

import type { Answer, Engine, Failure, RebuiltVolume, RestoreResult } from '@stackbk/contract'

import { isWithin } from '../../host/mounts.js'
import type { Recovery } from './recovery.js'

/**
 * Lets the engine write over what is there, without a second copy: what is in place equals the snapshot then, and nothing else is
 * there. Begins anew where it was cut short: what is as it should be already is not written again.
 */
export async function overwriteFiles(recovery: Recovery, engine: Engine, signal: AbortSignal): Promise<Answer<RestoreResult>> {
  const { record, run } = recovery
  let sum: RestoreResult = { files: 0, bytes: 0 }
  for (const path of record.overwritten) {
    const came = await engine.restore({
      snapshot: record.snapshotId,
      ...inPlace(path, path),
      deleteExtra: true,
      sparse: true,
      verify: false,
      signal,
      onProgress: (progress) => run.reporter.stackPhase(record.name, 'extracting', progress),
    })
    if (!came.ok) return came
    sum = { files: sum.files + came.value.files, bytes: sum.bytes + came.value.bytes }
  }
  return { ok: true, value: sum }
}

/** The same for the data of volumes. What the snapshot does not hold of them stays as it is. */
export async function overwriteVolumes(recovery: Recovery, engine: Engine, held: readonly string[], volumes: readonly RebuiltVolume[], signal: AbortSignal): Promise<Answer<void>> {
  const { record, run } = recovery
  for (const { recorded, path } of volumes) {
    if (recorded.isExternal || isWithin(recorded.path, record.directory) || !held.some((one) => isWithin(recorded.path, one))) continue
    const came = await engine.restore({
      snapshot: record.snapshotId,
      ...inPlace(recorded.path, path),
      deleteExtra: true,
      sparse: true,
      verify: false,
      signal,
      onProgress: (progress) => run.reporter.stackPhase(record.name, 'filling volumes', progress),
    })
    if (!came.ok) return came
    if (basename(recorded.path) === basename(path)) continue
    const failure = await likeItsRoot(engine, record.snapshotId, recorded.path, path)
    if (failure !== null) return { ok: false, failure }
  }
  return { ok: true, value: undefined }
}

/** From the folder above, so that owner and mode of the thing itself come too; under another name only what is in it can. */
function inPlace(path: string, place: string): { readonly subfolder: string; readonly include: readonly string[]; readonly target: string } {
  if (basename(path) !== basename(place)) return { subfolder: path, include: [], target: place }
  return { subfolder: dirname(path) === '/' ? '' : dirname(path), include: [path], target: dirname(place) }
}

async function likeItsRoot(engine: Engine, snapshot: string, path: string, place: string): Promise<Failure | null> {
  const listed = await engine.list(snapshot, { below: path })
  if (!listed.ok) return listed.failure
  const root = listed.value.find((entry) => entry.path === path)
  if (root === undefined) return null
  try {
    chownSync(place, root.uid, root.gid)
    chmodSync(place, root.mode)
    return null
  } catch (error) {
    return { kind: 'failed', message: `owner and mode of ${place} could not be set`, toolOutput: String(error) }
  }
}
