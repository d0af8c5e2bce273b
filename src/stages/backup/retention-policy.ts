import { answered, failed, type Answer, type Engine, type RetentionPolicy, type RetentionRequest, type RetentionResult, type Snapshot } from '@stackbk/contract'

/**
 * Chooses which snapshots a policy keeps, by restic's rules. The newest of each day, week (ISO 8601), month and year is kept for as
 * many of them as the policy names, in the time zone of this process; so are the newest ones of all, and those that are hardly older than the newest one (`withinMs`). As long as a
 * rule has not kept as many as it may, it keeps the oldest snapshot too. Snapshots of one host with the same set of tags share a quota.
 *
 * @returns IDs, oldest first
 */
export function chooseByPolicy(snapshots: readonly Snapshot[], policy: RetentionPolicy): { readonly keep: readonly string[]; readonly remove: readonly string[] } {
  const kept = new Set([...groupsOf(snapshots).values()].flatMap((group) => keptOf(group, policy)))
  const oldestFirst = snapshots.toSorted((one, other) => Date.parse(one.time) - Date.parse(other.time))
  return { keep: oldestFirst.filter((snapshot) => kept.has(snapshot)).map(({ id }) => id), remove: oldestFirst.filter((snapshot) => !kept.has(snapshot)).map(({ id }) => id) }
}

/**
 * Does what {@link Engine.retain} does for an engine that leaves it to the core.
 *
 * @param leftOut IDs of snapshots that have no part in it: they are neither counted nor forgotten
 */
export async function retainByPolicy(engine: Engine, { policy, host, tagSets, prune, dryRun, signal }: RetentionRequest, leftOut: ReadonlySet<string> = new Set()): Promise<Answer<RetentionResult>> {
  if (tagSets.length === 0) return answered({ removed: [], kept: [] })
  if (host === '' || tagSets.some((tags) => tags.length === 0)) return failed({ kind: 'usage', message: 'retention needs a host and tags, or it would remove snapshots of others' })
  if (rulesOf(policy).every(({ count }) => count === 0)) return failed({ kind: 'usage', message: 'a retention policy that keeps nothing would remove every snapshot' })
  const options = signal === undefined ? {} : { signal }
  const listed = await engine.snapshots({ host }, options)
  if (!listed.ok) return listed
  const concerned = listed.value.filter((snapshot) => snapshot.host === host && !leftOut.has(snapshot.id) && tagSets.some((tags) => tags.every((tag) => snapshot.tags.includes(tag))))
  const { keep, remove } = chooseByPolicy(concerned, policy)
  if (dryRun || remove.length === 0) return answered({ removed: remove, kept: keep })
  const forgotten = await engine.forget(remove, { prune, ...options })
  return forgotten.ok ? answered({ removed: forgotten.value.removed, kept: keep }) : forgotten
}

interface Rule {
  readonly count: number
  /** The same for all snapshots of which the rule keeps one. */
  readonly periodOf: (time: Date, position: number) => number
}

function rulesOf(policy: RetentionPolicy): readonly Rule[] {
  return [
    { count: policy.last, periodOf: (_, position) => position },
    { count: policy.daily, periodOf: (time) => (time.getFullYear() * 100 + time.getMonth()) * 100 + time.getDate() },
    { count: policy.weekly, periodOf: isoWeek },
    { count: policy.monthly, periodOf: (time) => time.getFullYear() * 100 + time.getMonth() },
    { count: policy.yearly, periodOf: (time) => time.getFullYear() },
  ]
}

function keptOf(group: readonly Snapshot[], policy: RetentionPolicy): readonly Snapshot[] {
  // Of two of the same time the one that the engine lists later is the newer one.
  const newestFirst = group.toReversed().toSorted((one, other) => Date.parse(other.time) - Date.parse(one.time))
  const newest = newestFirst[0] === undefined ? 0 : Date.parse(newestFirst[0].time)
  const { withinMs = 0 } = policy
  const kept = new Set(newestFirst.filter(({ time }) => withinMs > 0 && newest - Date.parse(time) <= withinMs))
  for (const { count, periodOf } of rulesOf(policy)) {
    let left = count
    let last: number | null = null
    for (const [position, snapshot] of newestFirst.entries()) {
      if (left === 0) break
      const period = periodOf(new Date(snapshot.time), position)
      if (period === last && position < newestFirst.length - 1) continue
      kept.add(snapshot)
      last = period
      left--
    }
  }
  return [...kept]
}

function groupsOf(snapshots: readonly Snapshot[]): ReadonlyMap<string, readonly Snapshot[]> {
  const groups = new Map<string, Snapshot[]>()
  for (const snapshot of snapshots) {
    const key = JSON.stringify([snapshot.host, ...[...new Set(snapshot.tags)].sort()])
    const group = groups.get(key) ?? []
    group.push(snapshot)
    groups.set(key, group)
  }
  return groups
}

const dayMs = 24 * 60 * 60 * 1000

/** Returns the year and the week by ISO 8601, in which the week belongs to the year of its Thursday. */
function isoWeek(time: Date): number {
  // In UTC every day has 24 hours.
  const day = Date.UTC(time.getFullYear(), time.getMonth(), time.getDate())
  const weekday = (new Date(day).getUTCDay() + 6) % 7
  const thursday = new Date(day + (3 - weekday) * dayMs)
  const year = thursday.getUTCFullYear()
  return year * 100 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * dayMs)) + 1
}
