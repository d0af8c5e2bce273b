import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { docker, removeProject } from '../fixtures/compose-stack.js'
import { startEngineProxy, type EngineProxy } from '../fixtures/engine-proxy.js'
import { fingerprint, furnish } from '../fixtures/fingerprint.js'
import { removeKept } from '../fixtures/kept-aside.js'
import { isThorough } from '../fixtures/sampled.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'
import { failuresOf, inWords, kindsOfCalls, type FailingCall } from './engine-calls.js'

/** What there is before a recovery, and the first call with which it changes anything. */
const situations = {
  'over a stack that runs': { isBare: false, firstChange: /^POST \/containers\/[^/]+\/stop/ },
  'on a bare host': { isBare: true, firstChange: /^POST \/(?:containers|networks|volumes)\/create/ },
} as const

const up = 'app,db'

describe.each(isThorough ? (['over a stack that runs', 'on a bare host'] as const) : (['over a stack that runs'] as const))('calls of the engine that fail in a recovery %s', (situation) => {
  const { isBare, firstChange } = situations[situation]
  let world: World
  let stack: WorldStack
  let proxy: EngineProxy
  let snapshotted: string
  let present: string
  const options = (): { environment: Record<string, string> } => ({ environment: { DOCKER_HOST: proxy.host } })

  beforeAll(async () => {
    proxy = await startEngineProxy()
    world = await makeWorld({ settings: { docker: { DOCKER_TIMEOUT: 5, HEALTH_TIMEOUT: 10 }, local_backup: { ENABLE_VERIFICATION: false, AUTO_PRUNE: false } } })
    stack = await world.stack('web')
    furnish(join(stack.directory, 'data'))
    furnish(await volume())
    expect((await world.backup(['web'])).exitCode).toBe(0)
    snapshotted = await picture()
    await begin()
  }, 120_000)
  afterAll(async () => {
    await removeKept(world)
    await world.remove()
    await proxy.close()
  }, 120_000)

  const volume = async (): Promise<string> => docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${stack.project}_vol`)
  /** Files of the folder and of the volume; `nothing` where neither is there. */
  const picture = async (): Promise<string> => {
    const mountpoint = await volume().catch(() => null)
    if (!existsSync(stack.directory) && mountpoint === null) return 'nothing'
    return [existsSync(stack.directory) ? fingerprint(stack.directory) : 'no folder', mountpoint === null ? 'no volume' : fingerprint(mountpoint)].join('\n')
  }
  const leftBehind = (): readonly string[] => {
    const recoveries = join(world.state, 'recoveries')
    return [...world.journal().map(() => 'an entry of the journal'), ...(existsSync(recoveries) ? readdirSync(recoveries) : [])]
  }

  /** What a recovery finds: a running stack whose files and volume are newer than the snapshot, or nothing at all. */
  async function begin(): Promise<void> {
    await removeKept(world)
    if (isBare) {
      await removeProject(stack.project)
      rmSync(stack.directory, { recursive: true, force: true })
    } else {
      if ((await stack.running()).join() !== up) await stack.up()
      writeFileSync(join(stack.directory, 'data', 'file'), `newer ${Date.now()}\n`)
      writeFileSync(join(await volume(), 'only-now'), `${Date.now()}\n`)
    }
    present = await picture()
  }

  /** What is wrong after a recovery in which these calls failed; empty when nothing is. */
  async function flawsOf(call: FailingCall): Promise<string[]> {
    const flaws: string[] = []
    proxy.fail({ method: call.method, path: new RegExp(call.pattern), from: firstChange, answer: call.answer, ...(call.isForGood ? {} : { nth: 1 }) })
    const ended = await world.run(['recover', 'web', '--yes', '--json'], options())
    const landed = proxy.failed.length
    proxy.clear()
    const result = JSON.parse(ended.stdout) as RecoverResult
    const isNew = async (): Promise<boolean> => (await picture()) === snapshotted
    const isOld = async (): Promise<boolean> => (await picture()) === present
    const whole = async (): Promise<boolean> => ((await isNew()) && (await stack.running()).join() === up) || ((await isOld()) && (isBare || (await stack.running()).join() === up))

    if (ended.exitCode === 0 && !((await isNew()) && (await stack.running()).join() === up)) flaws.push('exit code 0, and the snapshot is not what runs')
    if (ended.exitCode !== 0 && !result.problems.some(({ severity }) => severity === 'error')) flaws.push(`exit code ${ended.exitCode}, and no error in the report`)
    // On a bare host nothing is taken away again: what cannot be started for good stays in place, for a look at it.
    const staysInPlace = isBare && call.isForGood && (await isNew())
    if (!(await whole()) && leftBehind().length === 0 && !staysInPlace) flaws.push(`neither the old nor the new, and nothing is noted: [${(await stack.running().catch(() => [])).join()}]`)
    if (leftBehind().length > 0) {
      const resumed = await world.run(['resume'], options())
      if (resumed.exitCode !== 0) flaws.push(`resume ended with ${resumed.exitCode}: ${resumed.stdout}${resumed.stderr}`)
      if (!(await whole())) flaws.push(`neither the old nor the new after resume: ${(await isNew()) ? 'new files' : (await isOld()) ? 'old files' : 'mixed files'}, [${(await stack.running().catch(() => [])).join()}]`)
    }
    if (leftBehind().length > 0) flaws.push(`still there after resume: ${leftBehind().join(', ')}`)
    if (isBare && (await isOld()) && existsSync(dirname(stack.directory)) && readdirSync(dirname(stack.directory)).some((name) => name.startsWith('.stackbk-'))) flaws.push('something is left next to a stack that is not there')
    if (flaws.length > 0 && process.env['MATRIX_VERBOSE'] !== undefined) console.error(ended.stdout)
    await begin()
    return flaws.map((flaw) => `${inWords(call)} (${landed} failed, exit code ${ended.exitCode}): ${flaw}`)
  }

  it('end with the old or the new stack running, or are reported, and resume leads out', async () => {
    const before = proxy.calls.length
    const { exitCode, result } = await world.json<RecoverResult>(['recover', 'web', '--yes'], options())
    expect(exitCode, JSON.stringify(result)).toBe(0)
    const kinds = kindsOfCalls(proxy.calls.slice(before), firstChange)
    await begin()
    const all = failuresOf(kinds)
    const isOf = (part: string) => (call: FailingCall): boolean => call.pattern.includes(part)
    const sample = [all.find((call) => isOf('/stop')(call) && call.isForGood), all.find((call) => isOf('/start')(call) && call.isForGood)]
    const chosen = isThorough ? all : sample.filter((call) => call !== undefined)
    expect(chosen.length).toBeGreaterThanOrEqual(2)
    const flaws: string[] = []
    for (const call of chosen) flaws.push(...(await flawsOf(call)))
    if (isThorough) console.log(`recovery ${situation}: ${kinds.length} kinds of calls, ${chosen.length} failures, ${flaws.length} flaws`)
    expect(flaws).toEqual([])
  }, isThorough ? 3 * 3_600_000 : 300_000)
})
