import type { ContainerEnd, ReadingTime, Runtime, StackState } from '@stackbk/contract'
import { describe, expect, onTestFinished, test } from 'vitest'

import { docker, service } from '../../../test/fixtures/compose-stack.js'
import { startEngineProxy } from '../../../test/fixtures/engine-proxy.js'
import { readContainer, toState } from '../src/container.js'
import { byTimes } from '../src/ran-during.js'
import { useEngine } from './fake-engine.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

const from = 1_000_000
const until = 2_000_000
const before = from - 1000
const during = (from + until) / 2
const after = until + 1000

interface Times {
  readonly status?: string
  readonly started?: number | null
  readonly finished?: number | null
}

const iso = (at: number | null | undefined): string => (at == null ? '0001-01-01T00:00:00Z' : new Date(at).toISOString())

function container(id: string, { status = 'running', started, finished }: Times, more: { project?: string; mounts?: readonly object[] } = {}): ReturnType<typeof readContainer> {
  const { project = 'web', mounts = [] } = more
  return readContainer({
    Id: id, Name: `/${id}`, State: { Status: status, StartedAt: iso(started), FinishedAt: iso(finished), ExitCode: 0 }, Mounts: mounts, HostConfig: {},
    Config: { Image: 'image', Labels: project === '' ? {} : { 'com.docker.compose.project': project, 'com.docker.compose.service': id, 'com.docker.compose.project.working_dir': `/stacks/${project}` } },
  })
}

const app = toState(container('app', { started: before - 5000 }))
const job = toState(container('job', { status: 'exited', started: before - 9000, finished: before - 8000 }))
const state: StackState = {
  schemaVersion: 1, directory: '/stacks/web', condition: 'running', failure: null, dependents: [], takenAt: iso(before - 100),
  projects: [{ name: 'web', workingDirectory: '/stacks/web', configFiles: [], environmentFiles: [], containers: [app, job] }],
}
const places = { paths: ['/stacks/web'], volumes: [] }
const end: ContainerEnd = { containerId: 'app', name: 'app', service: 'app', project: 'web', exitCode: 0, wasKilled: false, graceSeconds: 10, at: iso(before) }
const reading: ReadingTime = { from, until, othersFrom: before - 200, mode: 'stop', ended: [end] }
const idle = container('job', { status: 'exited', started: before - 9000, finished: before - 8000 })

const own = async (times: Times, more: Partial<ReadingTime> = {}): Promise<unknown> => {
  const report = await byTimes(state, places, { ...reading, ...more }, [container('app', times), idle])
  const during_ = report.starts.filter(({ at, isOfStack }) => isOfStack && at > from && at < until)
  return report.isLossy ? 'not known' : during_.length > 0 ? 'ran' : 'quiet'
}

describe('by its times a container of the stack', () => {
  test.each<[string, Times, string]>([
    ['that finished before and was started after', { started: after, finished: before }, 'quiet'],
    ['that finished before and is still down', { status: 'exited', started: before - 5000, finished: before }, 'quiet'],
    ['that was made after and has run only since', { started: after, finished: null }, 'quiet'],
    ['that was made and never started', { status: 'created', started: null, finished: null }, 'quiet'],
    ['that was started meanwhile', { started: during, finished: before }, 'ran'],
    ['that was started meanwhile and has finished', { status: 'exited', started: during, finished: during + 10 }, 'ran'],
    ['that was started meanwhile, finished, and was started after', { started: after, finished: during }, 'ran'],
    ['that finished only meanwhile', { status: 'exited', started: before - 5000, finished: during }, 'ran'],
    ['that has not stopped at all', { started: before - 5000, finished: null }, 'not known'],
    ['that was started after, and crashed and was started once more', { started: after + 500, finished: after }, 'not known'],
    ['that is paused, which leaves no time', { status: 'paused', started: before - 5000, finished: null }, 'not known'],
  ])('%s', async (_, times, expected) => {
    expect(await own(times)).toBe(expected)
  })
})

describe('a container of the stack that is gone', () => {
  const gone = async (more: Partial<ReadingTime>): Promise<boolean> => !(await byTimes(state, places, { ...reading, ...more }, [container('new', { started: after, finished: null })])).isLossy

  test('did not run while it was read, where a down removed it after it was seen to end', async () => {
    expect(await gone({ mode: 'down' })).toBe(true)
  })

  test.each<[string, Partial<ReadingTime>]>([
    ['no end of it was seen', { mode: 'down', ended: [] }],
    ['it ended only meanwhile', { mode: 'down', ended: [{ ...end, at: iso(during) }] }],
    ['nothing of ours removed it', { mode: 'stop' }],
  ])('may have run where %s', async (_, more) => {
    expect(await gone(more)).toBe(false)
  })

  test('and made again meanwhile ran', async () => {
    const { starts, isLossy } = await byTimes(state, places, { ...reading, mode: 'down' }, [container('new', { started: during, finished: null })])
    expect([isLossy, starts]).toMatchObject([false, [{ at: during, container: 'new', isOfStack: true }]])
  })
})

