import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'

import type { Freezer, FrozenCopy } from '@stackbk/contract'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { stackKey } from '../../../../src/stacks/identity.js'
import { chooseFreezer, readyToFreeze, releaseFrozen, releaseLeftFrozen, settleBefore } from '../../../../src/stages/backup/freezing.js'
import { frozenRecords, noteFrozen } from '../../../../src/stages/backup/frozen-record.js'
import type { StackPlan } from '../../../../src/stages/backup/stack-plan.js'
import type { OpenRepository } from '../../../../src/stages/repository.js'
import { at, configuration, failure, ok, partly, snapshotOf, stackAt, testRun, write, type TestRun } from '../fixtures.js'

const plan = (more: Partial<StackPlan> = {}): StackPlan => partly<StackPlan>('plan', { stack: stackAt(), willStop: true, paths: [at('stacks/web')], ...more })
const holding = (...ids: string[]): OpenRepository => partly<OpenRepository>('repository', { snapshots: ids.map((id) => snapshotOf(id)), repository: { id: 'repository', location: '', path: null } })
const can = (more: Partial<Freezer> = {}): Partial<Freezer> => ({ keepsChangeTimes: true, canFreeze: () => Promise.resolve(ok(undefined)), ...more })
const cannot: Partial<Freezer> = { canFreeze: () => Promise.resolve(failure('unsupported', { message: 'it is ext4' })) }
const set = (freeze: string) => configuration(`[docker]\nFREEZE=${freeze}\n`)

describe('the choice of a freezer', () => {
  const chosen = async (run: TestRun, repository = holding('earlier'), of = plan()): Promise<string | null> => (await chooseFreezer(run, of, repository)).chosen?.id ?? null

  it('is by itself the first that can do it and whose copies the engine knows again', async () => {
    expect(await chosen(testRun({ freezers: { one: cannot, two: can(), three: can() } }))).toBe('two')
    expect(await chosen(testRun({ freezers: { one: cannot } }))).toBeNull()
    expect(await chosen(testRun())).toBeNull()
  })

  it('is one whose copies have to be read anew only for a first backup', async () => {
    const freezers = { anew: can({ keepsChangeTimes: false }), other: cannot }
    expect(await chosen(testRun({ freezers }), holding())).toBe('anew')
    expect(await chosen(testRun({ freezers }), holding('earlier'))).toBeNull()
    expect(await chosen(testRun({ freezers: { ...freezers, other: can() } }), holding())).toBe('other')
  })

  it('is the one that was asked for, at every backup', async () => {
    expect(await chosen(testRun({ freezers: { anew: can({ keepsChangeTimes: false }), first: can() }, configuration: set('anew') }))).toBe('anew')
  })

  it('says why one that was asked for cannot do it, or is not there, and backs the stack up without', async () => {
    const { chosen: none, problems } = await chooseFreezer(testRun({ freezers: { zfs: cannot }, configuration: set('zfs') }), plan(), holding())
    expect(none).toBeNull()
    expect(problems).toMatchObject([{ severity: 'warning', code: 'not-frozen', stack: 'web', message: expect.stringContaining('it is ext4') as string }])
  })

  it('is none where that is said, and for a stack that is not stopped', async () => {
    expect(await chosen(testRun({ freezers: { one: can() }, configuration: set('none') }))).toBeNull()
    expect(await chosen(testRun({ freezers: { one: can() } }), holding(), plan({ willStop: false }))).toBeNull()
  })

  it('is none where the repository lies in what would be frozen, and that is said where one was asked for', async () => {
    mkdirSync(at('stacks/web/repository'), { recursive: true })
    symlinkSync(at('stacks'), at('by-link'))
    const within = partly<OpenRepository>('repository', { snapshots: [], repository: { id: 'repository', location: '', path: at('by-link/web/repository') } })
    expect(await chosen(testRun({ freezers: { one: can() } }), within)).toBeNull()
    expect(await chooseFreezer(testRun({ freezers: { one: can() }, configuration: set('one') }), plan(), within)).toMatchObject({ chosen: null, problems: [{ code: 'not-frozen', message: expect.stringContaining('holds the repository') as string }] })
  })

  it('passes over a freezer that throws', async () => {
    expect(await chosen(testRun({ freezers: { one: { canFreeze: () => Promise.reject(new Error('boom')) }, two: can() } }))).toBe('two')
  })
})

