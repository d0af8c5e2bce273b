import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Answer, ContainerState, Runtime, StackState, UpReport } from '@stackbk/contract'
import { beforeEach, describe, expect, it } from 'vitest'

import { bootId } from '../../../src/host/boot.js'
import { stackKey } from '../../../src/stacks/identity.js'
import type { JournalEntry } from '../../../src/stacks/journal.js'
import { replayJournal, resume, type ResumeChoices } from '../../../src/stages/resume.js'
import { at, container, errorOf, failure, ok, source, stackAt, stateOf, testRun, type TestRun } from './fixtures.js'

const up: UpReport = { isUp: true, missing: [], completed: [] }
const good = ok({ model: ok(undefined), missingImages: [], whyNotDown: [], wouldLose: [] })

const gone = (service: string): ContainerState => container(service, { condition: 'exited', exitCode: 0 })

describe('resuming', () => {
  /** What the runtime was asked, in order. */
  let asked: string[] = []
  let since: Date | undefined

  beforeEach(() => {
    asked = []
    since = undefined
  })

  function entry(name = 'web', more: Partial<JournalEntry> = {}): JournalEntry {
    mkdirSync(at(`stacks/${name}`), { recursive: true })
    const directory = at(`stacks/${name}`)
    return {
      schemaVersion: 1,
      runId: 'run-0',
      key: stackKey(stackAt(name)),
      name,
      directory,
      writtenAt: '2026-01-01T00:00:00.000Z',
      bootId: bootId(),
      mode: 'stop',
      healthTimeoutMs: 1000,
      state: stateOf([container('app'), container('db')], { directory }),
      whyNotDown: [],
      devices: [{ path: directory, device: statSync(directory).dev }],
      ...more,
    }
  }

  /** A run with these entries, on a host where the stacks' containers are now like this. */
  function runWith(entries: readonly JournalEntry[], now: (entry: JournalEntry) => StackState, more: Partial<Runtime> = {}): TestRun {
    const run = testRun({
      runtime: {
        identity: () => Promise.resolve(ok({ id: 'engine', version: '28' })),
        ready: () => Promise.resolve(ok(undefined)),
        waitUntilSettled: (state) => (asked.push(`settle ${state.directory.slice(at('stacks/').length)}`), Promise.resolve(ok(undefined))),
        inspect: ([directory]) => {
          const found = entries.find((one) => one.directory === directory)
          return Promise.resolve(found === undefined ? failure() : ok([now(found)]))
        },
        preflight: () => Promise.resolve(good),
        start: (state) => (asked.push(`start ${state.directory.slice(at('stacks/').length)}`), Promise.resolve(ok(undefined))),
        waitUntilUp: (_state, request) => ((since = request.since), Promise.resolve(ok(up))),
        ...more,
      },
    })
    for (const one of entries) run.journal.write(one)
    return run
  }

  const stopped = (one: JournalEntry): StackState => ({ ...one.state, condition: 'stopped', projects: one.state.projects.map((project) => ({ ...project, containers: project.containers.map((each) => ({ ...each, condition: 'exited' as const })) })) })
  const nothing = (one: JournalEntry): StackState => ({ ...one.state, condition: 'not-found', projects: [] })
  const waiting = (run: TestRun): string[] => run.journal.entries().map(({ name }) => name)
  const only = async (run: TestRun, choices: ResumeChoices = {}) => {
    const replay = await replayJournal(run, choices)
    return { ...replay.stacks[0], problems: replay.problems }
  }

  it('does nothing, and asks nobody, when nothing waits', async () => {
    const run = testRun()
    expect(await replayJournal(run)).toMatchObject({ stacks: [], problems: [] })
    const { result, exitCode } = await resume(testRun(), {})
    expect({ status: result.status, exitCode }).toEqual({ status: 'ok', exitCode: 0 })
  })

  it('removes what a kill has left of an entry half written, where nothing waits too', async () => {
    const run = runWith([entry()], stopped)
    const half = join(run.state.journal, 'other-key.json.new')
    writeFileSync(half, '{')
    await replayJournal(run)
    expect(readdirSync(run.state.journal)).toEqual([])
    writeFileSync(half, '{')
    await replayJournal(testRun())
    expect(readdirSync(run.state.journal)).toEqual([])
  })

  it('takes a lock first, so that no stack is started that a run at work has stopped', async () => {
    const run = testRun()
    run.journal.write(entry())
    const busy = { ...run, lock: () => Promise.reject(new Error('busy')) }
    await expect(replayJournal(busy)).rejects.toThrow('busy')
    expect(waiting(run)).toEqual(['web'])
  })

  it('starts what was left stopped, when the engine has settled, and forgets it', async () => {
    const run = runWith([entry()], stopped)
    expect(await only(run)).toMatchObject({ name: 'web', servicesBefore: ['app', 'db'], action: 'started', status: 'ok', problems: [] })
    expect(asked).toEqual(['settle web', 'start web'])
    expect(run.locked.map(({ kind }) => kind)).toEqual(['journal', 'engine'])
    expect(since).toEqual(new Date('2026-01-01T00:00:00.000Z'))
    expect(waiting(run)).toEqual([])
  })

  it('looks after a stack that runs already, and counts it as up since ever', async () => {
    const run = runWith([entry()], (one) => one.state)
    expect(await only(run)).toMatchObject({ action: 'already-running', status: 'ok' })
    expect(since).toEqual(new Date(0))
    expect(waiting(run)).toEqual([])
  })

  it('starts the rest of a stack of which a part runs', async () => {
    const run = runWith([entry()], (one) => stateOf([container('app'), gone('db')], { directory: one.directory }))
    expect(await only(run)).toMatchObject({ action: 'started', status: 'ok' })
    expect(asked).toContain('start web')
  })

  it('starts a paused one, which is not as it was', async () => {
    const run = runWith([entry('web', { mode: 'pause' })], (one) => stateOf([container('app', { condition: 'paused' }), container('db', { condition: 'paused' })], { directory: one.directory }))
    expect(await only(run)).toMatchObject({ action: 'started' })
  })

  it('starts what was taken down and is all there to be made again', async () => {
    const run = runWith([entry('web', { mode: 'down', whyNotDown: ['known before'] })], nothing, { preflight: () => Promise.resolve(ok({ model: ok(undefined), missingImages: [], whyNotDown: ['known before'], wouldLose: [] })) })
    expect(await only(run)).toMatchObject({ action: 'started', status: 'ok' })
  })

  it('starts one whose data folder is new meanwhile on the same disk, and not one whose disk is away', async () => {
    const devices = [{ path: at('stacks/web/data'), device: statSync(at('')).dev }]
    expect(await only(runWith([entry('web', { devices })], stopped))).toMatchObject({ action: 'started' })
    asked = []
    const run = runWith([entry('web', { devices: [{ path: at('stacks/web'), device: 424_242 }] })], stopped)
    expect(await only(run)).toMatchObject({ action: 'waiting', status: 'failed', problems: [{ severity: 'error', code: 'source-moved', stack: 'web' }] })
    expect(asked).toEqual(['settle web'])
    expect(waiting(run)).toEqual(['web'])
    expect(await only(run, { force: 'web' })).toMatchObject({ action: 'started' })
  })

  it('does not start a stack whose mounted folder is gone, shows how to start without it, and then starts it', async () => {
    const run = runWith([entry('web', { devices: [], filledBinds: [at('gone/data')] })], stopped)
    expect(await only(run)).toMatchObject({ action: 'waiting', problems: [{ code: 'source-moved', message: expect.stringContaining(`${at('gone/data')} existed before the stop and is gone`) as string, fix: 'Put the missing data back, then run: stackbk resume. To start without it: stackbk resume --force web' }] })
    expect(await only(run, { force: 'web' })).toMatchObject({ action: 'started' })
  })

  type Change = [string, Partial<JournalEntry>, (one: JournalEntry) => StackState, Partial<Runtime>, RegExp]
  const changes: Change[] = [
    ['a container was removed', {}, (one) => stateOf([gone('app')], { directory: one.directory }), {}, /web-db-1 was removed/],
    ['a container was made with another configuration', {}, (one) => stateOf([...stopped(one).projects[0]?.containers ?? [], container('app', { id: 'new', configHash: 'new', condition: 'exited' })], { directory: one.directory }), {}, /web-app-1 was made since/],
    ['the compose file does not resolve any more', { mode: 'down' }, nothing, { preflight: () => Promise.resolve(ok({ model: failure('configuration'), missingImages: [], whyNotDown: [], wouldLose: [] })) }, /configuration in this test/],
    ['an image is gone', { mode: 'down' }, nothing, { preflight: () => Promise.resolve(ok({ model: ok(undefined), missingImages: ['nginx:1'], whyNotDown: [], wouldLose: [] })) }, /nginx:1 is gone/],
    ['the compose file was edited', { mode: 'down', whyNotDown: [] }, nothing, { preflight: () => Promise.resolve(ok({ model: ok(undefined), missingImages: [], whyNotDown: ['another hash'], wouldLose: [] })) }, /another hash/],
    ['what a start would meet cannot be found out', { mode: 'down' }, nothing, { preflight: () => Promise.resolve(failure('tool-not-answering')) }, /tool-not-answering/],
  ]
  it.each(changes)('leaves a stack as it is, and waits, when %s; by force it starts it', async (_, more, now, runtime, reason) => {
    const run = runWith([entry('web', more)], now, runtime)
    const left = await only(run)
    expect(left).toMatchObject({ action: 'waiting', status: 'failed', problems: [{ severity: 'error', code: 'changed-since', fix: expect.stringMatching(/--force web.*--discard web/) }] })
    expect(left.problems[0]?.message).toMatch(reason)
    expect(asked).not.toContain('start web')
    expect(waiting(run)).toEqual(['web'])
    expect(await only(run, { force: 'web' })).toMatchObject({ action: 'started', status: 'ok' })
    expect(asked).toContain('start web')
    expect(waiting(run)).toEqual([])
  })

  it('forgets a stack on demand, and touches it not at all', async () => {
    const run = runWith([entry()], stopped)
    expect(await only(run, { discard: 'web' })).toMatchObject({ action: 'discarded', status: 'ok' })
    expect(asked).toEqual([])
    expect(waiting(run)).toEqual([])
  })

  it.each(['force', 'discard'] as const)('refuses --%s for a stack that does not wait, before anything is started', async (flag) => {
    const run = runWith([entry()], stopped)
    expect(await errorOf(() => replayJournal(run, { [flag]: 'webb' }))).toMatchObject({ kind: 'usage', fix: 'Waiting are: web' })
    expect(asked).toEqual([])
    expect(waiting(run)).toEqual(['web'])
  })

  const troubles: [string, Partial<Runtime>, string][] = [
    ['does not come up', { waitUntilUp: (): Promise<Answer<UpReport>> => Promise.resolve(ok({ isUp: false, missing: [{ service: 'db', reason: 'it ended' }], completed: [] })) }, 'db: it ended'],
    ['cannot be started', { start: () => Promise.resolve(failure('tool-not-answering')), waitUntilUp: () => Promise.resolve(failure()) }, 'tool-not-answering in this test'],
    ['is started by a runtime that throws', { start: () => Promise.reject(new Error('boom')), waitUntilUp: () => Promise.reject(new Error('boom')) }, 'unexpectedly'],
  ]
  it.each(troubles)('keeps a stack in the journal that %s, and says what to do', async (_, runtime, reason) => {
    const run = runWith([entry()], stopped, runtime)
    const left = await only(run)
    expect(left).toMatchObject({ action: 'waiting', status: 'failed', problems: [{ code: 'not-up', fix: expect.stringContaining('docker compose up -d') }] })
    expect(left.problems[0]?.message).toContain(reason)
    expect(waiting(run)).toEqual(['web'])
  })

  it('tries once more, when all others are up, what could not be started, and reports only how that ended', async () => {
    let attempts = 0
    const run = runWith([entry('first', { writtenAt: '2026-01-01T00:00:00.000Z' }), entry('second', { writtenAt: '2026-01-01T00:00:01.000Z' })], stopped, {
      start: (state) => {
        const name = state.directory.slice(at('stacks/').length)
        asked.push(`start ${name}`)
        return Promise.resolve(name === 'first' && (attempts += 1) < 3 ? failure() : ok(undefined))
      },
      waitUntilUp: (state) => Promise.resolve(state.directory.endsWith('first') && attempts < 3 ? failure() : ok(up)),
    })
    const { stacks, problems } = await replayJournal(run)
    expect(asked).toEqual(['settle first', 'start first', 'start first', 'settle second', 'start second', 'settle first', 'start first'])
    expect(stacks).toMatchObject([{ name: 'first', action: 'started', status: 'ok' }, { name: 'second', action: 'started', status: 'ok' }])
    expect([problems, waiting(run)]).toEqual([[], []])
  })

  it.each([
    ['a shorter grace that the container asks for', { stopGraceSeconds: 5, isStopGraceExplicit: true }, 5_000, 100_000],
    ['a longer grace that the container asks for', { stopGraceSeconds: 900, isStopGraceExplicit: true }, 900_000, 1_000_000],
    ['the configured grace of a container that asks for none', { stopGraceSeconds: 10, isStopGraceExplicit: false }, 600_000, 700_000],
    ['the longer one of an entry that does not say which one counts', { stopGraceSeconds: 10 }, 600_000, 700_000],
  ])('waits for %s', async (_, grace, least, most) => {
    let timeoutMs = 0
    const waitUntilSettled: Runtime['waitUntilSettled'] = (_state, given) => ((timeoutMs = given.timeoutMs), Promise.resolve(failure('timed-out')))
    const state = stateOf([container('app', grace)])
    await only(runWith([entry('web', { graceSeconds: 600, healthTimeoutMs: 1000, state })], () => state, { waitUntilSettled }))
    expect(timeoutMs).toBeGreaterThanOrEqual(least)
    expect(timeoutMs).toBeLessThan(most)
  })

  it('does not take a stop that is still under way for a stack that is up, and waits for the grace that the journal names', async () => {
    let request: Parameters<Runtime['waitUntilSettled']>[1] | undefined
    const waitUntilSettled: Runtime['waitUntilSettled'] = (_state, given) => ((request = given), Promise.resolve(failure('timed-out')))
    const run = runWith([entry('web', { graceSeconds: 600 })], (one) => one.state, { waitUntilSettled })
    expect(await only(run)).toMatchObject({ action: 'waiting', status: 'failed', problems: [{ severity: 'error', code: 'stop-under-way', fix: expect.stringContaining('stackbk resume') }] })
    expect(request?.graceSeconds).toBe(600)
    expect(request?.timeoutMs).toBeGreaterThan(600_000)
    expect([asked, waiting(run)]).toEqual([[], ['web']])
    expect(await only(run, { force: 'web' })).toMatchObject({ status: 'ok' })
    expect(waiting(run)).toEqual([])
  })

  it('takes what runs after a restart of the machine for started since, whatever the clock says, and waits for no stop', async () => {
    const requests: unknown[] = []
    const run = runWith([entry('web', { bootId: 'the boot before', devices: [] })], stopped, {
      start: (_state, request) => (requests.push(request), Promise.resolve(ok(undefined))),
      waitUntilUp: (_state, request) => (requests.push(request), Promise.resolve(ok(up))),
    })
    expect(await only(run)).toMatchObject({ action: 'started', status: 'ok' })
    expect(requests).toMatchObject([{ isAfterReboot: true }, { isAfterReboot: true }])
    expect(asked).toEqual([])
  })

  it('replays an entry of an earlier version that names a volume which only the stack itself mounts', async () => {
    const devices = [{ path: at('volume'), device: 424_242 }]
    const sources: Runtime['sources'] = () => Promise.resolve(ok([{ ...source(at('volume')), isMountedByStack: true }]))
    expect(await only(runWith([entry('web', { devices })], stopped, { sources }))).toMatchObject({ action: 'started', status: 'ok', problems: [] })
    const disk: Runtime['sources'] = () => Promise.resolve(ok([source(at('volume'))]))
    expect(await only(runWith([entry('web', { devices })], stopped, { sources: disk }))).toMatchObject({ action: 'waiting', problems: [{ code: 'source-moved' }] })
  })

  it('forgets a stack that is up with a service that is not yet healthy, and warns of it', async () => {
    const run = runWith([entry()], stopped, { waitUntilUp: () => Promise.resolve(ok({ ...up, notYetHealthy: [{ service: 'db', reason: 'it has no verdict yet' }] })) })
    expect(await only(run)).toMatchObject({ action: 'started', status: 'ok', problems: [{ severity: 'warning', code: 'not-yet-healthy', message: expect.stringContaining('db: it has no verdict yet') }] })
    expect(waiting(run)).toEqual([])
  })

  it('takes an unknown state for no reason to start anything', async () => {
    const run = runWith([entry()], (one) => ({ ...one.state, condition: 'unknown' }))
    expect(await only(run)).toMatchObject({ action: 'waiting', problems: [{ code: 'state-unknown' }] })
    expect(asked).not.toContain('start web')
    expect(waiting(run)).toEqual(['web'])
  })

  const names = ['first', 'second', 'third']
  const three = (): JournalEntry[] => names.map((name, index) => entry(name, { writtenAt: `2026-01-01T00:00:0${index}.000Z` }))
  const failing: [string, Partial<Runtime>][] = [
    ['start fails', { start: (state) => Promise.resolve(state.directory.endsWith('second') ? failure() : ok(undefined)), waitUntilUp: (state) => Promise.resolve(state.directory.endsWith('second') ? failure() : ok(up)) }],
    ['settling throws', { waitUntilSettled: (state) => (state.directory.endsWith('second') ? Promise.reject(new Error('boom')) : Promise.resolve(ok(undefined))) }],
    ['inspection throws', { inspect: ([directory]) => (directory?.endsWith('second') ? Promise.reject(new Error('boom')) : Promise.resolve(ok([stateOf([gone('app'), gone('db')], { directory: directory ?? '' })]))) }],
  ]
  it.each(failing)('brings every other stack back when the one whose %s cannot be', async (_, runtime) => {
    const run = runWith(three(), stopped, runtime)
    const { stacks } = await replayJournal(run)
    expect(stacks.map(({ name, status }) => [name, status])).toEqual([['first', 'ok'], ['second', 'failed'], ['third', 'ok']])
    expect(waiting(run)).toEqual(['second'])
  })

  it('says so with exit code 3 when some came back, and 1 when none did', async () => {
    const down = { waitUntilUp: (state: StackState) => Promise.resolve(state.directory.endsWith('second') ? failure() : ok(up)) }
    const some = await resume(runWith(three(), stopped, down), {})
    expect({ status: some.result.status, exitCode: some.exitCode }).toEqual({ status: 'partial', exitCode: 3 })
    const none = await resume(runWith([entry('second')], stopped, down), {})
    expect({ status: none.result.status, exitCode: none.exitCode }).toEqual({ status: 'failed', exitCode: 1 })
  })

  it('ends with the kind of trouble when the container runtime does not answer, and all keep waiting', async () => {
    const run = runWith([entry()], stopped, { ready: () => Promise.resolve(failure('tool-not-answering')) })
    expect(await errorOf(() => replayJournal(run))).toMatchObject({ kind: 'tool-not-answering', message: expect.stringContaining('web') })
    expect(waiting(run)).toEqual(['web'])
  })

  it('reports a damaged entry, keeps it aside, and starts the others', async () => {
    const run = runWith([entry()], stopped)
    writeFileSync(at('state/journal/db-1.json'), '{"schemaVersion":1,')
    const { stacks, problems } = await replayJournal(run)
    expect(stacks).toMatchObject([{ name: 'web', action: 'started' }])
    expect(problems).toMatchObject([{ severity: 'error', code: 'journal-damaged', fix: expect.stringContaining('db-1.json.damaged') }])
    expect(readdirSync(at('state/journal'))).toEqual(['db-1.json.damaged'])
    expect((await replayJournal(run)).problems).toEqual([])
  })

  it('makes a damaged entry up from the capsule, which takes its place, and starts by it', async () => {
    const recalled = entry('web', { key: 'unused' }).state
    const key = stackKey(stackAt('web'))
    const run = runWith([entry()], stopped, { recall: () => Promise.resolve(ok(recalled)) })
    writeFileSync(at(`state/journal/${key}.json`), '{"schemaVersion":1,')
    mkdirSync(at(`state/capsules/${key}`), { recursive: true })
    writeFileSync(at(`state/capsules/${key}/stackbk-capsule.json`), JSON.stringify({ schemaVersion: 1, stack: 'web', directory: at('stacks/web'), createdAt: '2026-01-01T00:00:00.000Z', projects: [] }))
    const { stacks, problems } = await replayJournal(run)
    expect(stacks).toEqual([{ name: 'web', servicesBefore: ['app', 'db'], action: 'started', status: 'ok' }])
    expect(problems).toMatchObject([{ severity: 'warning', code: 'journal-damaged', stack: 'web', fix: expect.stringContaining('.damaged') }])
    expect(since).toEqual(new Date('2026-01-01T00:00:00.000Z'))
    expect(waiting(run)).toEqual([])
  })

  it('keeps a damaged entry where the runtime cannot say what ran, or the disk is full, and starts the others', async () => {
    const key = 'db-0123456789ab'
    const damage = (): void => {
      mkdirSync(at(`state/capsules/${key}`), { recursive: true })
      writeFileSync(at(`state/journal/${key}.json`), '{"schemaVersion":1,')
      writeFileSync(at(`state/capsules/${key}/stackbk-capsule.json`), JSON.stringify({ schemaVersion: 1, stack: 'db', directory: at('stacks/db'), createdAt: '2026-01-01T00:00:00.000Z', projects: [] }))
    }
    for (const recall of [() => Promise.resolve(failure()), () => Promise.reject(new Error('no space left'))]) {
      const run = runWith([entry()], stopped, { recall })
      damage()
      const { stacks, problems } = await replayJournal(run)
      expect(stacks).toMatchObject([{ name: 'web', action: 'started' }])
      expect(problems).toMatchObject([{ severity: 'error', code: 'journal-damaged' }])
      expect(run.journal.waiting()).toEqual([key])
      expect(await errorOf(() => replayJournal(run, { force: 'nosuch' }))).toMatchObject({ code: 'unknown-stack', problems: [{ code: 'journal-damaged' }] })
    }
  })

  it('only tells in a dry run what waits', async () => {
    const run = { ...runWith([entry()], stopped), dryRun: true }
    expect(await replayJournal(run)).toMatchObject({ stacks: [], problems: [{ severity: 'warning', code: 'left-stopped', stack: 'web' }] })
    expect(asked).toEqual([])
    expect(run.locked).toEqual([])
    expect(waiting(run)).toEqual(['web'])
  })
})
