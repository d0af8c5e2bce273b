import { expect, it } from 'vitest'

import { menuHeader } from '../../../src/ui/menu.js'

type Overview = ReturnType<Parameters<typeof menuHeader>[0]>
const overview = { host: 'host', stacks: { enabled: 1, known: 2 }, lastBackup: { status: 'ok', ageMs: 60_000 }, lastSync: { ageMs: 120_000 }, overdue: [], hasSchedule: true, leftStopped: [] } as unknown as Overview
const header = (more: object = {}): readonly string[] => menuHeader(() => ({ ...overview, ...more }), { exists: true, file: '/etc/stackbk/config.ini' })

it('the menu does not say that nothing is overdue above a sync that failed', () => {
  expect(header()).toContain('nothing is overdue')
  const failed = header({ lastSyncFailed: { ageMs: 6000 } })
  expect(failed).toContainEqual(expect.stringMatching(/^the last sync failed 6(\.0)? s ago$/))
  expect(failed).not.toContain('nothing is overdue')
})
