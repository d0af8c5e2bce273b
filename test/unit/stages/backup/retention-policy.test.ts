import type { Engine, RetentionPolicy, RetentionRequest, Snapshot } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { chooseByPolicy, retainByPolicy } from '../../../../src/stages/backup/retention-policy.js'
import { failure, ok, partly, snapshotOf } from '../fixtures.js'

const none: RetentionPolicy = { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 }

/** A snapshot whose ID is its time, in the time zone of this process. */
function at(local: string, more: Partial<Snapshot> = {}): Snapshot {
  return snapshotOf(local, { time: new Date(`${local}:00`).toISOString(), ...more })
}

const kept = (snapshots: readonly Snapshot[], policy: Partial<RetentionPolicy>): readonly string[] => chooseByPolicy(snapshots, { ...none, ...policy }).keep

describe('the choice of a retention policy', () => {
  const hours = ['2026-03-02T01:00', '2026-03-02T13:00', '2026-03-03T01:00', '2026-03-03T23:59', '2026-03-04T00:00', '2026-03-04T12:00'].map((time) => at(time))

  it('keeps the newest ones, and lists both parts oldest first', () => {
    expect(chooseByPolicy(hours, { ...none, last: 2 })).toEqual({ keep: ['2026-03-04T00:00', '2026-03-04T12:00'], remove: ['2026-03-02T01:00', '2026-03-02T13:00', '2026-03-03T01:00', '2026-03-03T23:59'] })
    expect(kept(hours.toReversed(), { last: 1 })).toEqual(['2026-03-04T12:00'])
    expect(kept(hours, { last: 100 })).toHaveLength(6)
  })

  it('keeps the newest of each day of this time zone', () => {
    expect(kept(hours, { daily: 2 })).toEqual(['2026-03-03T23:59', '2026-03-04T12:00'])
  })

  it('keeps the oldest one too as long as a rule may keep more', () => {
    expect(kept(hours, { daily: 4 })).toEqual(['2026-03-02T01:00', '2026-03-02T13:00', '2026-03-03T23:59', '2026-03-04T12:00'])
    expect(kept(hours, { daily: 3 })).toEqual(['2026-03-02T13:00', '2026-03-03T23:59', '2026-03-04T12:00'])
    expect(kept(hours, { yearly: 5 })).toEqual(['2026-03-02T01:00', '2026-03-04T12:00'])
  })

  it('counts weeks by ISO 8601, in which the first days of January may be of the last week', () => {
    // Monday 2025-12-29 to Sunday 2026-01-04 are week 1 of 2026; 2027-01-01 is of week 53 of 2026.
    expect(kept(['2025-12-28T12:00', '2025-12-29T12:00', '2026-01-04T12:00', '2026-01-05T12:00'].map((time) => at(time)), { weekly: 3 })).toEqual(['2025-12-28T12:00', '2026-01-04T12:00', '2026-01-05T12:00'])
    expect(kept(['2026-12-27T12:00', '2026-12-28T12:00', '2027-01-01T12:00', '2027-01-03T12:00', '2027-01-04T12:00'].map((time) => at(time)), { weekly: 2 })).toEqual(['2027-01-03T12:00', '2027-01-04T12:00'])
  })

  it('keeps what is at most so much older than the newest one, whatever the other rules say', () => {
    const hour = 60 * 60_000
    expect(kept(hours, { last: 1, withinMs: 12 * hour })).toEqual(['2026-03-04T00:00', '2026-03-04T12:00'])
    expect(kept(hours, { last: 1, withinMs: 47 * hour })).toEqual(hours.slice(1).map(({ id }) => id))
    expect(kept(hours, { last: 1, withinMs: 0 })).toEqual(['2026-03-04T12:00'])
    expect(kept([], { last: 1, withinMs: hour })).toEqual([])
  })

  it('keeps what any rule keeps', () => {
    const months = Array.from({ length: 14 }, (_, month) => at(`${2025 + Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}-15T12:00`))
    expect(kept(months, { last: 1, monthly: 3, yearly: 2 })).toEqual(['2025-12-15T12:00', '2026-01-15T12:00', '2026-02-15T12:00'])
  })

  it('has a quota for each host and for each set of tags, in whatever order they are listed', () => {
    const snapshots = [at('2026-03-01T01:00', { tags: ['a', 'b'] }), at('2026-03-02T01:00', { tags: ['b', 'a'] }), at('2026-03-03T01:00', { tags: ['a', 'b', 'live'] }), at('2026-02-03T01:00', { tags: ['a', 'b'], host: 'other' })]
    expect(chooseByPolicy(snapshots, { ...none, last: 1 }).remove).toEqual(['2026-03-01T01:00'])
  })

  it('takes the later one in the list for the newer one where two have the same time', () => {
    const [one, other] = [at('2026-03-01T01:00'), { ...at('2026-03-01T01:00'), id: 'second' }]
    expect(kept([one, other], { last: 1 })).toEqual(['second'])
  })

  it('removes nothing of nothing, and what it keeps and removes is everything, once', () => {
    expect(chooseByPolicy([], { ...none, last: 1 })).toEqual({ keep: [], remove: [] })
    for (const policy of [{ last: 3 }, { daily: 2, weekly: 1 }, { monthly: 1, yearly: 1 }]) {
      const { keep, remove } = chooseByPolicy(hours, { ...none, ...policy })
      expect([...keep, ...remove].sort()).toEqual(hours.map(({ id }) => id).sort())
    }
  })
})

