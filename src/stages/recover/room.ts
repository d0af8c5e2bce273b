import type { Engine } from '@stackbk/contract'

import { errorFrom, StackbkError } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'
import { freeBytes } from './file-systems.js'
import type { RecoveryPlan } from './plan.js'

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
  const listed = await engine.list(snapshot.id, { signal })
  if (!listed.ok) throw errorFrom(listed.failure)
  const sums = shares.map(() => 0)
  for (const { path, type, bytes } of listed.value) {
    if (type !== 'file') continue
    const index = shares.findIndex(({ paths }) => paths.some((held) => isWithin(path, held)))
    if (index >= 0) sums[index] = (sums[index] ?? 0) + bytes
  }
  return sums
}
