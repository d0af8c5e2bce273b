import { mkdirSync, symlinkSync } from 'node:fs'

import type { Answer, Capsule, Engine, Freezer, Runtime, SnapshotRequest, StackState, UpReport } from '@stackbk/contract'
import { beforeEach, describe, expect, it } from 'vitest'

import { EventQueue } from '../../../../src/providers/events.js'
import { stackKey } from '../../../../src/stacks/identity.js'
import { recallStack } from '../../../../src/stacks/stack-memory.js'
import { backup } from '../../../../src/stages/backup.js'
import { at, configuration, container, failure, ok, snapshotOf, source, stackAt, stateOf, testRun, write, type TestRun } from '../fixtures.js'

describe('the backup of several stacks', () => {
  /** What was asked of the runtime and the engine, in order. */
  let happened: string[] = []
  let controller = new AbortController()

  beforeEach(() => {
    happened = []
    controller = new AbortController()
    for (const name of ['one', 'two']) write(`stacks/${name}/compose.yaml`, 'services: {}\n')
    write('dirlist', 'one=true\ntwo=true\n')
    mkdirSync(at('repository'))
  })

  const nameOf = (state: StackState): string => state.directory.slice(at('stacks/').length)
  const stateFor = (directory: string): StackState => stateOf([container('app', { id: `${directory}-app` })], { directory })

  function runWith(runtime: Partial<Runtime> = {}, engine: Partial<Engine> = {}): TestRun {
    const note = (what: string): number => happened.push(what)
    return testRun({
      signal: controller.signal,
      configuration: configuration('[local_backup]\nENABLE_VERIFICATION=false\nAUTO_PRUNE=false\n'),
      runtime: {
        identity: () => Promise.resolve(ok({ id: 'engine', version: '28' })),
        ready: () => Promise.resolve(ok(undefined)),
        inspect: (directories) => Promise.resolve(ok(directories.map(stateFor))),
        preflight: (state) => (note(`plan ${nameOf(state)}`), Promise.resolve(ok({ model: ok(undefined), missingImages: [], whyNotDown: [], wouldLose: [] }))),
        sources: (state) => Promise.resolve(ok([source(state.directory)])),
        describe: () => Promise.resolve(ok({ schemaVersion: 1, notes: [] } as unknown as Capsule)),
        watch: () => Promise.resolve(ok({ report: () => ({ isLossy: false, firstStopAt: 1, lastStartAt: 2, readyAt: 3, ended: [], starts: [] }), close: () => Promise.resolve() })),
        stop: (state) => (note(`stop ${nameOf(state)}`), Promise.resolve(ok({ ended: [], stillRunning: [] }))),
        start: async (state) => {
          note(`start ${nameOf(state)}`)
          // Whatever else goes on meanwhile has its turn, and Node its look for errors that nobody caught.
          for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
          return ok(undefined)
        },
        waitUntilUp: (state) => (note(`up ${nameOf(state)}`), Promise.resolve(ok({ isUp: true, missing: [], completed: [] }))),
        ...runtime,
      },
      engine: {
        ready: () => Promise.resolve(ok(undefined)),
        location: () => ({ display: at('repository'), path: at('repository') }),
        open: () => Promise.resolve(ok({ id: 'repository', location: at('repository'), path: at('repository') })),
        snapshots: () => Promise.resolve(ok([])),
        removeStaleLocks: () => Promise.resolve(ok({ removed: 0, held: [] })),
        prepare: ({ tags }) => {
          const name = tags.find((tag) => tag.startsWith('stack:'))?.slice('stack:'.length) ?? '?'
          return {
            ready: Promise.resolve(ok(undefined)),
            take: () => (note(`take ${name}`), Promise.resolve(ok({ id: `snapshot-of-${name}`, isComplete: true, unreadable: [], bytesAdded: 1, bytesProcessed: 2, filesNew: 5, filesChanged: 0, filesUnmodified: 0 }))),
            abandon: () => (note(`abandon ${name}`), Promise.resolve()),
          }
        },
        tag: () => Promise.resolve(ok({ id: 'tagged' })),
        ...engine,
      },
    })
  }
  const choices = { names: [], verify: false, prune: false, acceptShrink: false }

  it('says in a dry run which paths it would read, what it would leave out, and how large the last snapshot is', async () => {
    const [folder, data] = [at('stacks/one'), write('data/file')]
    const last = snapshotOf('last', { tags: ['stackbk', 'stack:one'], host: 'host', bytes: 2048, files: 3 })
    const run = runWith({ sources: (state) => Promise.resolve(ok(nameOf(state) === 'one' ? [source(folder), source(data, { kind: 'model-file' })] : [source(state.directory)])) }, { snapshots: () => Promise.resolve(ok([last])), excludeFilter: () => () => false })
    const settings = configuration('[local_backup]\nHOSTNAME=host\n[stack:one]\nEXCLUDE=*.tmp,cache\n')
    const { result, exitCode } = await backup({ ...run, dryRun: true, configuration: settings }, choices)
    expect([exitCode, happened.filter((what) => !what.startsWith('plan'))]).toEqual([0, []])
    expect(result.stacks.map(({ preview }) => preview)).toEqual([
      { freezer: null, paths: [data, folder], excludes: ['*.tmp', 'cache'], excludedPaths: [], lastSnapshot: { id: 'last', time: last.time, bytes: 2048, files: 3 } },
      { freezer: null, paths: [at('stacks/two')], excludes: [], excludedPaths: [], lastSnapshot: null },
    ])
    expect((await backup(runWith(), choices)).result.stacks.map((stack) => 'preview' in stack)).toEqual([false, false])
  })

  it('takes one after another, and plans the next while one starts', async () => {
    const { result, exitCode } = await backup(runWith(), choices)
    expect(happened).toEqual(['plan one', 'stop one', 'take one', 'start one', 'plan two', 'up one', 'stop two', 'take two', 'start two', 'up two'])
    expect(result.stacks).toMatchObject([
      { name: 'one', status: 'ok', stopMode: 'down', quiet: true, downtimeMs: 1, readyMs: 2, snapshot: { id: 'snapshot-of-one' } },
      { name: 'two', status: 'ok', snapshot: { id: 'snapshot-of-two' } },
    ])
    expect({ status: result.status, exitCode }).toEqual({ status: 'ok', exitCode: 0 })
  })

  it('names the last good snapshot of this very host and stack as the parent, and none where there is none', async () => {
    const parents = new Map<string, string | null>()
    const prepare: Engine['prepare'] = ({ tags, parent }) => {
      parents.set(tags.at(-1) ?? '', parent)
      return { ready: Promise.resolve(failure('repository-locked')), take: () => Promise.reject(new Error('taken')), abandon: () => Promise.resolve() }
    }
    const one = ['stackbk', 'stack:one']
    const snapshots = [
      snapshotOf('older', { tags: one }),
      snapshotOf('good', { tags: one }),
      ...['live', 'partial', 'shrunk'].map((mark) => snapshotOf(mark, { tags: [...one, mark] })),
      snapshotOf('elsewhere', { tags: one, host: 'another' }),
      snapshotOf('by hand', { tags: ['stack:one'] }),
      snapshotOf('other stack', { tags: ['stackbk', 'stack:one more'] }),
    ]
    await backup(runWith({}, { prepare, snapshots: () => Promise.resolve(ok(snapshots)) }), choices)
    expect([...parents]).toEqual([['stack:one', 'good'], ['stack:two', null]])
  })

  it('reads a frozen copy with the stack running again, keeps the repository until that is open, and releases the copy', async () => {
    const requests: SnapshotRequest[] = []
    const bindMounts = [{ source: '/copy', target: at('stacks/one') }]
    const run: TestRun = {
      ...runWith({}, {
        prepare: (request) => {
          const which = request.bindMounts === undefined ? 'stack' : 'copy'
          requests.push(request)
          happened.push(`open ${which}`)
          return {
            ready: Promise.resolve(ok(undefined)),
            take: () => (happened.push(`take ${which}`), Promise.resolve(ok({ id: `of the ${which}`, isComplete: true, unreadable: [], bytesAdded: 1, bytesProcessed: 2, filesNew: 5, filesChanged: 0, filesUnmodified: 0 }))),
            abandon: () => (happened.push(`abandon ${which}`), Promise.resolve()),
          }
        },
      }),
      freezerIds: () => ['one'],
      freezer: () =>
        Promise.resolve({
          keepsChangeTimes: true,
          canFreeze: () => Promise.resolve(ok(undefined)),
          freeze: () => (happened.push('freeze'), Promise.resolve(ok({ id: 'copy', bindMounts }))),
          release: () => (happened.push('release'), Promise.resolve(ok(undefined))),
        } as unknown as Freezer),
    }
    const { result, exitCode } = await backup(run, { ...choices, names: ['one'] })
    expect(happened).toEqual(['plan one', 'open stack', 'stop one', 'freeze', 'start one', 'up one', 'open copy', 'abandon stack', 'take copy', 'release'])
    expect(result.stacks).toMatchObject([{ name: 'one', status: 'ok', frozenBy: 'one', warmPass: false, quiet: true, snapshot: { id: 'of the copy' } }])
    expect(exitCode).toBe(0)
    const [first, second] = requests
    expect(second).toEqual({ ...first, bindMounts })
    expect(first?.excludes).toEqual(['.stackbk-frozen', '.stackbk-recover-*'])
  })

  it('releases a frozen copy also where an engine that throws cannot read it, which costs no other stack its backup', async () => {
    const run: TestRun = {
      ...runWith({}, {
        prepare: ({ bindMounts }) => ({
          ready: Promise.resolve(ok(undefined)),
          take: () => (bindMounts === undefined ? Promise.resolve(ok({ id: 'of the stack', isComplete: true, unreadable: [], bytesAdded: 1, bytesProcessed: 2, filesNew: 5, filesChanged: 0, filesUnmodified: 0 })) : Promise.reject(new Error('boom'))),
          abandon: () => Promise.resolve(),
        }),
      }),
      freezerIds: () => ['one'],
      freezer: () =>
        Promise.resolve({
          keepsChangeTimes: true,
          canFreeze: ([path]: string[]) => Promise.resolve(path === at('stacks/one') ? ok(undefined) : failure('unsupported')),
          freeze: () => Promise.resolve(ok({ id: 'copy', bindMounts: [] })),
          release: () => (happened.push('release'), Promise.resolve(ok(undefined))),
        } as unknown as Freezer),
    }
    const { result, exitCode } = await backup(run, choices)
    expect(happened).toContain('release')
    expect(result.stacks).toMatchObject([{ name: 'one', status: 'failed', snapshot: null, problems: [{ code: 'broken-off', message: expect.stringContaining('boom') as string }] }, { name: 'two', status: 'ok', snapshot: { id: 'of the stack' } }])
    expect(exitCode).toBe(3)
    expect(run.journal.isEmpty()).toBe(true)
  })

  it('has a snapshot, marked, also where the listening to the engine ends in an error', async () => {
    const { result } = await backup(runWith({ watch: () => Promise.reject(new Error('boom')) }), { ...choices, names: ['one'] })
    expect(happened).toEqual(['plan one', 'stop one', 'take one', 'start one', 'up one'])
    expect(result.stacks).toMatchObject([{ name: 'one', status: 'partial', quiet: false, snapshot: { id: 'tagged' } }])
  })

  it('says of a snapshot that came about after it was given up that it is not quiet', async () => {
    const run: TestRun = {
      ...runWith({}, {
        prepare: () => {
          let end = (): void => {}
          const ended = new Promise<void>((resolve) => (end = resolve))
          return {
            ready: Promise.resolve(ok(undefined)),
            take: async () => (await ended, ok({ id: 'late', isComplete: true, unreadable: [], bytesAdded: 1, bytesProcessed: 2, filesNew: 5, filesChanged: 0, filesUnmodified: 0 })),
            abandon: () => (end(), Promise.resolve()),
          }
        },
      }),
      configuration: configuration('ENABLE_VERIFICATION=false\nAUTO_PRUNE=false\n[docker]\nMAX_DOWNTIME=1s\n'),
    }
    const { result } = await backup(run, { ...choices, names: ['one'] })
    expect(result.stacks).toMatchObject([{ name: 'one', status: 'partial', quiet: false, snapshot: { id: 'tagged' }, problems: [{ code: 'max-downtime' }] }])
  })

  it('tells nobody of anything while a stack is down', async () => {
    const sent: string[] = []
    const hooks = { plugins: new Map([['listener', { name: 'listener', hooks: { 'stackbk:event': [] } }]]), runHook: (_: string, { event }: { event: { event: string } }) => (sent.push(event.event), Promise.resolve({ successes: [], failures: [] })) }
    const run: TestRun = {
      ...runWith({
        stop: async () => {
          await run.events.deliver()
          expect(sent).toEqual([])
          return ok({ ended: [], stillRunning: [] })
        },
      }),
      events: new EventQueue(hooks as unknown as ConstructorParameters<typeof EventQueue>[0], { id: 'run-1', command: 'backup', dryRun: false }, () => {}),
    }
    await backup(run, { ...choices, names: ['one'] })
    await run.events.deliver()
    expect(sent).toEqual(['stack-stopped', 'stack-started', 'stack-finished'])
  })

  it('brings a stack up to the end when planning the next one meanwhile ends in an error, which costs that one its backup only', async () => {
    const run = runWith({
      preflight: (state) => (nameOf(state) === 'two' ? Promise.reject(new Error('boom')) : Promise.resolve(ok({ model: ok(undefined), missingImages: [], whyNotDown: [], wouldLose: [] }))),
    })
    // An error that nobody catches while the first one starts would end the process; it would fail this test as well.
    const { result, exitCode } = await backup(run, choices)
    expect(result.stacks).toMatchObject([{ name: 'one', status: 'ok' }, { name: 'two', status: 'failed', snapshot: null, problems: [{ code: 'not-planned' }] }])
    expect(exitCode).toBe(3)
    expect(happened).toEqual(['stop one', 'take one', 'start one', 'up one'])
    expect(run.journal.isEmpty()).toBe(true)
  })

  it('stops nothing of a stack for which nothing can be noted, and goes on with the next', async () => {
    // The disk becomes full once the run has begun.
    const full = (): void => {
      mkdirSync(at('state/journal'), { recursive: true })
      symlinkSync('/dev/full', at(`state/journal/${stackKey(stackAt('one'))}.json.new`))
    }
    const run = runWith({ preflight: (state) => (happened.push(`plan ${nameOf(state)}`), nameOf(state) === 'one' && full(), Promise.resolve(ok({ model: ok(undefined), missingImages: [], whyNotDown: [], wouldLose: [] }))) })
    const { result, exitCode } = await backup(run, choices)
    expect(happened.filter((act) => act.endsWith(' one'))).toEqual(['plan one', 'abandon one'])
    expect(result.stacks).toMatchObject([{ name: 'one', status: 'failed', snapshot: null, problems: [{ code: 'journal-not-written' }] }, { name: 'two', status: 'ok' }])
    expect({ status: result.status, exitCode }).toEqual({ status: 'partial', exitCode: 3 })
  })

  it('is partial where the snapshot lacks the capsule, also of a stack that does not run', async () => {
    write('state/capsules')
    const run = runWith({ inspect: (directories) => Promise.resolve(ok(directories.map((directory) => stateOf([container('app', { condition: nameOf(stateFor(directory)) === 'one' ? 'exited' : 'running' })], { directory })))) })
    const { result, exitCode } = await backup(run, choices)
    expect(exitCode).toBe(3)
    const problem = { severity: 'error', code: 'capsule-not-written', fix: expect.stringContaining(at('state')) as string }
    expect(result.stacks).toMatchObject([{ name: 'one', status: 'partial', problems: [problem] }, { name: 'two', status: 'partial', problems: [problem] }])
    expect(result.stacks.map(({ snapshot }) => snapshot?.id)).toEqual(['tagged', 'tagged'])
  })

  it('touches nothing where the state folder cannot be written, and says so', async () => {
    write('state', 'a file')
    await expect(backup(runWith(), choices)).rejects.toMatchObject({ kind: 'failed', code: 'state-not-writable', fix: expect.stringContaining('STACKBK_STATE_DIR') as string })
    expect(happened).toEqual([])
  })

  it('begins no further stack after a signal, and starts the one that is down', async () => {
    const run = runWith({
      stop: (state) => {
        happened.push(`stop ${nameOf(state)}`)
        controller.abort()
        return Promise.resolve(failure('cancelled'))
      },
    })
    const { result } = await backup(run, choices)
    expect(happened).toEqual(['plan one', 'stop one', 'abandon one', 'start one', 'up one'])
    expect(result.stacks.map(({ name, status }) => [name, status])).toEqual([['one', 'failed'], ['two', 'skipped']])
    expect(run.journal.isEmpty()).toBe(true)
  })

  it('touches nothing when the repository does not open', async () => {
    const run = runWith({}, { open: () => Promise.resolve(failure('wrong-password')) })
    await expect(backup(run, choices)).rejects.toMatchObject({ kind: 'wrong-password' })
    expect(happened).toEqual([])
  })

  it('stops nothing when the repository does not open for the snapshot itself', async () => {
    const prepare: Engine['prepare'] = () => ({ ready: Promise.resolve(failure('repository-locked')), take: () => Promise.reject(new Error('taken')), abandon: () => Promise.resolve() })
    const { result, exitCode } = await backup(runWith({}, { prepare }), choices)
    expect(happened).toEqual(['plan one', 'plan two'])
    expect(result.stacks).toMatchObject([{ status: 'failed', problems: [{ code: 'repository-locked' }] }, { status: 'failed' }])
    expect(exitCode).toBe(11)
  })

  it('plans a stack again when a container of elsewhere has come to share its network since', async () => {
    let looks = 0
    const guest = container('guest', { id: 'guest-1', networkMode: 'container:app-1' })
    const run = runWith({ inspect: (directories) => Promise.resolve(ok(directories.map((directory) => ({ ...stateOf([container('app', { id: 'app-1' })], { directory }), dependents: ++looks < 3 ? [] : [guest] })))) })
    write('dirlist', 'one=true\n')
    const { exitCode } = await backup(run, choices)
    expect(exitCode).toBe(0)
    expect(happened.filter((step) => step === 'plan one')).toHaveLength(2)
  })

  it('stops nothing when the stack changed, was planned again, and the repository does not open any more', async () => {
    let looks = 0
    let prepared = 0
    const run = runWith(
      { inspect: (directories) => Promise.resolve(ok(directories.map((directory) => stateOf([container('app', { id: `app-${Math.min(3, ++looks)}` })], { directory })))) },
      { prepare: () => ({ ready: Promise.resolve(prepared++ === 0 ? ok(undefined) : failure('repository-locked')), take: () => Promise.reject(new Error('taken')), abandon: () => Promise.resolve() }) },
    )
    write('dirlist', 'one=true\n')
    const { result } = await backup(run, choices)
    expect(happened).toEqual(['plan one', 'plan one'])
    expect(result.stacks).toMatchObject([{ status: 'failed', snapshot: null, problems: [{ code: 'repository-locked' }] }])
  })

  it('plans again a stack that was down and that somebody has started meanwhile', async () => {
    let looks = 0
    write('dirlist', 'one=true\n')
    const run = runWith({ inspect: (directories) => Promise.resolve(ok(directories.map((directory) => (++looks <= 2 ? { ...stateFor(directory), condition: 'stopped' } : stateFor(directory))))) })
    const { result } = await backup(run, choices)
    expect(happened).toEqual(['plan one', 'abandon one', 'plan one', 'stop one', 'take one', 'start one', 'up one'])
    expect(result.stacks).toMatchObject([{ status: 'ok', stateBefore: 'running', quiet: true }])
  })

  it('plans again a stack whose compose file was edited after the plan: a backup applies no edit', async () => {
    write('dirlist', 'one=true\n')
    const file = at('stacks/one/compose.yaml')
    let edits = 0
    const withFile = (directory: string): StackState => ({ ...stateFor(directory), projects: stateFor(directory).projects.map((project) => ({ ...project, configFiles: [file] })) })
    const run = runWith({
      inspect: (directories) => Promise.resolve(ok(directories.map(withFile))),
      describe: () => (edits++ === 0 && write('stacks/one/compose.yaml', 'services: {edited: {}}\n'), Promise.resolve(ok({ schemaVersion: 1, notes: [] } as unknown as Capsule))),
    })
    await backup(run, choices)
    expect(happened.filter((act) => act.startsWith('plan'))).toHaveLength(2)
  })

  it('marks the snapshot of a stack that does not run and was started by somebody while it was read', async () => {
    write('dirlist', 'one=true\n')
    const starts: { at: number; container: string; isOfStack: boolean }[] = []
    const run = runWith(
      {
        inspect: (directories) => Promise.resolve(ok(directories.map((directory) => ({ ...stateFor(directory), condition: 'stopped' })))),
        watch: () => Promise.resolve(ok({ report: () => ({ isLossy: false, firstStopAt: null, lastStartAt: null, readyAt: null, ended: [], starts }), close: () => Promise.resolve() })),
      },
      {
        prepare: () => ({
          ready: Promise.resolve(ok(undefined)),
          take: async () => {
            for (const begun = Date.now(); Date.now() <= begun + 1; ) await new Promise((resolve) => setImmediate(resolve))
            starts.push({ at: Date.now(), container: 'web-app-1', isOfStack: true })
            for (const begun = Date.now(); Date.now() <= begun + 1; ) await new Promise((resolve) => setImmediate(resolve))
            return ok({ id: 'snapshot', isComplete: true, unreadable: [], bytesAdded: 1, bytesProcessed: 2, filesNew: 5, filesChanged: 0, filesUnmodified: 0 })
          },
          abandon: () => Promise.resolve(),
        }),
      },
    )
    const { result, exitCode } = await backup(run, choices)
    expect(result.stacks).toMatchObject([{ status: 'partial', quiet: false, problems: [{ code: 'not-quiet' }] }])
    expect(exitCode).toBe(3)
  })

  it('is partial when a stack was stopped whose places could not all be told', async () => {
    write('dirlist', 'one=true\n')
    const { result } = await backup(runWith({ sources: () => Promise.resolve(failure('failed')) }), choices)
    expect(result.stacks).toMatchObject([{ status: 'partial', stopMode: 'down', problems: [{ code: 'sources-unknown' }] }])
  })

  it('starts what was not up after its backup once more when all others are up, before it is reported', async () => {
    let looks = 0
    const upOf = (name: string, isUp: boolean): Answer<UpReport> => ok({ isUp: name !== 'one' || isUp, missing: [{ service: 'app', reason: 'its port is taken' }].slice(0, name !== 'one' || isUp ? 0 : 1), completed: [] })
    const run = runWith({ waitUntilUp: (state) => Promise.resolve(upOf(nameOf(state), nameOf(state) !== 'one' || (looks += 1) > 1)) })
    const { result } = await backup(run, choices)
    expect(happened.filter((act) => act.startsWith('start'))).toEqual(['start one', 'start two', 'start one'])
    expect(result.stacks).toMatchObject([{ name: 'one', status: 'ok', snapshot: { id: 'snapshot-of-one' }, problems: [{ severity: 'warning', code: 'started-late', message: expect.stringContaining('its port is taken') }] }, { name: 'two', status: 'ok' }])
    expect(run.journal.entries()).toEqual([])

    happened = []
    const never = runWith({ waitUntilUp: (state) => Promise.resolve(upOf(nameOf(state), false)) })
    expect((await backup(never, choices)).result.stacks).toMatchObject([{ name: 'one', status: 'failed', problems: [{ severity: 'error', code: 'not-up' }] }, { status: 'ok' }])
    expect(happened.filter((act) => act === 'start one')).toHaveLength(2)
    expect(never.journal.entries().map(({ name }) => name)).toEqual(['one'])
  })

  it('leaves a stack alone that an interrupted run left stopped and nobody could start', async () => {
    const first = runWith({ waitUntilUp: (state) => Promise.resolve(ok({ isUp: nameOf(state) !== 'one', missing: [{ service: 'app', reason: 'it ended' }], completed: [] })) })
    await backup(first, choices)
    expect(first.journal.entries().map(({ name }) => name)).toEqual(['one'])
    happened = []
    const down = (directory: string): StackState => ({ ...stateFor(directory), condition: 'not-found', projects: [] })
    const second = runWith({
      inspect: (directories) => Promise.resolve(ok(directories.map((directory) => (directory.endsWith('one') ? down(directory) : stateFor(directory))))),
      waitUntilSettled: () => Promise.resolve(ok(undefined)),
      waitUntilUp: (state) => Promise.resolve(nameOf(state) === 'one' ? failure() : ok({ isUp: true, missing: [], completed: [] })),
    })
    const { result } = await backup(second, choices)
    expect(happened.filter((act) => act.endsWith(' one'))).toEqual(['plan one', 'start one', 'plan one', 'start one'])
    expect(result.stacks).toMatchObject([{ name: 'one', status: 'failed', snapshot: null, problems: [{ code: 'left-stopped' }] }, { name: 'two', status: 'ok' }])
    expect(second.journal.entries().map(({ name }) => name)).toEqual(['one'])
  })

  describe('a verification', () => {
    /** The IDs of each call. */
    let asked: string[][] = []
    beforeEach(() => {
      asked = []
    })

    /** A night whose snapshot has this ID, in a repository that has those already. */
    function night(id: string, before: readonly string[], verify: (ids: readonly string[]) => ReturnType<Engine['verify']>): ReturnType<typeof backup> {
      const engine: Partial<Engine> = {
        snapshots: () => Promise.resolve(ok(before.map((one) => snapshotOf(one, { tags: ['stackbk', 'stack:one'] })))),
        prepare: () => ({ ready: Promise.resolve(ok(undefined)), take: () => Promise.resolve(ok({ id, isComplete: true, unreadable: [], bytesAdded: 1, bytesProcessed: 2, filesNew: 5, filesChanged: 0, filesUnmodified: 0 })), abandon: () => Promise.resolve() }),
        verify: (requests) => {
          const ids = requests.map((request) => request.id)
          asked.push(ids)
          return verify(ids)
        },
      }
      return backup({ ...runWith({}, engine), configuration: configuration('[local_backup]\nENABLE_VERIFICATION=true\nAUTO_PRUNE=false\n') }, { ...choices, names: ['one'], verify: true })
    }
    const sound = (ids: readonly string[]): ReturnType<Engine['verify']> => Promise.resolve(ok(ids.map((id) => ({ id, isSound: true, reason: '' }))))

    it.each([
      ['could not be made', () => Promise.resolve(failure('repository-locked'))],
      ['ended in an error of the engine', () => Promise.reject(new Error('an error of its own'))],
    ])('that %s makes the backup partial, with exit code 3, and is made up for by the next one', async (_, verify) => {
      const first = await night('first', [], verify)
      expect([first.exitCode, first.result.status, first.result.stacks]).toMatchObject([3, 'partial', [{ name: 'one', status: 'partial', verification: 'unknown', problems: [{ code: 'verification-not-made' }] }]])
      asked = []
      const second = await night('second', ['first'], sound)
      expect([second.exitCode, asked]).toEqual([0, [['second'], ['first']]])
      asked = []
      await night('third', ['first', 'second'], sound)
      expect(asked).toEqual([['third']])
    })

    it('is noted as owed before it begins, so that the next backup makes up for it after a kill', async () => {
      const owed = (): readonly string[] => (recallStack(at('state/stacks'), stackKey(stackAt('one')))?.unverified ?? []).map(({ id }) => id)
      const seen: (readonly string[])[] = []
      await night('first', [], (ids) => (seen.push(owed()), sound(ids)))
      expect([seen, owed()]).toEqual([[['first']], []])
    })
  })
})
