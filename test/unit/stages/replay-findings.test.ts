import { statSync } from 'node:fs'

import type { Engine, Runtime } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import type { Problem } from '../../../src/errors.js'
import { bootId } from '../../../src/host/boot.js'
import { stackKey } from '../../../src/stacks/identity.js'
import { concluded, type ResultHeader } from '../../../src/stages/result.js'
import { replayJournal } from '../../../src/stages/resume.js'
import { restore } from '../../../src/stages/restore.js'
import { forgetSnapshots } from '../../../src/stages/snapshots.js'
import { verify } from '../../../src/stages/verify.js'
import { at, container, errorOf, failure, ok, snapshotOf, stackAt, stateOf, testRun, write, type TestRun } from './fixtures.js'

const engine: Partial<Engine> = {
  location: () => ({ display: at('repository'), path: null }),
  ready: () => Promise.resolve(ok(undefined)),
  open: () => Promise.resolve(ok({ id: 'repository', location: at('repository'), path: null })),
  snapshots: () => Promise.resolve(ok([snapshotOf('one')])),
  check: () => Promise.resolve(ok({ isSound: true, errors: [] })),
  forget: () => Promise.resolve(ok({ removed: ['one'] })),
}

/** A run on a host on which a killed run left the stack `web` stopped. */
function runWith({ canStart, dryRun = false }: { canStart: boolean; dryRun?: boolean }): TestRun {
  const runtime: Partial<Runtime> = {
    identity: () => Promise.resolve(ok({ id: 'engine', version: '28' })),
    ready: () => Promise.resolve(ok(undefined)),
    waitUntilSettled: () => Promise.resolve(ok(undefined)),
    inspect: () => Promise.resolve(ok([stateOf([container('app', { condition: 'exited' })])])),
    start: () => Promise.resolve(canStart ? ok(undefined) : failure('failed', { message: 'the port is in use' })),
    waitUntilUp: () => Promise.resolve(ok(canStart ? { isUp: true, missing: [], completed: [] } : { isUp: false, missing: [{ service: 'app', reason: 'it is exited' }], completed: [] })),
  }
  const run = testRun({ runtime, engine, dryRun, transport: { location: 'remote:', ready: () => Promise.resolve(failure('remote-unreachable')) } })
  write('stacks/web/compose.yaml', 'services: {}\n')
  run.journal.write({
    schemaVersion: 1, runId: 'run-0', key: stackKey(stackAt()), name: 'web', directory: at('stacks/web'), writtenAt: '2026-01-01T00:00:00.000Z', bootId: bootId(),
    mode: 'stop', healthTimeoutMs: 1000, state: stateOf([container('app')]), whyNotDown: [], devices: [{ path: at('stacks/web'), device: statSync(at('stacks/web')).dev }], graceSeconds: 10,
  })
  return run
}

const commands: [string, (run: TestRun) => Promise<{ result: ResultHeader; exitCode: number }>][] = [
  ['verify --repair', (run) => verify(run, { percent: undefined, cloud: false, repair: true })],
  ['snapshots forget', (run) => forgetSnapshots(run, ['one'], { prune: false })],
]

describe('a stack that an interrupted run left stopped', () => {
  it.each(commands)('makes %s partial, with exit code 3 and the problem, where it cannot be started', async (_, command) => {
    const { result, exitCode } = await command(runWith({ canStart: false }))
    expect({ status: result.status, exitCode }).toEqual({ status: 'partial', exitCode: 3 })
    expect(result.problems).toMatchObject([{ severity: 'error', code: 'not-up', stack: 'web', message: expect.stringContaining('the port is in use') as string }])
  })

  it.each(commands)('leaves %s as it is where it could be started', async (_, command) => {
    const { result, exitCode } = await command(runWith({ canStart: true }))
    expect({ status: result.status, exitCode, problems: result.problems }).toEqual({ status: 'ok', exitCode: 0, problems: [] })
  })

  it('is named by a dry run, which starts nothing and is ok', async () => {
    const { result, exitCode } = await commands[0]![1](runWith({ canStart: false, dryRun: true }))
    expect({ status: result.status, exitCode, codes: result.problems.map(({ code }) => code) }).toEqual({ status: 'ok', exitCode: 0, codes: ['left-stopped'] })
  })

  it('is known to the run also where an error ends the command after the replay', async () => {
    const run = runWith({ canStart: false })
    expect((await errorOf(() => restore(run, { path: at('target'), readData: false }))).kind).toBe('remote-unreachable')
    expect(run.replayed.problems).toMatchObject([{ code: 'not-up', stack: 'web' }])
  })

  it('is named once where the command itself names it', async () => {
    const run = runWith({ canStart: false })
    const { problems } = await replayJournal(run)
    expect(concluded(run, {}, { status: 'ok', problems }).result.problems).toEqual(problems)
    // As the result of the first of two stages gives them on.
    const copies = problems.map((problem) => ({ ...problem, message: `${problem.message} ` }))
    expect(concluded(run, {}, { status: 'partial', problems: copies }).result.problems).toEqual(copies)
  })
})

describe('the end of a command after a replay', () => {
  const facts = (problems: readonly Problem[]) => ({ id: 'run', command: 'verify', dryRun: false, startedAt: new Date(), interruptedBy: () => null, replayed: { problems } })
  const error: Problem = { severity: 'error', code: 'not-up', message: 'web could not be started', fix: '' }
  const endOf = (problems: readonly Problem[], status: 'ok' | 'partial' | 'failed', codes?: readonly number[]): unknown[] => {
    const { result, exitCode } = concluded(facts(problems), {}, { status, problems: [], ...(codes === undefined ? {} : { codes }) })
    return [result.status, exitCode]
  }

  it('keeps what is worse, and every other exit code', () => {
    expect(endOf([error], 'failed', [6])).toEqual(['failed', 6])
    expect(endOf([error], 'failed')).toEqual(['failed', 1])
    expect(endOf([error], 'partial', [5])).toEqual(['partial', 5])
    expect(endOf([error], 'ok', [0])).toEqual(['partial', 3])
  })

  it('is ok with no more than warnings', () => {
    expect(endOf([{ ...error, severity: 'warning' }], 'ok', [0])).toEqual(['ok', 0])
  })
})
