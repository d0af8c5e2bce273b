import type { Engine, SnapshotEntry } from '@stackbk/contract'

import { errorFrom, StackbkError } from '../../errors.js'
import { freeBytes, shareOf, type FileSystemShare } from './file-systems.js'
import type { RecoveryPlan } from './plan.js'
import { eachSnapshotEntry } from './snapshot-entries.js'

/** What a restore or a recovery needs on one file system, and what is free there. Bytes. */
export interface Room {
  readonly path: string
  readonly needed: number
  readonly free: number
}

/** Throws `guard` (7), before anything is touched, where the stacks do not fit beside what is there. */
export async function assertRoom(engine: Engine, plans: readonly RecoveryPlan[], signal: AbortSignal): Promise<void> {
  const needed = new Map<string, Room>()
  for (const plan of plans) {
    const sizes = await sizesOf(engine, plan, signal)
    for (const [index, { folder }] of plan.shares.entries()) {
      const room = needed.get(folder.mountPoint) ?? { path: folder.path, needed: 0, free: freeBytes(folder.path) }
      needed.set(folder.mountPoint, { ...room, needed: room.needed + (sizes[index] ?? 0) })
    }
  }
  assertFits([...needed.values()], 'Free space there, recover fewer stacks at once, or (where files have holes, which take none) add --ignore-space')
}

/** Throws `guard` (7) where one of them does not fit. */
export function assertFits(rooms: readonly Room[], fix: string): void {
  const full = rooms.filter(({ needed, free }) => needed > free)
  if (full.length === 0) return
  throw new StackbkError({
    kind: 'guard',
    code: 'not-enough-space',
    message: `there is not enough room: ${full.map(({ path, needed, free }) => `${path} would need ${needed} bytes, and ${free} are free`).join('; ')}`,
    detail: 'nothing was touched',
    fix,
  })
}

/** The snapshot's own figure where all goes to one file system; else each file is looked up. */
async function sizesOf(engine: Engine, { snapshot, shares, part }: RecoveryPlan, signal: AbortSignal): Promise<readonly number[]> {
  if (shares.length === 1 && part !== null) return [part.bytes]
  if (shares.length === 1 && snapshot.bytes !== null) return [snapshot.bytes]
  const sums = new Map<FileSystemShare, number>()
  const add = ({ path, type, bytes }: SnapshotEntry): void => {
    const share = type === 'file' ? shareOf(shares, path) : undefined
    if (share !== undefined) sums.set(share, (sums.get(share) ?? 0) + bytes)
  }
  const listed = await eachSnapshotEntry(engine, snapshot.id, add, { signal })
  if (!listed.ok) throw errorFrom(listed.failure)
  return shares.map((share) => sums.get(share) ?? 0)
}
