import { afterAll, beforeAll, expect, it } from 'vitest'

import type { HistoryResult } from '../../../src/stages/history.js'
import { presentHistory } from '../../../src/ui/present-history.js'

/** The screen shows local times. */
const zone = process.env['TZ']
beforeAll(() => {
  process.env['TZ'] = 'UTC'
})
afterAll(() => {
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
})

const run = (more: object): object => ({ schemaVersion: 1, runId: 'x', command: 'backup', status: 'ok', dryRun: false, startedAt: '2026-01-01T00:00:00.000Z', finishedAt: '', durationMs: 9_000, problems: [], exitCode: 0, ...more })
const stack = (name: string, downtimeMs: number | null, readyMs: number | null): object => ({ name, downtimeMs, readyMs })
const shown = (of: string | undefined, ...runs: object[]): string[] => presentHistory({ runs } as unknown as HistoryResult, of).split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '))

const backup = run({ stacks: [stack('web', 1_200, 3_400), stack('shop', 2_500, 2_600), stack('idle', null, null)] })
const whole = run({ command: 'run', backup: { stacks: [stack('web', 1_000, null)] } })

it('the history says how long the stack that took longest was down, and until it was ready', () => {
  expect(shown(undefined, backup, whole, run({ command: 'sync' }))).toEqual([
    'BEGUN | COMMAND | RESULT | EXIT | TOOK | DOWN FOR | UP AGAIN',
    '2026-01-01 00:00:00 | backup | ok | 0 | 9.0 s | 2.5 s | 3.4 s',
    '2026-01-01 00:00:00 | run | ok | 0 | 9.0 s | 1.0 s | -',
    '2026-01-01 00:00:00 | sync | ok | 0 | 9.0 s | - | -',
  ])
})

it('a run that was declined is not called failed', () => {
  const problems = [{ severity: 'error', code: 'not-confirmed', message: 'nothing was changed', fix: '' }]
  expect(shown(undefined, run({ command: 'recover', status: 'failed', exitCode: 1, declined: true, problems }))[1]).toBe('2026-01-01 00:00:00 | recover | declined | 1 | 9.0 s | - | - | nothing was changed')
})

it('the history of one stack says how long that one was', () => {
  expect(shown('web', backup)[1]).toBe('2026-01-01 00:00:00 | backup | ok | 0 | 9.0 s | 1.2 s | 3.4 s')
  expect(shown('idle', backup)[1]).toBe('2026-01-01 00:00:00 | backup | ok | 0 | 9.0 s | - | -')
})
