import { readdirSync } from 'node:fs'

import type { CapsuleVolume, ContainerState, Engine } from '@stackbk/contract'

import { planExchange } from './exchange.js'
import { stagedPath } from './extraction.js'
import { shareOf } from './file-systems.js'
import type { KeptPaths } from './kept-paths.js'
import { isThere } from './moves.js'
import type { RecoveryPlan } from './plan.js'
import type { Recovery } from './recovery.js'
import { SnapshotComparison } from './snapshot-comparison.js'
import { eachSnapshotEntry } from './snapshot-entries.js'

/**
 * Records which anonymous volumes of the old containers hold more than the snapshot does, or are not known to hold less: the new
 * containers have volumes of their own, and those of the old ones are removed when the recovery is confirmed, but for these.
 */
export async function markMoreThanSnapshot(recovery: Recovery, plan: RecoveryPlan, engine: Engine): Promise<void> {
  const { oldVolumes } = recovery.record
  if (oldVolumes.length === 0) return
  const kept = await recovery.kept()
  const keptVolumes: string[] = []
  for (const container of (plan.state?.projects ?? []).flatMap(({ containers }) => containers)) {
    for (const mount of container.mounts) {
      if (!oldVolumes.includes(mount.name) || isEmptyFolder(mount.source)) continue
      const recorded = recordedFor(plan, container, mount.target)
      if (recorded === null || (await holdsMore(recovery, { place: mount.source, held: recorded.path, kept }, plan, engine))) keptVolumes.push(mount.name)
    }
  }
  recovery.note({ keptVolumes: [...new Set(keptVolumes)] })
}

function recordedFor({ capsule }: RecoveryPlan, { service, number }: ContainerState, target: string): CapsuleVolume | null {
  const same = (capsule?.projects ?? []).flatMap(({ volumes }) => volumes).filter((volume) => volume.isAnonymous && volume.service === service && volume.target === target)
  return same.find(({ containerNumber }) => containerNumber === number) ?? same[0] ?? null
}

async function holdsMore({ record, run }: Recovery, { place, held, kept }: { readonly place: string; readonly held: string; readonly kept: KeptPaths }, plan: RecoveryPlan, engine: Engine): Promise<boolean> {
  const folder = shareOf(record.folders, held)
  if (folder !== undefined && isThere(stagedPath(folder, held))) {
    const { exchanges, keptCount, conflicts } = planExchange({ place, held, stagedAt: (path) => stagedPath(folder, path), kept })
    return keptCount > 0 || conflicts.length > 0 || exchanges.some(({ notInSnapshot }) => notInSnapshot.length > 0)
  }
  let entries = 0
  const comparison = new SnapshotComparison({ place, held, kept })
  const listed = await eachSnapshotEntry(engine, plan.snapshot.id, (entry) => { entries++; comparison.entry(entry) }, { below: held, signal: run.signal })
  comparison.end()
  return !listed.ok || entries === 0 || comparison.notInSnapshot.length + comparison.otherKind.length + comparison.keptCount > 0
}

function isEmptyFolder(path: string): boolean {
  try {
    return readdirSync(path).length === 0
  } catch {
    return false
  }
}
