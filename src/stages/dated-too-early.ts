import type { Snapshot } from '@stackbk/contract'

import type { Problem } from '../errors.js'
import type { StackMemory } from '../stacks/stack-memory.js'
import { isGood, stackOf } from './backup/stack-snapshots.js'
import { SnapshotRecord } from './repository-memory.js'
import type { Run } from './run.js'

/**
 * Returns the good snapshot of a stack that this host made last, if its time says that it is older than `newest`: the clock was
 * behind then. Goes by the order in which snapshots appeared in the repository, as this host has recorded it; `null` where that
 * says nothing else than the times.
 *
 * @param newest the good snapshot of the stack with the latest time
 */
export function madeAfter(run: Pick<Run, 'state' | 'configuration'>, { newest, snapshots, repositoryId, memories }: { readonly newest: Snapshot; readonly snapshots: readonly Snapshot[]; readonly repositoryId: string; /** What is remembered of all stacks. */ readonly memories: readonly StackMemory[] }): Snapshot | null {
  const name = stackOf(newest)
  if (newest.host !== run.configuration.backup.hostname || !isGood(newest)) return null
  const last = memories.flatMap((memory) => (memory.name === name && memory.lastGood?.repositoryId === repositoryId ? [memory.lastGood.id] : []))
  if (last.includes(newest.id)) return null
  const made = snapshots.findLast((snapshot) => last.includes(snapshot.id) && snapshot.host === newest.host && stackOf(snapshot) === name && isGood(snapshot) && Date.parse(snapshot.time) < Date.parse(newest.time))
  if (made === undefined) return null
  const order = new SnapshotRecord(run.state.repositories, repositoryId).present()
  const before = order.indexOf(newest.id)
  return before !== -1 && order.indexOf(made.id) > before ? made : null
}

/** Returns the warning that names both. `fix`: what to do about it. */
export function datedTooEarlyProblem(stack: string, { made, newest, outcome, fix }: { readonly made: Snapshot; readonly newest: Snapshot; /** Which one counts. */ readonly outcome: string; readonly fix: string }): Problem {
  return {
    severity: 'warning',
    code: 'dated-too-early',
    message: `the snapshot ${made.id.slice(0, 8)} of ${stack} was made last and is dated ${made.time}, before ${newest.id.slice(0, 8)} of ${newest.time}: the clock was behind; ${outcome}`,
    fix,
    stack,
  }
}
