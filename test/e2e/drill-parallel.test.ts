import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'

import type { DrillResult } from '../../src/stages/drill/drill-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand } from '../fixtures/compose-stack.js'
import { watchEngine, type EngineEvent } from '../fixtures/engine-watch.js'
import { makeWorld, until, type Underway, type World, type WorldStack } from '../fixtures/world.js'

const names = ['one', 'two', 'three']
const limitMs = 60_000
/** Holds a stack of a drill until the test lets it go. */
const held = "sh -c 'until test -f /data/go; do sleep 0.1; done'"

describe('a drill of several stacks', () => {
  let world: World
  const stacks: WorldStack[] = []

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false }, docker: { HEALTH_TIMEOUT: 30 }, drill: { PROBE: held, PROBE_TIMEOUT: limitMs / 1000, PARALLEL_STACKS: 4 } } })
    for (const name of names) stacks.push(await world.stack(name, { services: { app: { image: testImage, command: politeCommand, volumes: ['./data:/data'] } }, files: { 'data/file': name } }))
    const backup = await world.backup()
    expect(backup.exitCode, JSON.stringify(backup.result.problems)).toBe(0)
    expect((await world.sync()).exitCode).toBe(0)
  })
  afterEach(() => {
    world.configure({ drill: { PROBE: held, PARALLEL_STACKS: 4 }, 'stack:two': { PROBE: null } })
  })
  afterAll(() => world.remove())

  const drills = (): string[] => readdirSync(join(world.state, 'cache')).filter((name) => name.startsWith('stackbk-drill-'))
  /** Starts a drill, which does not outlive its test. */
  const start = (...args: string[]): Underway => {
    const underway = world.start(['drill', ...args])
    onTestFinished(async () => {
      if (!underway.isOver()) underway.signal('SIGTERM')
      await underway.ended
    })
    return underway
  }
  /** The label of the drill that is under way. */
  async function label(): Promise<string> {
    await until('the drill has begun', () => drills().length === 1, limitMs)
    return drills()[0]!
  }
  const running = async (of: string): Promise<string[]> => {
    const listed = await docker('ps', '--filter', `label=stackbk.scratch=${of}`, '--format', '{{.Label "stackbk.scratch.part"}}')
    return listed.split('\n').filter((name) => name !== '').sort()
  }
  /** Comes back when the containers of these stacks run in the drill at one moment, and no other. */
  async function untilRunning(underway: Underway, ...wanted: string[]): Promise<string> {
    const of = await label()
    await until(`${wanted.join(', ')} run at the same time`, async () => {
      expect(underway.isOver(), underway.said()).toBe(false)
      return (await running(of)).join() === [...wanted].sort().join()
    }, limitMs)
    return of
  }
  const letGo = (of: string, ...which: string[]): void => {
    for (const name of which) writeFileSync(join(world.state, 'cache', of, name, 'files', stacks[names.indexOf(name)]!.directory, 'data/go'), '')
  }
  const resultOf = async (underway: Underway): Promise<{ exitCode: number; result: DrillResult }> => {
    const { exitCode, stdout } = await underway.ended
    return { exitCode, result: JSON.parse(stdout) as DrillResult }
  }
  async function expectNothingLeft(of: string): Promise<void> {
    for (const list of [['ps', '-a'], ['network', 'ls'], ['volume', 'ls']]) expect(await docker(...list, '-q', '--filter', `label=stackbk.scratch=${of}`)).toBe('')
    expect(drills()).toEqual([])
    expect(readdirSync(join(world.state, 'drills'))).toEqual([])
    expect(world.processes()).toEqual([])
  }
  const production = async (): Promise<string[]> => await Promise.all(stacks.map((stack) => stack.containers()))

  it('has them all run at the same time, and reports them in the order of the dirlist, whichever ends first', async () => {
    const before = await production()
    const underway = start('--json')
    const of = await untilRunning(underway, ...names)
    letGo(of, 'three')
    await untilRunning(underway, 'one', 'two')
    letGo(of, 'two')
    await untilRunning(underway, 'one')
    await until('what the others have made is gone while one still runs', async () => {
      const networks = await docker('network', 'ls', '--filter', `label=stackbk.scratch=${of}`, '--format', '{{.Label "stackbk.scratch.part"}}')
      return networks === 'one' && names.filter((name) => existsSync(join(world.state, 'cache', of, name))).join() === 'one'
    })
    expect(await running(of)).toEqual(['one'])
    letGo(of, 'one')
    const { exitCode, result } = await resultOf(underway)
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    expect(result.stacks).toMatchObject(names.map((name) => ({ name, status: 'ok', healthy: true, probe: 'ok', mismatches: 0 })))
    await expectNothingLeft(of)
    expect(await production()).toEqual(before)
  })

  it('has one after another where only one may be at work', async () => {
    world.configure({ drill: { PROBE: null, PARALLEL_STACKS: 1 } })
    const watch = await watchEngine('stackbk-drill-')
    const { exitCode, result } = await world.json<DrillResult>(['drill', '--local'])
    const prefix = `stackbk-drill-${result.runId.toLowerCase()}`
    const events = (await watch.close()).filter(({ project }) => project.startsWith(prefix))
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    const lives = names.map((name) => lifeOf(events.filter(({ project }) => project === `${prefix}-${name}`)))
    expect(lives.every(([from], at) => at === 0 || lives[at - 1]![1] < from), JSON.stringify(lives)).toBe(true)
  })

  it('lets one fail beside others that go on', async () => {
    world.configure({ 'stack:two': { PROBE: "sh -c 'echo no row in the table; exit 3'" } })
    const underway = start('--local', '--json')
    // The failed one is removed while the others still run.
    const of = await label()
    await until('the failed one has come and gone', async () => {
      expect(underway.isOver(), underway.said()).toBe(false)
      return world.log().some(({ message, stack, runId }) => message === 'drilled' && stack === 'two' && of.endsWith(runId.toLowerCase()))
    }, limitMs)
    await untilRunning(underway, 'one', 'three')
    letGo(of, 'one', 'three')
    const { exitCode, result } = await resultOf(underway)
    expect(exitCode).toBe(6)
    expect(result.stacks.map(({ name, status }) => [name, status])).toEqual([['one', 'ok'], ['two', 'failed'], ['three', 'ok']])
    expect(result.problems.filter(({ severity }) => severity === 'error')).toMatchObject([{ code: 'probe-failed', stack: 'two' }])
    await expectNothingLeft(of)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('ends all of them on %s, and leaves nothing', async (signal) => {
    const before = await production()
    const underway = start('--json')
    const of = await untilRunning(underway, ...names)
    underway.signal(signal)
    const { exitCode, result } = await resultOf(underway)
    expect(exitCode).toBe(signal === 'SIGINT' ? 130 : 143)
    expect(result.stacks.map(({ name, status }) => [name, status])).toEqual(names.map((name) => [name, 'skipped']))
    await expectNothingLeft(of)
    expect(await production()).toEqual(before)
  })

  it('leaves what the next run removes when it is killed with all of them running', async () => {
    const before = await production()
    const underway = start()
    const of = await untilRunning(underway, ...names)
    underway.signal('SIGKILL')
    expect((await underway.ended).exitCode).toBe(137)
    expect(await running(of)).toEqual([...names].sort())
    expect((await world.run(['resume'])).exitCode).toBe(0)
    await expectNothingLeft(of)
    expect(await production()).toEqual(before)
  })

  it('keeps all of them with --keep, by one label, until the next one', async () => {
    world.configure({ drill: { PROBE: null } })
    const { result } = await world.json<DrillResult>(['drill', '--local', '--keep'])
    const of = result.kept!.label
    expect(await running(of)).toEqual([...names].sort())
    expect((await world.json<DrillResult>(['drill', 'one', '--local'])).exitCode).toBe(0)
    await expectNothingLeft(of)
  })
})

/** From the first to the last that the engine tells of the containers of a project. */
function lifeOf(events: readonly EngineEvent[]): readonly [from: number, to: number] {
  const times = events.map(({ at }) => at)
  expect(times.length).toBeGreaterThan(1)
  return [Math.min(...times), Math.max(...times)]
}
