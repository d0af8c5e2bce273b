import type { Engine, Runtime, Transport } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { stackKey } from '../../../src/stacks/identity.js'
import { rememberStack } from '../../../src/stacks/stack-memory.js'
import type { DrillStackReport } from '../../../src/stages/drill/drill-result.js'
import { rememberDrill } from '../../../src/stages/drill/record.js'
import { rememberRepository } from '../../../src/stages/repository-memory.js'
import { listSnapshots } from '../../../src/stages/snapshots.js'
import { status } from '../../../src/stages/status.js'
import { KnownRemotes } from '../../../src/stages/sync/known-remotes.js'
import { localTime } from '../../../src/ui/local-time.js'
import { presentStatus } from '../../../src/ui/present-status.js'
import { failure, ok, snapshotOf, stackAt, stateOf, testRun, write, type TestRun } from './fixtures.js'

const hour = 60 * 60 * 1000
const from = (ms: number): string => new Date(Date.now() + ms).toISOString()

interface Parts {
  readonly runtime?: Partial<Runtime>
  readonly engine?: Partial<Engine>
  readonly transport?: Partial<Transport>
}

function runWith({ runtime, engine, transport }: Parts = {}): TestRun {
  write('stacks/web/compose.yaml', 'services: {}\n')
  write('dirlist', 'web=true\n')
  return testRun({
    runtime: { ready: () => Promise.resolve(ok(undefined)), inspect: () => Promise.resolve(ok([stateOf([])])), ...runtime },
    engine: { location: () => ({ display: 'place', path: null }), ready: () => Promise.resolve(ok(undefined)), open: () => Promise.resolve(ok({ id: 'id', location: 'place', path: null })), snapshots: () => Promise.resolve(ok([])), ...engine },
    transport: { location: '', ...transport },
  })
}

/** A question that ends only when it is told to; `deaf`: not even then. */
const hang = (deaf: boolean) => (options?: { readonly signal?: AbortSignal }) =>
  new Promise<ReturnType<typeof failure>>((resolve) => {
    if (!deaf) options?.signal?.addEventListener('abort', () => resolve(failure('cancelled')))
  })