describe('a freezer that hangs', () => {
  const never = (): Promise<never> => new Promise(() => {})
  const hanging = { id: 'one', freezer: partly<Freezer>('freezer', { settle: never, freeze: never, release: never }) }

  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** Whatever waits for no more than a day comes to its end. */
  async function aDayLater<T>(waiting: Promise<T>): Promise<T> {
    await vi.advanceTimersByTimeAsync(86_400_000)
    return waiting
  }

  it('is passed over, and keeps nobody waiting before the stop', async () => {
    expect((await aDayLater(chooseFreezer(testRun({ freezers: { one: { ...can(), canFreeze: never }, two: can() } }), plan(), holding()))).chosen?.id).toBe('two')
    const run = testRun()
    await aDayLater(settleBefore(run, plan(), hanging))
    expect(run.logged).toMatchObject([{ message: 'not all could be done before the stop' }])
  })

  it('makes no copy, and the window goes on', async () => {
    const run = testRun()
    expect(await aDayLater(readyToFreeze(run, plan(), hanging)(run.signal))).toMatchObject({ ok: false, failure: { kind: 'timed-out' } })
  })

  it('is told to end first, and what it then says is not taken for an interruption', async () => {
    const run = testRun()
    const obedient = partly<Freezer>('freezer', { freeze: (_paths, { signal }) => new Promise((resolve) => signal?.addEventListener('abort', () => resolve(failure('cancelled')))) })
    expect(await aDayLater(readyToFreeze(run, plan(), { id: 'one', freezer: obedient })(run.signal))).toMatchObject({ failure: { kind: 'timed-out' } })
  })

  it('leaves its copy to the next run, at once after a signal', async () => {
    const controller = new AbortController()
    const run = testRun({ signal: controller.signal, freezers: { one: { leftovers: never } } })
    readyToFreeze(run, plan(), hanging)
    controller.abort()
    const released = releaseFrozen(run, plan(), hanging, { id: 'copy', bindMounts: [] })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await released).toMatchObject([{ code: 'frozen-copy-left' }])
    expect(await aDayLater(releaseLeftFrozen(run))).toMatchObject([{ code: 'frozen-copy-left' }])
    expect(frozenRecords(run.state.frozen)).toHaveLength(1)
  })
})

