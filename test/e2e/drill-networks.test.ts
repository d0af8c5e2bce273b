import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import type { DrillResult } from '../../src/stages/drill/drill-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand } from '../fixtures/compose-stack.js'
import { watchEngine } from '../fixtures/engine-watch.js'
import { freeSubnet } from '../fixtures/free-subnet.js'
import { canStartEngines, startPrivateEngine, type PrivateEngine } from '../fixtures/private-engine.js'
import { makeWorld, oneService, type World } from '../fixtures/world.js'

const pools = 4
const networked = { app: { image: testImage, command: politeCommand, volumes: ['./data:/data'] } }

describe.skipIf(!canStartEngines)('a drill on an engine with few address pools', () => {
  let engine: PrivateEngine
  let world: World

  beforeAll(async () => {
    engine = await startPrivateEngine(['--default-address-pool', `base=${freeSubnet()}.0/26,size=28`])
    world = await makeWorld({ settings: { docker: { HEALTH_TIMEOUT: 30 }, local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
    const stacks = [
      await world.stack('one', { services: networked, files: { 'data/file': 'one' } }),
      await world.stack('two', { services: networked, files: { 'data/file': 'two' } }),
      await world.stack('batch', { model: oneService, files: { 'data/file': 'batch' } }),
    ]
    const backup = await world.backup()
    expect(backup.exitCode, JSON.stringify(backup.result.problems)).toBe(0)
    expect((await world.sync()).exitCode).toBe(0)
    for (const stack of stacks) await stack.compose('down')
  })
  beforeEach(async () => {
    const ours = (await docker('network', 'ls', '-q', '--filter', 'label=filler')).split('\n').filter((id) => id !== '')
    if (ours.length > 0) await docker('network', 'rm', ...ours)
  })
  afterAll(async () => {
    await world.remove()
    await engine.remove()
  })

  /** Takes networks until the engine has this many left. */
  async function leave(free: number): Promise<void> {
    for (let number = free; number < pools; number++) await docker('network', 'create', '--label', 'filler', `filler-${number}`)
  }
  const drill = (...args: string[]) => world.json<DrillResult>(['drill', ...args])
  const scratchNetworks = (): Promise<string> => docker('network', 'ls', '-q', '--filter', 'label=stackbk.scratch')
  /** Calls of rclone that brought files: the lists of the copy, and the copy itself. */
  const fetches = (of: string): number => world.log().filter(({ runId, tool, args }) => runId === of && tool === 'rclone' && (args as readonly string[])[0] === 'copy').length

  it('has one stack after another where one network is left', async () => {
    await leave(1)
    const watch = await watchEngine('stackbk-drill-')
    const { exitCode, result } = await drill('one', 'two')
    const events = await watch.close()
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    expect(result.stacks).toMatchObject([{ name: 'one', status: 'ok' }, { name: 'two', status: 'ok' }])
    const times = (name: string): number[] => events.filter(({ project }) => project.endsWith(`-${name}`)).map(({ at }) => at)
    const lives = [times('one'), times('two')].map((of) => [Math.min(...of), Math.max(...of)] as const).sort(([one], [other]) => one - other)
    expect(lives[0]![1], JSON.stringify(events)).toBeLessThan(lives[1]![0])
    expect(world.log().some(({ runId, message }) => runId === result.runId && message === 'drilled alone')).toBe(false)
    expect(await scratchNetworks()).toBe('')
    expect(fetches(result.runId)).toBeGreaterThan(1)
  })

  it('ends with 1 before the copy is fetched where no network is left, and says what can be done', async () => {
    await leave(0)
    const { exitCode, stderr } = await world.run(['drill', 'one', 'two'])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('no free address pool')
    expect(stderr).toContain('default-address-pools')
    expect(stderr).toContain('daemon.json')
    const { runId } = world.log().at(-1)!
    expect(fetches(runId)).toBeLessThanOrEqual(1)
    expect(world.log().some((line) => line.runId === runId && line['tool'] === 'restic' && (line['args'] as readonly string[])[0] === 'restore')).toBe(false)
    expect(await scratchNetworks()).toBe('')
  })

  it('drills those that need no network where none is left', async () => {
    await leave(0)
    const { exitCode, result } = await drill()
    expect(exitCode).toBe(3)
    expect(Object.fromEntries(result.stacks.map(({ name, status }) => [name, status]))).toEqual({ one: 'failed', two: 'failed', batch: 'ok' })
    const errors = result.problems.filter(({ severity }) => severity === 'error')
    expect(errors.map(({ code, stack }) => `${code} ${stack}`)).toEqual(['no-free-network one', 'no-free-network two'])
  })

  it('says of a stack that needs more networks than are left what can be done', async () => {
    const wide = await world.stack('wide', { model: { services: { app: { ...networked.app, networks: ['a', 'b', 'c'] } }, networks: { a: {}, b: {}, c: {} } }, files: { 'data/file': 'wide' } })
    expect((await world.backup(['wide'])).exitCode).toBe(0)
    await wide.compose('down')
    world.disable('wide')
    await leave(2)
    const { exitCode, result } = await drill('wide', 'one', '--local')
    expect(exitCode).toBe(3)
    expect(Object.fromEntries(result.stacks.map(({ name, status }) => [name, status]))).toEqual({ wide: 'failed', one: 'ok' })
    expect(result.problems.filter(({ severity }) => severity === 'error')).toMatchObject([{ stack: 'wide', message: expect.stringContaining('no free address pool') as string, fix: expect.stringContaining('default-address-pools') as string }])
    expect(await scratchNetworks()).toBe('')
  })
})