describe('a container of elsewhere', () => {
  const data = { Type: 'bind', Source: '/stacks/web/data', Destination: '/data', RW: true }
  const started = async (times: Times, mounts: readonly object[] = [data]): Promise<boolean> => {
    const { starts } = await byTimes(state, places, reading, [container('app', { started: after, finished: before }), idle, container('other', times, { project: 'other', mounts })])
    return starts.some(({ container: name, isOfStack, writer, at }) => name === 'other' && !isOfStack && writer?.id === 'other' && at > reading.othersFrom && at < until)
  }

  test.each<[string, Times, boolean]>([
    ['that was started meanwhile is a writer', { started: during, finished: null }, true],
    ['that was started meanwhile and has ended is one', { status: 'exited', started: during, finished: during + 5 }, true],
    ['that ended meanwhile and was started after is one', { started: after, finished: during }, true],
    ['that has run all the time is known already', { started: before - 9000, finished: null }, false],
    ['that was started only after is none', { started: after, finished: before - 9000 }, false],
    ['that is down since long is none', { status: 'exited', started: before - 9000, finished: before - 8000 }, false],
  ])('%s', async (_, times, expected) => {
    expect(await started(times)).toBe(expected)
  })

  test.each([['reads only', [{ ...data, RW: false }]], ['has other folders', [{ ...data, Source: '/srv/other' }]], ['has no mount', []]])('that %s is no writer', async (_, mounts) => {
    expect(await started({ started: during, finished: null }, mounts)).toBe(false)
  })
})

test('the downtime is known from the ends and the last start', async () => {
  expect(await byTimes(state, places, reading, [container('app', { started: after, finished: before }), idle])).toMatchObject({ isLossy: false, firstStopAt: before, lastStartAt: after, ended: [end] })
})

/** A runtime on the real engine whose events cannot be read. */
async function runtimeWithoutEvents(): Promise<Runtime> {
  const proxy = await startEngineProxy()
  onTestFinished(() => proxy.close())
  proxy.fail({ path: /^\/events/, answer: 'reset' })
  useEngine(proxy.socketPath)
  return (await liveRuntime()).runtime
}

test.each(['stop', 'down'] as const)('of a stack that was stopped by %s while no event could be read, the engine shows that it was at rest', async (mode) => {
  const stack = await liveStack({ compose: { services: { app: service(), db: service() } } })
  const runtime = await runtimeWithoutEvents()
  const state_ = await look(runtime, stack.directory)
  expect((await runtime.watch(state_)).ok).toBe(false)
  const othersFrom = Date.now()
  const evidence = good(await runtime.stop(state_, { mode, graceSeconds: 5 }))
  expect(evidence.ended.map((one) => one.service).sort()).toEqual(['app', 'db'])
  const [begun, over] = await spellOf()
  good(await runtime.start(state_, { mode, healthTimeoutMs: 20_000 }))
  const report = good(await runtime.ranDuring!(state_, { from: begun, until: over, othersFrom, mode, ended: evidence.ended }))
  expect([report.isLossy, report.starts.filter(({ at }) => at < over)]).toEqual([false, []])
  expect(report.lastStartAt).toBeGreaterThan(report.firstStopAt!)
})

test('a container of the stack that a user ran meanwhile is seen without any event', async () => {
  const stack = await liveStack({ compose: { services: { app: service() } } })
  const runtime = await runtimeWithoutEvents()
  const state_ = await look(runtime, stack.directory)
  const othersFrom = Date.now()
  const evidence = good(await runtime.stop(state_, { mode: 'stop', graceSeconds: 5 }))
  const [begun] = await spellOf()
  await docker('start', `${stack.project}-app-1`)
  await docker('stop', '-t', '5', `${stack.project}-app-1`)
  const [, over] = await spellOf()
  good(await runtime.start(state_, { mode: 'stop', healthTimeoutMs: 20_000 }))
  const report = good(await runtime.ranDuring!(state_, { from: begun, until: over, othersFrom, mode: 'stop', ended: evidence.ended }))
  expect(report.isLossy || report.starts.some(({ at, isOfStack }) => isOfStack && at > begun && at < over)).toBe(true)
})

/** A time of a few milliseconds, as the reading of a stack takes it. */
async function spellOf(): Promise<[number, number]> {
  const begun = Date.now()
  await expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan(begun + 2)
  return [begun, Date.now()]
}
