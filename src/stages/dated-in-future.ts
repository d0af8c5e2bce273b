/** Clocks of two hosts, or of one host before and after it asked for the time, may differ by this much. */
const clockToleranceMs = 60_000

/**
 * Returns whether a snapshot, or a record, has a time that is still to come. A clock was wrong when it was made or is wrong now:
 * its time says nothing about which one is the latest, and never that a stack is up to date.
 */
export function isDatedInFuture({ time }: { readonly time: string }, now = Date.now()): boolean {
  return Date.parse(time) > now + clockToleranceMs
}
