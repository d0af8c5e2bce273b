import type { Snapshot } from '@stackbk/contract'

import { isDatedInFuture } from '../dated-in-future.js'

/** On every snapshot of ours. */
export const ownTag = 'stackbk'
/** On a snapshot that is not good; `latest` means the latest without any of them. */
export const marks = ['live', 'partial', 'shrunk'] as const
export type Mark = (typeof marks)[number]

/** On a snapshot of a live stack that only prepares the real one: it belongs to no stack. */
export const warmTag = 'stackbk-warm'

/** On the small snapshot in which a host tells the others what it has forgotten: it belongs to no stack. */
export const ledgerTag = 'stackbk-ledger'

const stackTagPrefix = 'stack:'

/** By these its snapshots are found again. */
export function stackTags(name: string): readonly string[] {
  return [ownTag, `${stackTagPrefix}${name}`]
}

/** The stack that a snapshot belongs to; `null` for one that is not ours. */
export function stackOf(snapshot: Snapshot): string | null {
  if (!snapshot.tags.includes(ownTag)) return null
  return snapshot.tags.find((tag) => tag.startsWith(stackTagPrefix))?.slice(stackTagPrefix.length) ?? null
}

export function isGood(snapshot: Snapshot): boolean {
  return !marks.some((mark) => snapshot.tags.includes(mark))
}

/** Returns the marks of a snapshot, in the order of {@link marks}. */
export function marksOf(snapshot: Snapshot): readonly Mark[] {
  return marks.filter((mark) => snapshot.tags.includes(mark))
}

/** Whether it was read while something may have written to it, and nothing else is wrong with it. */
export function isOnlyLive(snapshot: Snapshot): boolean {
  const [mark, ...others] = marksOf(snapshot)
  return mark === 'live' && others.length === 0
}

/** The newest snapshot of a stack on a host that is not dated in the future, whatever its marks; `snapshots` oldest first. */
export function newestSnapshot(snapshots: readonly Snapshot[], name: string, host: string): Snapshot | undefined {
  return snapshots.findLast((snapshot) => stackOf(snapshot) === name && snapshot.host === host && !isDatedInFuture(snapshot))
}

/**
 * The snapshot to recover from: the newest good one, else the newest that is marked live and nothing else. One that is dated in
 * the future counts only if there is no other: this host's clock may be behind. `snapshots` oldest first.
 */
export function bestSnapshot(snapshots: readonly Snapshot[], name: string, host: string): Snapshot | undefined {
  const ofStack = snapshots.filter((snapshot) => stackOf(snapshot) === name && snapshot.host === host)
  const dated = ofStack.filter((snapshot) => !isDatedInFuture(snapshot))
  return dated.findLast(isGood) ?? dated.findLast(isOnlyLive) ?? ofStack.findLast(isGood) ?? ofStack.findLast(isOnlyLive)
}

/** The newest good snapshot of a stack on a host, of those that are not dated in the future; `snapshots` oldest first. */
export function lastGoodSnapshot(snapshots: readonly Snapshot[], name: string, host: string): Snapshot | undefined {
  return snapshots.findLast((snapshot) => stackOf(snapshot) === name && snapshot.host === host && isGood(snapshot) && !isDatedInFuture(snapshot))
}