describe('status', () => {
  it.each([false, true])('ends at its limit when the repository does not answer, and shows the rest (one that cannot be ended: %s)', async (isDeaf) => {
    const { result, exitCode } = await status(runWith({ engine: { open: hang(isDeaf), snapshots: (_, options) => hang(isDeaf)(options) } }), 50)
    expect([exitCode, result.repository.reachable, result.stacks.map(({ name, state }) => [name, state])]).toEqual([4, false, [['web', 'stopped']]])
    expect(result.problems).toContainEqual(expect.objectContaining({ code: 'tool-not-answering', message: expect.stringContaining('the repository place did not answer within 0.05 s') as string }))
  }, 20_000)

  it('ends at its limit when the container engine does not answer, and shows the rest', async () => {
    const run = runWith({ runtime: { ready: hang(false) }, engine: { snapshots: () => Promise.resolve(ok([snapshotOf('a', { time: from(-hour) })])) } })
    const { result, exitCode } = await status(run, 50)
    expect([exitCode, result.stacks[0]?.lastSnapshot?.id, result.stacks[0]?.state]).toEqual([4, 'a', 'unknown'])
  }, 20_000)

  it('names a snapshot that is dated in the future, and never takes it for the latest one', async () => {
    const run = runWith({ engine: { snapshots: () => Promise.resolve(ok([snapshotOf('now', { time: from(-hour) }), snapshotOf('odd', { time: from(1000 * hour) })])) } })
    const { result, exitCode } = await status(run)
    expect([exitCode, result.stacks[0]?.lastSnapshot?.id]).toEqual([0, 'now'])
    expect(result.problems).toMatchObject([{ severity: 'warning', code: 'dated-in-future', stack: 'web', message: expect.stringContaining('odd') as string, fix: expect.stringContaining('snapshots forget odd') as string }])
    expect((await listSnapshots(run, undefined)).result).toMatchObject({ status: 'ok', snapshots: [{ id: 'now' }, { id: 'odd', datedInFuture: true }], problems: [{ code: 'dated-in-future' }] })
  })

  it('calls a stack overdue that has nothing but a snapshot dated in the future, whether the repository or its own record says so', async () => {
    const ahead = from(1000 * hour)
    const { result, exitCode } = await status(runWith({ engine: { snapshots: () => Promise.resolve(ok([snapshotOf('odd', { time: ahead })])) } }))
    expect([exitCode, result.stacks[0]?.overdue, result.stacks[0]?.lastSnapshot]).toEqual([3, true, null])

    const run = runWith({ engine: { open: () => Promise.resolve(failure('repository-locked')), snapshots: () => Promise.resolve(failure('repository-locked')) } })
    const stack = stackAt('web')
    rememberStack(run.state.stacks, stackKey(stack), { schemaVersion: 1, name: 'web', directory: stack.directory, lastGood: { id: 'odd', time: ahead, repositoryId: 'id', files: 1, bytes: 1 }, lastDowntimeMs: null, lastReadyMs: null, recentBytesAdded: [], readsAllNext: false })
    expect((await status(run)).result.stacks[0]).toMatchObject({ overdue: true, lastSnapshot: null })
  })

  it('compares the remote of the last sync with the configured one', async () => {
    const run = runWith({ engine: { snapshots: () => Promise.resolve(ok([snapshotOf('a', { time: from(-2 * hour) }), snapshotOf('odd', { time: from(hour), host: 'another' })])) }, transport: { location: 'cloud:new' } })
    const remotes = (): KnownRemotes => new KnownRemotes(run.state.repositories, 'id', 'place')
    remotes().record({ remote: 'cloud:old', at: from(-hour), snapshots: 1 })
    const changed = await status(run)
    expect(changed.result.cloud).toMatchObject({ remote: 'cloud:new', lastSync: null, behindSnapshots: 1, overdue: true, lastRemote: 'cloud:old' })
    expect(changed.result.problems.map(({ code }) => code)).toEqual(['remote-changed', 'cloud-overdue'])
    remotes().record({ remote: 'cloud:new', at: from(-hour / 2), snapshots: 1 })
    const { result } = await status(run)
    expect(result.cloud).toEqual({ remote: 'cloud:new', lastSync: expect.any(String) as string, ageMs: expect.any(Number) as number, behindSnapshots: 0, overdue: false })
  })

  it('counts the syncs of each remote apart: a newer one to another is none to this one', async () => {
    const run = runWith({ engine: { snapshots: () => Promise.resolve(ok([snapshotOf('a', { time: from(-3 * hour) }), snapshotOf('b', { time: from(-hour) })])) }, transport: { location: 'cloud:first' } })
    const remotes = (): KnownRemotes => new KnownRemotes(run.state.repositories, 'id', 'place')
    const [older, newer] = [from(-2 * hour), from(-hour / 2)]
    remotes().record({ remote: 'cloud:first', at: older, snapshots: 1 })
    remotes().record({ remote: 'cloud:second', at: newer, snapshots: 2 })
    expect((await status(run)).result.cloud).toMatchObject({ remote: 'cloud:first', lastSync: older, behindSnapshots: 1, lastRemote: 'cloud:second' })
  })

  it('names its columns of what a stop costs in words', async () => {
    expect(presentStatus((await status(runWith({}))).result)).toMatch(/LAST STOP +UP AGAIN/)
  })

  it('keeps the last drill of each stack, when a later one was of another stack', async () => {
    const run = runWith({})
    write('stacks/shop/compose.yaml', 'services: {}\n')
    const drilled = (name: string, status: DrillStackReport['status']): DrillStackReport => ({ name, snapshotId: 'a', dataAgeMs: 1, recoveryMs: 1, healthy: true, probe: 'skipped', filesCompared: 1, mismatches: 0, status })
    const [first, second] = [from(-24 * hour), from(-hour)]
    rememberDrill(run, { at: first, source: 'cloud:', status: 'failed', stacks: [drilled('web', 'failed'), drilled('shop', 'ok'), drilled('gone', 'ok')] })
    rememberDrill(run, { at: second, source: 'cloud:', status: 'ok', stacks: [drilled('web', 'ok')] })
    const { result } = await status(run)
    expect(result.lastDrill).toEqual({ at: second, source: 'cloud:', status: 'ok', stacks: [drilled('web', 'ok')] })
    expect(result.drills).toEqual([{ ...drilled('web', 'ok'), at: second, source: 'cloud:' }, { ...drilled('shop', 'ok'), at: first, source: 'cloud:' }])
    expect(presentStatus(result)).toContain(`last drill  ${localTime(second)} from cloud:: web ok\n            ${localTime(first)} from cloud:: shop ok\n`)
  })

  it('takes no sync that is dated in the future for one that was made', async () => {
    const run = runWith({ engine: { snapshots: () => Promise.resolve(ok([snapshotOf('a', { time: from(-hour) })])) }, transport: { location: 'cloud:' } })
    new KnownRemotes(run.state.repositories, 'id', 'place').record({ remote: 'cloud:', at: from(1000 * hour), snapshots: 1 })
    expect((await status(run)).result.cloud).toMatchObject({ lastSync: null, behindSnapshots: 1, overdue: true })
  })

  it('says unknown where the repository cannot be read, and takes no record of another repository for it', async () => {
    const missing = (): Promise<ReturnType<typeof failure>> => Promise.resolve(failure('repository-missing'))
    const run = runWith({ engine: { open: missing, snapshots: missing }, transport: { location: 'cloud:' } })
    const fresh = await status(run)
    expect([fresh.exitCode, presentStatus(fresh.result)]).toEqual([3, expect.stringMatching(/web .* never/) as string])

    const stack = stackAt('web')
    rememberStack(run.state.stacks, stackKey(stack), { schemaVersion: 1, name: 'web', directory: stack.directory, lastGood: { id: 'a', time: from(-hour), repositoryId: 'another', files: 1, bytes: 1 }, lastDowntimeMs: null, lastReadyMs: null })
    const { result, exitCode } = await status(run)
    expect(exitCode).toBe(10)
    expect(result).toMatchObject({ cloud: { behindSnapshots: null, lastSync: null }, stacks: [{ lastSnapshot: null, overdue: true }] })
    expect(presentStatus(result)).toMatch(/web .* unknown/)
    expect(presentStatus(result)).toContain('unknown how many snapshots behind')
  })

  it('takes nothing of another repository that is at the place of the known one', async () => {
    const run = runWith({ engine: { snapshots: () => Promise.resolve(ok([snapshotOf('b', { time: from(-hour) })])) } })
    rememberRepository(run.state.repositories, 'place', { id: 'known', location: 'place', path: null })
    const { result, exitCode } = await status(run)
    expect([exitCode, result.repository]).toMatchObject([10, { id: 'known', reachable: false, snapshots: null }])
    expect(result.stacks).toMatchObject([{ lastSnapshot: null, newestSnapshot: null }])
    expect(result.problems).toContainEqual(expect.objectContaining({ severity: 'error', code: 'repository-changed', fix: expect.stringContaining('stackbk backup --accept-repository') as string }))
  })

  it('names the last backup and sync that failed, and counts them', async () => {
    const run = runWith({ engine: { snapshots: () => Promise.resolve(ok([snapshotOf('a', { time: from(-2 * hour) })])) }, transport: { location: 'cloud:' } })
    new KnownRemotes(run.state.repositories, 'id', 'place').record({ remote: 'cloud:', at: from(-hour), snapshots: 1 })
    expect((await status(run)).exitCode).toBe(0)
    write('state/history.jsonl', `${JSON.stringify({ schemaVersion: 1, command: 'sync', runId: 'r', status: 'failed', startedAt: from(-6000), finishedAt: from(-6000), durationMs: 1, exitCode: 5, problems: [{ severity: 'error', code: 'remote-unreachable', message: 'reaching cloud: failed', fix: '' }] })}\n`)
    const { result, exitCode } = await status(run)
    expect([exitCode, result.failures]).toEqual([3, [{ stage: 'sync', at: expect.any(String) as string, message: 'reaching cloud: failed' }]])
    expect(result.problems).toContainEqual(expect.objectContaining({ code: 'last-sync-failed', message: expect.stringMatching(/^the last sync failed \d+ s ago: reaching cloud: failed$/) as string, fix: 'Run: stackbk sync' }))
  })
})