describe('retention by the core', () => {
  const own = { host: 'host', tags: ['stackbk', 'stack:web'] }
  const snapshots = [at('2026-03-01T01:00', own), at('2026-03-02T01:00', own), at('2026-03-01T02:00', { ...own, host: 'other' }), at('2026-03-01T03:00', { ...own, tags: ['stackbk', 'stack:mail'] })]
  const request: RetentionRequest = { policy: { ...none, last: 1 }, host: 'host', tagSets: [['stackbk', 'stack:web']], prune: true, dryRun: false }

  function engineWith(forgotten: string[] = []): Engine {
    return partly<Engine>('engine', {
      snapshots: () => Promise.resolve(ok(snapshots)),
      forget: (ids, { prune }) => (forgotten.push(...ids, `prune: ${String(prune)}`), Promise.resolve(ok({ removed: ids }))),
    })
  }

  it('forgets what the policy does not keep, of this host and these tags alone', async () => {
    const forgotten: string[] = []
    expect(await retainByPolicy(engineWith(forgotten), request)).toEqual(ok({ removed: ['2026-03-01T01:00'], kept: ['2026-03-02T01:00'] }))
    expect(forgotten).toEqual(['2026-03-01T01:00', 'prune: true'])
  })

  it('neither counts nor forgets what is left out', async () => {
    const forgotten: string[] = []
    expect(await retainByPolicy(engineWith(forgotten), request, new Set(['2026-03-02T01:00']))).toEqual(ok({ removed: [], kept: ['2026-03-01T01:00'] }))
    expect(await retainByPolicy(engineWith(forgotten), request, new Set(['2026-03-01T01:00']))).toEqual(ok({ removed: [], kept: ['2026-03-02T01:00'] }))
    expect(forgotten).toEqual([])
  })

  it('changes nothing in a dry run, and where there is nothing to remove', async () => {
    const forgotten: string[] = []
    expect(await retainByPolicy(engineWith(forgotten), { ...request, dryRun: true })).toMatchObject({ value: { removed: ['2026-03-01T01:00'] } })
    expect(await retainByPolicy(engineWith(forgotten), { ...request, policy: { ...none, last: 9 } })).toMatchObject({ value: { removed: [] } })
    expect(await retainByPolicy(engineWith(forgotten), { ...request, tagSets: [] })).toEqual(ok({ removed: [], kept: [] }))
    expect(forgotten).toEqual([])
  })

  it.each<[string, Partial<RetentionRequest>]>([
    ['no host', { host: '' }],
    ['a set without tags', { tagSets: [['stackbk'], []] }],
    ['a policy that keeps nothing', { policy: none }],
  ])('refuses %s: it would remove what is not its own, or everything', async (_, change) => {
    expect(await retainByPolicy(engineWith(), { ...request, ...change })).toMatchObject({ ok: false, failure: { kind: 'usage' } })
  })

  it('fails as the engine does', async () => {
    const locked = partly<Engine>('engine', { snapshots: () => Promise.resolve(ok(snapshots)), forget: () => Promise.resolve(failure('repository-locked')) })
    expect(await retainByPolicy(locked, request)).toMatchObject({ ok: false, failure: { kind: 'repository-locked' } })
    expect(await retainByPolicy(partly<Engine>('engine', { snapshots: () => Promise.resolve(failure('wrong-password')) }), request)).toMatchObject({ failure: { kind: 'wrong-password' } })
  })
})
