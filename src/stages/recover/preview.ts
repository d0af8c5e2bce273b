import type { Engine, Snapshot } from '@stackbk/contract'

import { errorFrom } from '../../errors.js'
import type { Run } from '../run.js'
import { mostNamed } from './exchange.js'
import { keptPathsOf, type KeptPath, type KeptPathsRequest } from './kept-paths.js'
import { isThere } from './moves.js'
import type { RecoveryChanges } from './recover-result.js'
import { heldOf, placeOf, type Relocation } from './relocation.js'
import { SnapshotComparison } from './snapshot-comparison.js'
import { eachSnapshotEntry } from './snapshot-entries.js'

/** What is to come back, and of which snapshot. */
export interface PreviewRequest extends KeptPathsRequest {
  readonly snapshot: Pick<Snapshot, 'id'>
  readonly held: readonly string[]
  readonly relocations: readonly Relocation[]
  /** Only these of it; `null`: all. */
  readonly part: { readonly paths: readonly string[] } | null
}

/** Compares what is there with the snapshot, for a dry run. Changes nothing. Throws as the engine fails to list. */
export async function previewChanges(run: Run, engine: Engine, plan: PreviewRequest): Promise<RecoveryChanges> {
  const kept = keptPathsOf(run, engine, plan)
  const places = (plan.part?.paths ?? plan.held).map((path) => placeOf(plan.relocations, path)).filter((path) => isThere(path))
  const comparisons: SnapshotComparison[] = []
  for (const place of places) {
    const held = heldOf(plan.relocations, place)
    const comparison = new SnapshotComparison({ place, held, kept })
    const listed = await eachSnapshotEntry(engine, plan.snapshot.id, (entry) => comparison.entry(entry), { below: held, signal: run.signal })
    if (!listed.ok) throw errorFrom(listed.failure)
    comparison.end()
    comparisons.push(comparison)
  }
  return changesOf({
    replaced: places.filter((place) => !kept.protectedPaths.has(place)),
    kept: comparisons.flatMap((one) => one.kept),
    keptCount: comparisons.reduce((sum, one) => sum + one.keptCount, 0),
    removed: comparisons.flatMap((one) => [...one.notInSnapshot, ...one.otherKind]),
  })
}

/** As it is reported: of many only the first. */
export function changesOf({ replaced, kept, keptCount, removed, keptAside = [] }: { readonly replaced: readonly string[]; readonly kept: readonly KeptPath[]; readonly keptCount: number; readonly removed: readonly string[]; readonly keptAside?: readonly string[] }): RecoveryChanges {
  return { replaced, kept: kept.slice(0, mostNamed), keptCount, removed: removed.slice(0, mostNamed), removedCount: removed.length, keptAside }
}