describe('a frozen copy', () => {
  beforeEach(() => {
    mkdirSync(at('stacks/web'), { recursive: true })
  })
  const copy: FrozenCopy = { id: 'copy', bindMounts: [] }

  it('is noted on disk before anything is stopped, and made only when it is time', async () => {
    const asked: unknown[] = []
    const run = testRun()
    const freeze = readyToFreeze(run, plan(), { id: 'one', freezer: partly<Freezer>('freezer', { freeze: (paths, { label }) => (asked.push(paths, label), Promise.resolve(ok(copy))) }) })
    expect([asked, frozenRecords(run.state.frozen)]).toMatchObject([[], [{ freezer: 'one', name: 'web', paths: [at('stacks/web')] }]])
    expect(await freeze(run.signal)).toEqual(ok(copy))
    expect(asked).toEqual([[at('stacks/web')], `run-1-${stackKey(stackAt())}`])
  })

  it('is not made where it cannot be noted', () => {
    const run = testRun()
    write('state/frozen')
    expect(() => readyToFreeze(run, plan(), { id: 'one', freezer: partly<Freezer>('freezer', {}) })).toThrow(/EEXIST|ENOTDIR/)
  })

  it('is noted until it is released', async () => {
    const run = testRun()
    const refusing = { id: 'one', freezer: partly<Freezer>('freezer', { release: () => Promise.resolve(failure()) }) }
    readyToFreeze(run, plan(), refusing)
    expect(await releaseFrozen(run, plan(), refusing, copy)).toMatchObject([{ severity: 'warning', code: 'frozen-copy-left', stack: 'web' }])
    expect(frozenRecords(run.state.frozen)).toHaveLength(1)
    expect(await releaseFrozen(run, plan(), { id: 'one', freezer: partly<Freezer>('freezer', { release: () => Promise.resolve(ok(undefined)) }) }, copy)).toEqual([])
    expect(frozenRecords(run.state.frozen)).toEqual([])
  })

  it('that a killed run has left is found by the note and released, those of other stacks are not', async () => {
    const released: string[] = []
    const key = stackKey(stackAt())
    const freezer = can({
      leftovers: (paths) => Promise.resolve(ok(paths.flatMap((path) => ['killed-before', 'run-1'].map((run) => ({ ...copy, id: `${run} ${path}`, label: `${run}-${key}` })).concat({ ...copy, id: 'of another', label: 'run-1-another' })))),
      release: ({ id }) => (released.push(id), Promise.resolve(ok(undefined))),
    })
    const run = testRun({ freezers: { one: freezer } })
    readyToFreeze(run, plan(), { id: 'one', freezer: partly<Freezer>('freezer', freezer) })
    expect(await releaseLeftFrozen(run)).toEqual([])
    expect(released).toEqual([`killed-before ${at('stacks/web')}`, `run-1 ${at('stacks/web')}`])
    expect(readdirSync(run.state.frozen)).toEqual([])
    expect(await releaseLeftFrozen(run)).toEqual([])
  })

  it('on a disk that is not mounted now is kept in mind, and told', async () => {
    const run = testRun()
    noteFrozen(run.state.frozen, { schemaVersion: 1, key: 'web-1', name: 'web', freezer: 'one', paths: [at('elsewhere/web')], mountPoints: [at('elsewhere')] })
    expect(await releaseLeftFrozen(run)).toMatchObject([{ code: 'frozen-copy-left', message: expect.stringContaining(at('elsewhere/web')) as string, fix: expect.stringContaining(at('state/frozen/web-1.json')) as string }])
    expect(frozenRecords(run.state.frozen)).toHaveLength(1)
  })

  it('is looked for also where what it is a copy of is gone since', async () => {
    const run = testRun({ freezers: { one: { leftovers: () => Promise.resolve(ok([])) } } })
    readyToFreeze(run, plan({ paths: [at('volumes/gone')] }), { id: 'one', freezer: partly<Freezer>('freezer', {}) })
    expect(await releaseLeftFrozen(run)).toEqual([])
    expect(frozenRecords(run.state.frozen)).toEqual([])
  })

  it('that could not be taken away keeps a second one from being made, whatever it is made with', async () => {
    const freezers = { one: can(), two: can() }
    readyToFreeze(testRun(), plan(), { id: 'one', freezer: partly<Freezer>('freezer', {}) })
    expect((await chooseFreezer(testRun({ freezers, configuration: set('two') }), plan(), holding())).chosen).toBeNull()
    expect((await chooseFreezer(testRun({ freezers, dryRun: true }), plan(), holding())).chosen?.id).toBe('one')
    expect((await chooseFreezer(testRun({ freezers }), plan({ stack: stackAt('other') }), holding())).chosen?.id).toBe('one')
  })

  it('that cannot be released now is told and kept in mind', async () => {
    const run = testRun({ freezers: { one: { leftovers: () => Promise.reject(new Error('boom')) } } })
    readyToFreeze(run, plan(), { id: 'one', freezer: partly<Freezer>('freezer', {}) })
    expect(await releaseLeftFrozen(run)).toMatchObject([{ code: 'frozen-copy-left', message: expect.stringContaining('boom') as string }])
    expect(frozenRecords(run.state.frozen)).toHaveLength(1)
  })

  it('leaves nothing, and asks nobody, where nothing was noted', async () => {
    mkdirSync(at('state/frozen'), { recursive: true })
    write('state/frozen/half.json', '{"schemaVersion": 1, "ke')
    expect(await releaseLeftFrozen(testRun())).toEqual([])
    expect(existsSync(at('state/frozen/half.json'))).toBe(true)
  })
})
