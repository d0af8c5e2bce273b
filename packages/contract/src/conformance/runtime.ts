import assert from 'node:assert/strict'

import type { Runtime, StackState, StopMode } from '../runtime.js'
import { valueOf } from './answers.js'
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
        assert.ok(findings.length > 0 && findings.every((finding) => finding.status !== 'failed'))
        const identity = valueOf(await runtime.identity())
        assert.notEqual(identity.id, '')
        assert.deepEqual(valueOf(await runtime.identity()), identity)
      }),
    },
    {
      name: 'a stack without containers is not found, and a running one is running, in the order asked for',
      run: withStack(async (runtime, stack, another) => {
        const other = await another()
        await stack.up()
        const states = valueOf(await runtime.inspect([other.directory, stack.directory]))
        assert.deepEqual(states.map((state) => [state.directory, state.condition]), [[other.directory, 'not-found'], [stack.directory, 'running']])
      }),
    },
    {
      name: 'the state of a stack survives the journal',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        assert.deepEqual(throughJournal(state), state)
        assert.deepEqual(servicesOf(state), all)
      }),
    },
    ...(['stop', 'down'] as const).map((mode) => ({
      name: `mode ${mode} stops all that runs, and a start from the journal brings all of it back`,
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        const since = new Date()
        const evidence = valueOf(await runtime.stop(state, { mode, graceSeconds }))
        assert.deepEqual(evidence.stillRunning, [])
        assert.deepEqual(evidence.ended.map((end) => [end.service, end.wasKilled]).sort(), all.map((service) => [service, false]))
        assert.deepEqual(await stack.running(), [])
        const stopped = await look(runtime, stack)
        assert.equal(stopped.condition, mode === 'down' ? 'not-found' : 'stopped')
        await startAndConfirm(runtime, throughJournal(state), mode, since)
        assert.deepEqual(await stack.running(), all)
      }),
    })),
    ...(['pause', 'none'] as const).map((mode) => ({
      name: `mode ${mode} ends nothing, and the start after it keeps the same containers`,
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        const since = new Date()
        const evidence = valueOf(await runtime.stop(state, { mode, graceSeconds }))
        assert.deepEqual(evidence, { ended: [], stillRunning: [] })
        const conditions = new Set((await look(runtime, stack)).projects.flatMap((project) => project.containers).map((container) => container.condition))
        assert.deepEqual([...conditions], [mode === 'pause' ? 'paused' : 'running'])
        await startAndConfirm(runtime, state, mode, since)
        assert.deepEqual(processesOf(await look(runtime, stack)), processesOf(state))
      }),
    })),
    {
      name: 'a service that the user had stopped stays stopped',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        await stack.stopService('extra')
        const state = await look(runtime, stack)
        assert.equal(state.condition, 'running')
        const since = new Date()
        valueOf(await runtime.stop(state, { mode: 'stop', graceSeconds }))
        await startAndConfirm(runtime, state, 'stop', since)
        assert.deepEqual(await stack.running(), ['db', 'web'])
      }),
    },
    {
      name: 'a start of what already runs changes nothing',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        valueOf(await runtime.start(state, { mode: 'stop', healthTimeoutMs: limitMs }))
        assert.deepEqual(processesOf(await look(runtime, stack)), processesOf(state))
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
        assert.deepEqual(await stack.running(), all)
      }),
    },
    {
      name: 'a cancelled stop says so, and the start after it brings all back',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const state = await look(runtime, stack)
        const since = new Date()
        const cancelled = await runtime.stop(state, { mode: 'stop', graceSeconds, signal: AbortSignal.abort() })
        assert.ok(!cancelled.ok && cancelled.failure.kind === 'cancelled')
        await startAndConfirm(runtime, state, 'stop', since)
        assert.deepEqual(await stack.running(), all)
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
        assert.equal(report.isUp, false)
        assert.deepEqual(report.missing.map((missing) => missing.service), ['extra'])
      }),
    },
    {
      name: 'a model that does not resolve shows before the stop, and does not make the stack a stopped one',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        await stack.breakModel()
        const state = await look(runtime, stack)
        assert.equal(state.condition, 'running')
        const preflight = valueOf(await runtime.preflight(state))
        assert.ok(!preflight.model.ok && preflight.model.failure.message !== '')
        valueOf(await runtime.sources(state))
        valueOf(await runtime.describe(state))
      }),
    },
    {
      name: 'a plain stack has nothing against it: it may be taken down',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const preflight = valueOf(await runtime.preflight(await look(runtime, stack)))
        assert.deepEqual(preflight, { model: { ok: true, value: undefined }, missingImages: [], whyNotDown: [], wouldLose: [] })
      }),
    },
    {
      name: 'the sources are the folder first, then the volume, each path once',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        const sources = valueOf(await runtime.sources(await look(runtime, stack)))
        assert.equal(sources[0]?.path, stack.directory)
        assert.equal(new Set(sources.map((source) => source.path)).size, sources.length)
        const volume = sources.find((source) => source.kind === 'named-volume')
        assert.ok(volume !== undefined && volume.canBeRead && volume.isWritable && volume.device !== null)
        assert.deepEqual([volume.services, volume.otherUsers], [['db'], []])
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
        assert.equal(report.isLossy, false)
        assert.deepEqual(report.ended.map((end) => end.service).sort(), all)
        assert.deepEqual(report.starts.map((start) => start.isOfStack), [true, true, true])
        assert.ok(report.firstStopAt !== null && report.lastStartAt !== null && report.readyAt !== null)
        assert.ok(since.getTime() <= report.firstStopAt && report.firstStopAt < report.lastStartAt && report.firstStopAt < report.readyAt)
      }),
    },
    {
      name: 'the capsule tells what ran, of which images, with which volumes',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        await stack.stopService('extra')
        const capsule = valueOf(await runtime.describe(await look(runtime, stack)))
        assert.deepEqual(JSON.parse(JSON.stringify(capsule)), capsule)
        const [project] = capsule.projects
        assert.ok(project !== undefined)
        assert.deepEqual(project.replicas, { db: 1, web: 1 })
        assert.deepEqual(project.stoppedServices, ['extra'])
        assert.deepEqual(project.images.map((image) => image.service).sort(), all)
        assert.ok(project.images.every((image) => image.id !== '' && image.reference !== ''))
        assert.equal(project.volumes.length, 1)
      }),
    },
    {
      name: 'nothing is removed by a label that nothing carries',
      run: withStack(async (runtime, stack) => {
        await stack.up()
        assert.deepEqual(valueOf(await runtime.removeByLabel('no-such-rehearsal')), { removed: 0 })
        assert.deepEqual(await stack.running(), all)
      }),
    },
    ...recoveryTests.map(({ name, run }) => ({ name, run: withStack(run) })),
  ]
}

async function look(runtime: Runtime, stack: StackForTest): Promise<StackState> {
  const [state] = valueOf(await runtime.inspect([stack.directory]))
  assert.ok(state !== undefined)
  return state
}

function throughJournal(state: StackState): StackState {
  return JSON.parse(JSON.stringify(state)) as StackState
}

async function startAndConfirm(runtime: Runtime, state: StackState, mode: StopMode, since: Date): Promise<void> {
  valueOf(await runtime.waitUntilSettled(state, { timeoutMs: limitMs }))
  valueOf(await runtime.start(state, { mode, healthTimeoutMs: limitMs }))
  assert.deepEqual(valueOf(await runtime.waitUntilUp(state, { since, timeoutMs: limitMs })), { isUp: true, missing: [], completed: [] })
}

function servicesOf(state: StackState): string[] {
  return state.projects.flatMap((project) => project.containers).map((container) => container.service).sort()
}

/** Each container with the start of its process: the same if nothing was interrupted. */
function processesOf(state: StackState): unknown[] {
  return state.projects.flatMap((project) => project.containers).map((container) => [container.id, container.startedAt, container.condition])
}
