import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { RetentionPolicy, Snapshot } from '@stackbk/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { chooseByPolicy } from '../../../src/stages/backup/retention-policy.js'
import { makeQuickRepository } from '../../../test/fixtures/quick-repository.js'

/** Days and weeks at their edges: a change of summer time, the last week of a year, several a day, a gap of years. In local time. */
const times = ['2022-06-01 10:00:00', '2024-12-29 23:30:00', '2024-12-30 00:30:00', '2025-01-01 12:00:00', '2025-03-29 23:59:00', '2025-03-30 01:30:00', '2025-03-30 03:30:00', '2025-03-31 00:00:00', '2025-03-31 18:00:00', '2025-04-02 06:00:00', '2025-04-07 00:01:00', '2025-04-07 23:59:00']

const hour = 3_600_000

const policies: readonly Partial<RetentionPolicy>[] = [{ last: 3 }, { daily: 4 }, { daily: 30 }, { weekly: 3 }, { weekly: 30 }, { monthly: 2 }, { monthly: 20, last: 1 }, { yearly: 1 }, { yearly: 10 }, { last: 1, daily: 2, weekly: 2, monthly: 2, yearly: 2 }, { last: 1, withinMs: 24 * hour }, { daily: 2, withinMs: 48 * hour }, { last: 1, withinMs: 24_000 * hour }]

let folder = ''
const restic = (...args: string[]): string => execFileSync('restic', ['-r', join(folder, 'repository'), '--no-cache', ...args], { env: { ...process.env, RESTIC_PASSWORD: 'password', TZ: 'Europe/Berlin' }, encoding: 'utf8' })

beforeAll(() => {
  process.env['TZ'] = 'Europe/Berlin'
  folder = mkdtempSync(join(tmpdir(), 'stackbk-retention-'))
  makeQuickRepository(join(folder, 'repository'), 'password')
  writeFileSync(join(folder, 'file'), 'content')
  for (const time of times) restic('backup', '--quiet', '--host', 'host-a', '--tag', 'stackbk', '--time', time, join(folder, 'file'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the core keeps and removes what restic does, by the same policy', () => {
  const snapshots = (JSON.parse(restic('snapshots', '--json')) as { id: string; time: string; hostname: string; tags: string[] }[]).map(({ id, time, hostname, tags }) => ({ id, time: new Date(time).toISOString(), host: hostname, tags }) as unknown as Snapshot)
  expect(snapshots).toHaveLength(times.length)
  for (const given of policies) {
    const policy = { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, ...given }
    const flags = Object.entries(given).map(([name, count]) => (name === 'withinMs' ? `--keep-within=${count / hour}h` : `--keep-${name}=${count}`))
    const [group] = JSON.parse(restic('forget', '--dry-run', '--json', '--group-by=host,tags', ...flags)) as [{ keep: { id: string }[] | null; remove: { id: string }[] | null }]
    const { keep, remove } = chooseByPolicy(snapshots, policy)
    expect({ keep: keep.toSorted(), remove: remove.toSorted() }, JSON.stringify(given)).toEqual({ keep: (group.keep ?? []).map(({ id }) => id).sort(), remove: (group.remove ?? []).map(({ id }) => id).sort() })
  }
})
