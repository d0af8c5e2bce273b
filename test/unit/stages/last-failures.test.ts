import { describe, expect, it } from 'vitest'

import type { PastRun } from '../../../src/stages/history.js'
import { lastFailures } from '../../../src/stages/last-failures.js'

const wanted = { remote: 'cloud:', stacks: ['web', 'db'] }
const problem = (message: string, more: object = {}): object => ({ severity: 'error', code: 'x', message, fix: '', ...more })

let hour = 0
function past(command: string, status: string, more: object = {}): PastRun {
  const at = new Date(Date.UTC(2026, 0, 1, hour++)).toISOString()
  return { schemaVersion: 1, command, runId: 'r', status, dryRun: false, startedAt: at, finishedAt: at, durationMs: 1, exitCode: status === 'ok' ? 0 : 1, problems: [], ...more } as unknown as PastRun
}

const stacks = (web: string, db = 'ok'): object => ({ stacks: [{ name: 'web', status: web }, { name: 'db', status: db }] })
const summary = (runs: readonly PastRun[]): string[] => lastFailures(runs, wanted).map(({ stage, stack, message }) => `${stage} ${stack ?? '-'} ${message}`)

describe('the last failures of a host', () => {
  it('name a sync that failed, by its own command or in a run, until one to the same remote went well', () => {
    const failed = past('sync', 'failed', { remote: 'cloud:', problems: [problem('no route')] })
    expect(summary([failed])).toEqual(['sync - no route'])
    expect(summary([failed, past('sync', 'ok', { remote: 'other:' })])).toEqual(['sync - no route'])
    expect(summary([failed, past('run', 'ok', { backup: stacks('ok'), sync: { status: 'ok', remote: 'cloud:' } })])).toEqual([])
    expect(summary([failed, past('run', 'ok', { backup: stacks('ok'), sync: null })])).toEqual(['sync - no route'])
  })

  it('name a sync that could not begin and left no result of its own', () => {
    expect(summary([past('run', 'partial', { backup: { ...stacks('ok'), problems: [] }, sync: null, problems: [problem('there is no rclone remote named dead')] })])).toEqual(['sync - there is no rclone remote named dead'])
    expect(summary([past('sync', 'failed', { problems: [problem('no tool')] })])).toEqual(['sync - no tool'])
  })

  it('leave out a sync that failed to another remote', () => {
    expect(summary([past('sync', 'failed', { remote: 'other:', problems: [problem('no route')] })])).toEqual([])
  })

  it('name each stack whose last backup failed, whatever other stacks were backed up since', () => {
    const failed = past('backup', 'partial', { ...stacks('failed'), problems: [problem('no space', { stack: 'web' }), problem('of another', { stack: 'db' })] })
    expect(summary([failed])).toEqual(['backup web no space'])
    expect(summary([failed, past('backup', 'ok', { stacks: [{ name: 'db', status: 'ok' }] })])).toEqual(['backup web no space'])
    expect(summary([failed, past('run', 'ok', { backup: stacks('ok'), sync: null })])).toEqual([])
  })

  it('name a backup that failed before any stack, until the next one', () => {
    const failed = past('run', 'failed', { problems: [problem('the repository is locked')] })
    expect(summary([failed])).toEqual(['backup - the repository is locked'])
    expect(summary([failed, past('backup', 'ok', stacks('ok'))])).toEqual([])
    const ofSync = problem('two files were skipped')
    const beside = past('run', 'partial', { backup: null, sync: { status: 'ok', remote: 'cloud:', problems: [ofSync] }, problems: [problem('docker does not answer'), ofSync] })
    expect(summary([beside])).toEqual(['backup - docker does not answer'])
  })

  it('are none on a new host, and lines of another version are passed over', () => {
    expect(summary([])).toEqual([])
    expect(summary([past('sync', 'failed', { problems: ['text', null] })])).toEqual(['sync - no reason was recorded'])
  })
})
