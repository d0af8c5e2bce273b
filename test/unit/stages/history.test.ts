import { describe, expect, it } from 'vitest'

import { history, readRuns } from '../../../src/stages/history.js'
import { at, testRun, write } from './fixtures.js'

const runOf = (id: string, startedAt: string, more: object = {}): string => JSON.stringify({ schemaVersion: 1, runId: id, command: 'backup', status: 'ok', startedAt, durationMs: 1, exitCode: 0, problems: [], ...more })
const stacks = (...names: string[]): object[] => names.map((name) => ({ name }))

describe('the history', () => {
  const file = (...lines: string[]): string => write('history.jsonl', lines.join('\n'))
  const idsOf = (path: string, choices: { limit?: number; stack?: string; since?: Date } = {}): string[] =>
    history(testRun(), path, { limit: 100, stack: undefined, since: undefined, ...choices }).result.runs.map(({ runId }) => runId)

  const three = (): string =>
    file(
      runOf('one', '2026-01-01T00:00:00.000Z', { stacks: stacks('web', 'db') }),
      runOf('two', '2026-01-02T00:00:00.000Z', { command: 'run', backup: { stacks: stacks('web') } }),
      runOf('three', '2026-01-03T00:00:00.000Z', { command: 'sync', backup: null }),
      '',
    )

  it('is newest first, as many as asked for', () => {
    expect(idsOf(three())).toEqual(['three', 'two', 'one'])
    expect(idsOf(three(), { limit: 2 })).toEqual(['three', 'two'])
  })

  it('can be that of one stack, by itself or within a whole run', () => {
    expect(idsOf(three(), { stack: 'web' })).toEqual(['two', 'one'])
    expect(idsOf(three(), { stack: 'db' })).toEqual(['one'])
    expect(idsOf(three(), { stack: 'we' })).toEqual([])
  })

  it('can begin at a moment, that moment included', () => {
    expect(idsOf(three(), { since: new Date('2026-01-02T00:00:00.000Z') })).toEqual(['three', 'two'])
  })

  it('is empty where nothing ran yet', () => {
    expect(idsOf(at('nothing'))).toEqual([])
  })

  it('stands stacks that are none', () => {
    expect(idsOf(file(runOf('one', '2026-01-01T00:00:00.000Z', { stacks: [null, 1, { name: 'web' }] })), { stack: 'web' })).toEqual(['one'])
  })

  it('passes over lines that a crash cut short', () => {
    const path = file(runOf('one', '2026-01-01T00:00:00.000Z'), '{"runId":"cut', runOf('two', '2026-01-02T00:00:00.000Z'))
    expect(readRuns(path).map(({ runId }) => runId)).toEqual(['one', 'two'])
  })

  it.each(['null', '7', '"text"', '[]', '{"runId":"x"}', runOf('x', 'long ago'), runOf('x', '2026-01-01T00:00:00.000Z', { problems: null })])('passes over a line that is no run: %s', (line) => {
    const path = file(line, runOf('one', '2026-01-01T00:00:00.000Z', { stacks: stacks('web') }))
    expect(idsOf(path, { stack: 'web' })).toEqual(['one'])
    expect(idsOf(path)).toEqual(['one'])
  })
})
