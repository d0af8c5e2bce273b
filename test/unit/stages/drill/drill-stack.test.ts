import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

import type { Answer, Engine, IsolatedStack, IsolationNeeds, Runtime, Scratch } from '@stackbk/contract'
import { describe, expect, it, vi } from 'vitest'

import { drillStack, type StackDrill } from '../../../../src/stages/drill/drill-stack.js'
import { ParallelDrills } from '../../../../src/stages/drill/parallel.js'
import type { StackPhase } from '../../../../src/stages/reporter.js'
import { at, failure, ok, partly, snapshotOf, testRun } from '../fixtures.js'

const capsulePath = '/state/capsules/web/stackbk-capsule.json'
const healthy: IsolatedStack = { healthy: true, missing: [], containers: [], leftOut: [], unprovenImages: [] }
const needs: IsolationNeeds = { networks: 1, memoryBytes: 0, containersOfUnknownMemory: 0 }
const noNetwork = failure('failed', { message: 'no free address pool', transient: true })
const { signal } = new AbortController()

function world({ answers = [ok(healthy)], engine = {}, hasCapsule = true, stacks = 2 }: { answers?: readonly Answer<IsolatedStack>[]; engine?: Partial<Engine>; hasCapsule?: boolean; stacks?: number } = {}) {
  const said: string[] = []
  const scratches: Scratch[] = []
  const left = [...answers]
  const runtime = partly<Runtime>('runtime', {
    isolationNeeds: () => Promise.resolve(ok(needs)),
    startIsolated: (_, scratch) => (said.push('start'), scratches.push(scratch), Promise.resolve(left.shift() ?? ok(healthy))),
    removePart: (label, part) => (said.push(`remove ${label} ${part}`), Promise.resolve(ok({ removed: 1 }))),
  })
  const live = partly<Engine>('engine', {
    restore: ({ target }) => {
      for (const path of hasCapsule ? [capsulePath] : []) {
        mkdirSync(dirname(join(target, path)), { recursive: true })
        writeFileSync(join(target, path), '{"schemaVersion":1}')
      }
      return Promise.resolve(ok({ files: 1, bytes: 5 }))
    },
    eachEntry: () => Promise.resolve(ok(undefined)),
    read: () => (said.push('read'), Promise.resolve(ok(Buffer.from('{"schemaVersion":1}')))),
    ...engine,
  })
  const parallel = new ParallelDrills({ stacks, freeDisk: 1e12, freeMemory: 1e12, freeNetworks: null })
  const phases: StackPhase[] = []
  const run = testRun()
  const drilled = (): Promise<StackDrill> => drillStack({ run: { ...run, reporter: { ...run.reporter, stackPhase: (_, phase) => phases.push(phase) } }, runtime, engine: live, label: 'x', folder: at(`drill ${String(hasCapsule)}`), fetchMs: 0, parallel }, { stack: 'web site', snapshot: snapshotOf('1'.repeat(64), { paths: ['/stacks/web', capsulePath] }) })
  return { said, scratches, parallel, phases, drilled, run }
}

describe('the drill of a stack among others', () => {
  it('reads the capsule from the restored files, and from the snapshot only where it is not there', async () => {
    const [restored, absent] = [world(), world({ hasCapsule: false })]
    await restored.drilled()
    await absent.drilled()
    expect([restored.said, absent.said]).toEqual([['start'], ['read', 'start']])
  })

  it('marks what is made as its own, and gives each stack more time to become healthy the more there are', async () => {
    const { drilled, scratches, run, phases } = world({ stacks: 3 })
    await drilled()
    expect(scratches).toMatchObject([{ label: 'x', part: 'web%20site', healthTimeoutMs: 3 * run.configuration.docker.healthTimeoutMs }])
    expect(phases).not.toContain('waiting')
  })

  it('is tried again alone, with its own containers removed, where too little is free for several', async () => {
    const { drilled, said, parallel, phases } = world({ answers: [noNetwork, ok(healthy)] })
    const other = await parallel.untilMayStart(needs, { signal })
    const result = drilled()
    await vi.waitFor(() => expect(phases.at(-1)).toBe('waiting'), { timeout: 20_000 })
    expect(said).toEqual(['start', 'remove x web%20site'])
    other.release()
    expect(await result).toMatchObject({ report: { status: 'ok' }, problems: [], code: 0 })
    expect(said).toEqual(['start', 'remove x web%20site', 'start'])
  })

  it('fails where too little is free for it alone', async () => {
    const { drilled, said } = world({ answers: [noNetwork, noNetwork] })
    expect(await drilled()).toMatchObject({ report: { status: 'failed' }, code: 0, problems: [{ severity: 'error', message: 'no free address pool' }] })
    expect(said.filter((word) => word === 'start')).toHaveLength(1)
  })

  it('has ended all its work when it fails, so that what is removed stays removed', async () => {
    let hasRestored = false
    const { drilled } = world({
      engine: {
        eachEntry: () => Promise.reject(new Error('broken plugin')),
        restore: async () => {
          for (let count = 0; count < 10; count++) await turn()
          hasRestored = true
          return ok({ files: 0, bytes: 0 })
        },
      },
    })
    expect(await drilled()).toMatchObject({ report: { status: 'failed' } })
    expect(hasRestored).toBe(true)
    expect(existsSync(at('drill true'))).toBe(true)
  })
})
