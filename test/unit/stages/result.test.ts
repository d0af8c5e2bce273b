import { describe, expect, it } from 'vitest'

import { exitCodeOf, exitCodes, errorFrom, problemFrom, StackbkError, type ErrorKind, type SignalName } from '../../../src/errors.js'
import { concluded, newRunId, type RunFacts } from '../../../src/stages/result.js'

const facts = (interruptedBy: SignalName | null = null): RunFacts => ({ id: 'run-1', command: 'backup', dryRun: false, startedAt: new Date(Date.now() - 1500), interruptedBy: () => interruptedBy })

describe('the exit code', () => {
  // The contract's table.
  const table: Record<ErrorKind, number> = {
    usage: 2,
    configuration: 2,
    'nothing-to-do': 2,
    partial: 3,
    overdue: 3,
    'tool-missing': 4,
    'tool-too-old': 4,
    'tool-not-answering': 4,
    'remote-unreachable': 5,
    'transfer-failed': 5,
    corrupt: 6,
    guard: 7,
    'repository-missing': 10,
    'repository-locked': 11,
    'wrong-password': 12,
    busy: 75,
    interrupted: 130,
    'not-found': 1,
    unsupported: 1,
    'timed-out': 1,
    stalled: 1,
    cancelled: 1,
    failed: 1,
  }
  it.each(Object.entries(table))('of %s is %i', (kind, code) => {
    expect(exitCodeOf(new StackbkError({ kind: kind as ErrorKind, message: 'x' }))).toBe(code)
  })

  it('of a signal is that of the shell', () => {
    expect((['SIGHUP', 'SIGINT', 'SIGTERM'] as const).map((name) => exitCodes.ofSignal(name))).toEqual([129, 130, 143])
  })

  it('of what is none of our errors is 1, and of a wrong use of the command line 2', () => {
    expect(exitCodeOf(new Error('bug'))).toBe(1)
    expect(exitCodeOf('text')).toBe(1)
    expect(exitCodeOf(Object.assign(new Error('no such flag'), { oclif: { exit: 2 } }))).toBe(2)
  })

  it('is the first of the table where several apply, whatever their order', () => {
    const order = [130, 75, 2, 4, 10, 11, 12, 7, 5, 6, 3, 1, 0]
    for (const [index, code] of order.entries()) {
      expect(exitCodes.first(order.slice(index))).toBe(code)
      expect(exitCodes.first(order.slice(index).toReversed())).toBe(code)
    }
  })

  it('is never 0 for one that the table does not know, beside a success', () => {
    expect(exitCodes.first([99])).toBe(99)
    expect(exitCodes.first([])).toBe(0)
    expect(exitCodes.first([0, 99])).toBe(99)
  })
})

describe('a result', () => {
  it('has its header, its own part and its problems', () => {
    const problems = [{ severity: 'warning', code: 'x', message: 'y', fix: '' }] as const
    const { result, exitCode } = concluded(facts(), { stacks: [1] }, { status: 'ok', problems })
    expect(result).toMatchObject({ schemaVersion: 1, command: 'backup', runId: 'run-1', status: 'ok', dryRun: false, stacks: [1], problems })
    expect(Date.parse(result.finishedAt) - Date.parse(result.startedAt)).toBe(result.durationMs)
    expect(result.durationMs).toBeGreaterThanOrEqual(1500)
    expect(exitCode).toBe(0)
  })

  it.each([
    ['ok', undefined, 0],
    ['partial', undefined, 3],
    ['failed', undefined, 1],
    ['failed', [], 1],
    ['failed', [0, 0], 1],
    ['partial', [0, 7, 3], 7],
    ['failed', [5, 12], 12],
    ['ok', [0, 0], 0],
  ] as const)('that is %s with the codes %j exits with %i', (status, codes, expected) => {
    expect(concluded(facts(), {}, { status, problems: [], ...(codes === undefined ? {} : { codes }) }).exitCode).toBe(expected)
  })

  it.each([['SIGHUP', 129], ['SIGINT', 130], ['SIGTERM', 143]] as const)('of a run that %s interrupted is interrupted, whatever else went wrong or well', (signal, code) => {
    for (const status of ['ok', 'failed'] as const) {
      const { result, exitCode } = concluded(facts(signal), {}, { status, problems: [], codes: [75, 2] })
      expect({ status: result.status, exitCode }).toEqual({ status: 'interrupted', exitCode: code })
    }
  })

  it('has an ID that sorts by time and is no other', () => {
    const [early, late] = [newRunId(new Date('2026-01-01T00:00:00.123Z')), newRunId(new Date('2026-01-01T00:00:01.000Z'))]
    expect(early).toMatch(/^20260101T000000Z-[0-9a-f]{6}$/)
    expect([late, early].sort()).toEqual([early, late])
    expect(new Set(Array.from({ length: 100 }, () => newRunId(new Date(0)))).size).toBeGreaterThan(95)
  })
})

describe("a provider's failure", () => {
  const failure = { kind: 'repository-locked', message: 'it is locked', toolOutput: 'first\nby PID 7\n', fix: 'Wait' } as const

  it('is an error with all its words', () => {
    expect(errorFrom(failure)).toMatchObject({ kind: 'repository-locked', code: 'repository-locked', message: 'it is locked', detail: 'first\nby PID 7\n', fix: 'Wait' })
  })

  it("is a line of a report with the tool's last word", () => {
    expect(problemFrom(failure, { stack: 'web' })).toEqual({ severity: 'error', code: 'repository-locked', message: 'it is locked: by PID 7', fix: 'Wait', stack: 'web' })
    expect(problemFrom({ kind: 'failed', message: 'x' }, { severity: 'warning', code: 'own' })).toEqual({ severity: 'warning', code: 'own', message: 'x', fix: '' })
  })
})
