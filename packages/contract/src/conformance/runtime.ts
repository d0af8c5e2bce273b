import type { Runtime, StackState, StopMode } from '../runtime.js'
import { valueOf } from './answers.js'
import { expectEqual, expectThat } from './expectations.js'
import { recoveryTests } from './runtime-recovery.js'
import type { StackForTest } from './stack-for-test.js'
import type { ConformanceTest } from './suite.js'

export type { StackForTest }

export interface RuntimeForTest {
  /** Fresh: nothing was asked of it yet. */
  readonly runtime: Runtime
  readonly makeStack: () => Promise<StackForTest>
}

const all = ['db', 'extra', 'web']
const graceSeconds = 5
const limitMs = 60_000

/** What every runtime must do, with real containers. Each test has a runtime and a stack of its own. */
export function runtimeSuite(make: () => Promise<RuntimeForTest>): ConformanceTest[] {
  const withStack = (work: (runtime: Runtime, stack: StackForTest, make: () => Promise<StackForTest>) => Promise<void>) => async (): Promise<void> => {
    const { runtime, makeStack } = await make()
    const stacks: StackForTest[] = []
    const another = async (): Promise<StackForTest> => {
      const stack = await makeStack()
      stacks.push(stack)
      return stack
    }
    try {
      await work(runtime, await another(), another)
    } finally {
      await runtime.close()
      for (const stack of stacks) await stack.remove()
    }
  }

  return [
    {
      name: 'it is ready, and names the same engine each time',
      run: withStack(async (runtime) => {
        valueOf(await runtime.ready())
        const findings = await runtime.examine()
        expectThat('examine() gives findings, and none of them has failed', findings.length > 0 && findings.every((finding) => finding.status !== 'failed'))
        const identity = valueOf(await runtime.identity())
        expectThat('the ID of the engine is not empty', identity.id !== '')
        expectEqual('the identity, asked a second time', valueOf(await runtime.identity()), identity)
      }),
    },
    {
      name: 'a stack without containers is not found, and a running one is running, in the order asked for',
      run: withStack(async (runtime, stack, another) => {
        const other = await another()
        await stack.up()
        const states = valueOf(await runtime.inspect([other.directory, stack.directory]))
        expectEqual('folder and condition of two stacks, in the order that was asked for', states.map((state) => [state.directory, state.condition]), [[other.directory, 'not-found'], [stack.directory, 'running']])
      }),
    },
    {
      name: 'the state of a stack survives the journal',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        expectEqual('the state of a stack after it went through the journal, which is JSON', throughJournal(state), state)
        expectEqual('the services in the state of a running stack', servicesOf(state), all)
      }),
    },
    ...(['stop', 'down'] as const).map((mode) => ({
      name: `mode ${mode} stops all that runs, and a start from the journal brings all of it back`,
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        const since = new Date()
        const evidence = valueOf(await runtime.stop(state, { mode, graceSeconds }))
        expectEqual('what still runs after a stop', evidence.stillRunning, [])
        expectEqual('the services that ended by a stop, and whether they were killed', evidence.ended.map((end) => [end.service, end.wasKilled]).sort(), all.map((service) => [service, false]))
        expectEqual('the services that run after a stop', await stack.running(), [])
        const stopped = await look(runtime, stack)
        expectEqual(`the condition after a stop with the mode ${mode}`, stopped.condition, mode === 'down' ? 'not-found' : 'stopped')
        await startAndConfirm(runtime, throughJournal(state), mode, since)
        expectEqual('the services that run after a start', await stack.running(), all)
      }),
    })),
    ...(['pause', 'none'] as const).map((mode) => ({
      name: `mode ${mode} ends nothing, and the start after it keeps the same containers`,
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        const since = new Date()
        const evidence = valueOf(await runtime.stop(state, { mode, graceSeconds }))
        expectEqual(`what a stop with the mode ${mode} has ended`, evidence, { ended: [], stillRunning: [] })
        const conditions = new Set((await look(runtime, stack)).projects.flatMap((project) => project.containers).map((container) => container.condition))
        expectEqual(`the conditions of the containers after a stop with the mode ${mode}`, [...conditions], [mode === 'pause' ? 'paused' : 'running'])
        await startAndConfirm(runtime, state, mode, since)
        expectEqual('the processes after a start, which are those of before', processesOf(await look(runtime, stack)), processesOf(state))
      }),
    })),
    {
      name: 'a service that the user had stopped stays stopped',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        await stack.stopService('extra')
        const state = await look(runtime, stack)
        expectEqual('the condition of a stack of which a service is stopped', state.condition, 'running')
        const since = new Date()
        valueOf(await runtime.stop(state, { mode: 'stop', graceSeconds }))
        await startAndConfirm(runtime, state, 'stop', since)
        expectEqual('the services that run after a start: what was stopped before stays stopped', await stack.running(), ['db', 'web'])
      }),
    },
    {
      name: 'a start of what already runs changes nothing',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        valueOf(await runtime.start(state, { mode: 'stop', healthTimeoutMs: limitMs }))
        expectEqual('the processes after a start of what runs already, which are those of before', processesOf(await look(runtime, stack)), processesOf(state))
      }),
    },
    {
      name: 'a start brings back what a half-done stop took away',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        const since = new Date()
        await stack.stopService('web')
        await startAndConfirm(runtime, throughJournal(state), 'down', since)
        expectEqual('the services that run after a start of what runs in part', await stack.running(), all)
      }),
    },
    {
      name: 'a cancelled stop says so, and the start after it brings all back',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        const since = new Date()
        const cancelled = await runtime.stop(state, { mode: 'stop', graceSeconds, signal: AbortSignal.abort() })
        expectThat('stop() fails with the kind cancelled when its signal is aborted', !cancelled.ok && cancelled.failure.kind === 'cancelled')
        await startAndConfirm(runtime, state, 'stop', since)
        expectEqual('the services that run after a start whose stop was cancelled', await stack.running(), all)
      }),
    },
    {
      name: 'a service that was not started is named as missing',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        const since = new Date()
        await stack.stopService('extra')
        const report = valueOf(await runtime.waitUntilUp(state, { since, timeoutMs: 2_000 }))
        expectEqual('whether a stack is up of which a service does not run', report.isUp, false)
        expectEqual('the services that waitUntilUp() misses', report.missing.map((missing) => missing.service), ['extra'])
      }),
    },
    {
      name: 'a model that does not resolve shows before the stop, and does not make the stack a stopped one',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        await stack.breakModel()
        const state = await look(runtime, stack)
        expectEqual('the condition of a stack whose model does not resolve', state.condition, 'running')
        const preflight = valueOf(await runtime.preflight(state))
        expectThat('preflight() gives the failure of the model with a message', !preflight.model.ok && preflight.model.failure.message !== '')
        valueOf(await runtime.sources(state))
        valueOf(await runtime.describe(state))
      }),
    },
    {
      name: 'a plain stack has nothing against it: it may be taken down',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const preflight = valueOf(await runtime.preflight(await look(runtime, stack)))
        expectEqual('the preflight of a stack that can be stopped and started', preflight, { model: { ok: true, value: undefined }, missingImages: [], whyNotDown: [], wouldLose: [] })
      }),
    },
    {
      name: 'the sources are the folder first, then the volume, each path once',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const sources = valueOf(await runtime.sources(await look(runtime, stack)))
        expectEqual('the path of the first source, which is the folder of the stack', sources[0]?.path, stack.directory)
        expectEqual('how many different paths the sources have', new Set(sources.map((source) => source.path)).size, sources.length)
        const volume = sources.find((source) => source.kind === 'named-volume')
        expectThat('the volume is a source that can be read, is writable and has a device', volume !== undefined && volume.canBeRead && volume.isWritable && volume.device !== null)
        expectEqual('services and other users of the volume', [volume.services, volume.otherUsers], [['db'], []])
      }),
    },
    {
      name: 'who writes to a volume is found by its name, but for those that are excepted, and no one writes to what is not there',
      run: withStack(async (runtime, stack) => {
        if (runtime.writersAt === undefined) return
        await stack.up()
        const state = await look(runtime, stack)
        const volume = valueOf(await runtime.sources(state)).find((source) => source.kind === 'named-volume')
        const places = [{ path: '', volume: volume?.volume ?? '' }, { path: `${stack.directory}/not-there`, volume: '' }]
        const db = state.projects.flatMap((project) => project.containers).filter((container) => container.service === 'db')
        const writers = valueOf(await runtime.writersAt(places, { except: [] }))
        expectEqual('where the volume is, and who can write to it and to a path that is not there', writers.map(({ path, usersInside }) => [path, usersInside]), [[volume?.path, db.map(({ name }) => name)], [places[1]?.path, []]])
        const others = valueOf(await runtime.writersAt(places, { except: db.map(({ id }) => id) }))
        expectEqual('who can write there but for the container that was excepted', others.map(({ otherUsers }) => otherUsers), [[], []])
      }),
    },
    {
      name: 'a watch hears how each container ended, and when the last one was back',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        const watch = valueOf(await runtime.watch(state))
        const since = new Date()
        valueOf(await runtime.stop(state, { mode: 'stop', graceSeconds }))
        await startAndConfirm(runtime, state, 'stop', since)
        const report = watch.report()
        await watch.close()
        expectEqual('whether the watch has lost events', report.isLossy, false)
        expectEqual('the services that the watch saw end', report.ended.map((end) => end.service).sort(), all)
        expectEqual('whether the starts that the watch saw are of the stack', report.starts.map((start) => start.isOfStack), [true, true, true])
        expectThat('the watch gives the times of the first stop, of the last start and of readiness', report.firstStopAt !== null && report.lastStartAt !== null && report.readyAt !== null)
        expectThat('the times of the watch are in order: since, first stop, last start and readiness', since.getTime() <= report.firstStopAt && report.firstStopAt < report.lastStartAt && report.firstStopAt < report.readyAt)
      }),
    },
    {
      name: 'the capsule tells what ran, of which images, with which volumes',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        await stack.stopService('extra')
        const capsule = valueOf(await runtime.describe(await look(runtime, stack)))
        expectEqual('the capsule after it went through JSON', JSON.parse(JSON.stringify(capsule)), capsule)
        const [project] = capsule.projects
        expectThat('the capsule has a project', project !== undefined)
        expectEqual('the replicas in the capsule', project.replicas, { db: 1, web: 1 })
        expectEqual('the stopped services in the capsule', project.stoppedServices, ['extra'])
        expectEqual('the services with an image in the capsule', project.images.map((image) => image.service).sort(), all)
        expectThat('each image in the capsule has an ID and a reference', project.images.every((image) => image.id !== '' && image.reference !== ''))
        expectEqual('how many volumes are in the capsule', project.volumes.length, 1)
      }),
    },
    {
      name: 'nothing is removed by a label that nothing carries',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        expectEqual('what removeByLabel() removes for a label that nothing has', valueOf(await runtime.removeByLabel('no-such-rehearsal')), { removed: 0 })
        expectEqual('the services that run after a removal by a label that nothing has', await stack.running(), all)
      }),
    },
    ...recoveryTests.map(({ name, run }) => ({ name, run: withStack(run) })),
  ]
}

async function look(runtime: Runtime, stack: StackForTest): Promise<StackState> {
  const [state] = valueOf(await runtime.inspect([stack.directory]))
  expectThat('inspect() gives the state of the stack', state !== undefined)
  return state
}

function throughJournal(state: StackState): StackState {
  return JSON.parse(JSON.stringify(state)) as StackState
}

async function startAndConfirm(runtime: Runtime, state: StackState, mode: StopMode, since: Date): Promise<void> {
  valueOf(await runtime.waitUntilSettled(state, { timeoutMs: limitMs }))
  valueOf(await runtime.start(state, { mode, healthTimeoutMs: limitMs }))
  expectEqual('the report of waitUntilUp() for a stack that is up', valueOf(await runtime.waitUntilUp(state, { since, timeoutMs: limitMs })), { isUp: true, missing: [], completed: [] })
}

function servicesOf(state: StackState): string[] {
  return state.projects.flatMap((project) => project.containers).map((container) => container.service).sort()
}

/** Each container with the start of its process: the same if nothing was interrupted. */
function processesOf(state: StackState): unknown[] {
  return state.projects.flatMap((project) => project.containers).map((container) => [container.id, container.startedAt, container.condition])
}
