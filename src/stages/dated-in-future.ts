import type { Problem } from '../errors.js'

/** Clocks of two hosts, or of one host before and after it asked for the time, may differ by this much. */
const clockToleranceMs = 60_000

/**
 * Returns whether a snapshot, or a record, has a time that is still to come. A clock was wrong when it was made or is wrong now:
 * its time says nothing about which one is the latest, and never that a stack is up to date.
 */
export function isDatedInFuture({ time }: { readonly time: string }, now = Date.now()): boolean {
  return Date.parse(time) > now + clockToleranceMs
}

/** Returns the warning that names such a snapshot. `stack`: `null` for one that stackbk did not make. */
export function datedInFutureProblem({ id, time, stack }: { readonly id: string; readonly time: string; readonly stack: string | null }): Problem {
  return {
    severity: 'warning',
    code: 'dated-in-future',
    message: `the snapshot ${id.slice(0, 8)} is dated in the future (${time}), so it does not count as the latest`,
    fix: `Set the clock if it is behind; if it is right, remove that snapshot: stackbk snapshots forget ${id.slice(0, 8)}`,
    ...(stack === null ? {} : { stack }),
  }
}
