import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import { startEngineProxy, type EngineProxy } from '../fixtures/engine-proxy.js'
import { isThorough } from '../fixtures/sampled.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'
import { failuresOf, inWords, kindsOfCalls, type FailingCall } from './engine-calls.js'

/** The stop has begun: until then a call that fails touches nothing. */
const firstStop = /^POST \/containers\/[^/]+\/stop/

describe.each(isThorough ? (['stop', 'down'] as const) : (['stop'] as const))('calls of the engine that fail between the stop and the confirmed start, by mode %s', (mode) => {
  let world: World
  let stack: WorldStack
  let proxy: EngineProxy
  const options = (): { environment: Record<string, string> } => ({ environment: { DOCKER_HOST: proxy.host } })

  beforeAll(async () => {
    proxy = await startEngineProxy()
    world = await makeWorld({ settings: { docker: { STOP_MODE: mode, DOCKER_TIMEOUT: 5, HEALTH_TIMEOUT: 10 }, local_backup: { ENABLE_VERIFICATION: false, AUTO_PRUNE: false } } })
    stack = await world.stack('web')
  }, 120_000)
  afterAll(async () => {
    await world.remove()
    await proxy.close()
  }, 120_000)

  /** What is wrong after a backup in which these calls failed; empty when nothing is. */
  async function flawsOf(call: FailingCall): Promise<string[]> {
    const { method, pattern, answer, isForGood } = call
    const flaws: string[] = []
    proxy.fail({ method, path: new RegExp(pattern), from: firstStop, answer, ...(isForGood ? {} : { nth: 1 }) })
    const ended = await world.run(['backup', '--json'], options())
    const landed = proxy.failed.length
    proxy.clear()
    const result = JSON.parse(ended.stdout) as BackupResult
    const running = await stack.running()
    const isUp = running.join() === 'app,db'
    const isReported = result.problems.some(({ severity, stack: name }) => severity === 'error' && name === 'web')
    if (!isUp && !isForGood) flaws.push(`not up, though it failed once only: [${running.join()}]`)
    if (!isUp && !isReported) flaws.push(`not up, and the report does not say so: [${running.join()}]`)
    if (!isUp && world.journal().length === 0) flaws.push('not up, and the journal does not know of it')
    if (!isUp || world.journal().length > 0) {
      const resumed = await world.run(['resume'], options())
      if (resumed.exitCode !== 0) flaws.push(`resume ended with ${resumed.exitCode}: ${resumed.stdout}${resumed.stderr}`)
      if ((await stack.running()).join() !== 'app,db') flaws.push('not up after resume either')
    }
    if (world.journal().length > 0) flaws.push('the journal still names it')
    if (flaws.length > 0) await stack.up()
    return flaws.map((flaw) => `${inWords(call)} (${landed} failed): ${flaw}`)
  }

  it('leave everything running, or are reported, and resume leads out', async () => {
    const before = proxy.calls.length
    expect((await world.backup([], options())).exitCode).toBe(0)
    const all = failuresOf(kindsOfCalls(proxy.calls.slice(before), firstStop))
    const isOf = (part: string) => (call: FailingCall): boolean => call.pattern.includes(part)
    const sample = [all.find((call) => isOf('/start')(call) && !call.isForGood), all.find((call) => isOf('/stop')(call) && call.isForGood), all.find((call) => isOf('/start')(call) && call.isForGood)]
    const chosen = isThorough ? all : sample.filter((call) => call !== undefined)
    expect(chosen.length).toBeGreaterThanOrEqual(3)
    const flaws: string[] = []
    for (const call of chosen) flaws.push(...(await flawsOf(call)))
    expect(flaws).toEqual([])
  }, isThorough ? 3 * 3_600_000 : 300_000)
})
