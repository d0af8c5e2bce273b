import { setImmediate as turn } from 'node:timers/promises'

import type { IsolationNeeds, Runtime } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { defaultParallelism, diskNeeds, memoryOfUnknown, needsOf, ParallelDrills, parallelDrills, type ParallelFacts } from '../../../../src/stages/drill/parallel.js'
import { configuration, failure, ok, partly, snapshotOf, testRun } from '../fixtures.js'

const gibibyte = 1024 ** 3
const facts: ParallelFacts = { stacks: 4, freeDisk: 100 * gibibyte, freeMemory: 8 * gibibyte, freeNetworks: null }
const needs = (more: Partial<IsolationNeeds> = {}): IsolationNeeds => ({ networks: 1, memoryBytes: 0, containersOfUnknownMemory: 0, ...more })
const { signal } = new AbortController()

/** How many stacks with these needs may be at work at the same time. */
async function atOnce(parallel: ParallelDrills, ask: (parallel: ParallelDrills) => Promise<unknown>): Promise<number> {
  let granted = 0
  for (let number = 0; number < 10; number++) void ask(parallel).then(() => granted++)
  await turn()
  return granted
}

describe('how many stacks are drilled at the same time', () => {
  it('is twice the processors, and not more than four, where nothing is configured', () => {
    expect([1, 2, 3, 64].map((processors) => defaultParallelism(processors))).toEqual([2, 4, 4, 4])
  })

  it('is what is configured, not more than there are stacks, and one where the runtime cannot remove one alone', () => {
    const run = testRun({ configuration: configuration('[drill]\nPARALLEL_STACKS=3\n') })
    const able = { ...partly<Runtime>('runtime', {}), removePart: () => Promise.resolve(ok({ removed: 0 })) } as unknown as Runtime
    const stacks = (runtime: Runtime, chosen: number) => parallelDrills(run, runtime, { chosen, freeDisk: 0, freeNetworks: null }).stacks
    expect([stacks(able, 9), stacks(able, 2), stacks(able, 0)]).toEqual([3, 2, 1])
    expect(stacks({} as Runtime, 9)).toBe(1)
  })

  it('takes at most half of the free disk, and one alone whatever it needs', async () => {
    expect(await atOnce(new ParallelDrills(facts), (parallel) => parallel.untilMayBegin(1, { signal }))).toBe(4)
    expect(await atOnce(new ParallelDrills(facts), (parallel) => parallel.untilMayBegin(20 * gibibyte, { signal }))).toBe(2)
    expect(await atOnce(new ParallelDrills(facts), (parallel) => parallel.untilMayBegin(90 * gibibyte, { signal }))).toBe(1)
  })

  it('takes at most half of the free memory, an unknown container counted as 512 MiB', async () => {
    const started = (need: Partial<IsolationNeeds>) => atOnce(new ParallelDrills(facts), (parallel) => parallel.untilMayStart(needs(need), { signal }))
    expect(await started({ memoryBytes: gibibyte })).toBe(4)
    expect(await started({ memoryBytes: 3 * gibibyte })).toBe(1)
    expect(await started({ memoryBytes: 100 * gibibyte })).toBe(1)
    expect(memoryOfUnknown).toBe(gibibyte / 2)
    expect(await started({ containersOfUnknownMemory: 4 })).toBe(2)
  })

  it('leaves one network, and is one after another where there are too few', async () => {
    const started = (freeNetworks: number | null, networks: number) => atOnce(new ParallelDrills({ ...facts, freeNetworks }), (parallel) => parallel.untilMayStart(needs({ networks }), { signal }))
    expect([await started(4, 1), await started(2, 1), await started(1, 1), await started(5, 2), await started(null, 50)]).toEqual([3, 1, 1, 2, 10])
  })

  it('waits until it is alone where others have containers', async () => {
    const parallel = new ParallelDrills(facts)
    const [one, other] = [await parallel.untilMayStart(needs(), { signal }), await parallel.untilMayStart(needs(), { signal })]
    let isAlone: boolean | null = null
    void one.untilAlone().then((answer) => (isAlone = answer))
    await turn()
    expect(isAlone).toBeNull()
    other.release()
    await turn()
    expect(isAlone).toBe(true)
    expect(await one.untilAlone()).toBe(false)
  })
})

describe('what a stack needs', () => {
  it('are its files, and once more those that may be compared', () => {
    const chosen = (bytes: number | null) => ({ stack: 'web', snapshot: snapshotOf('1'.repeat(64), { bytes }) })
    expect([diskNeeds(chosen(1000), 100), diskNeeds(chosen(1000), 0), diskNeeds(chosen(gibibyte), 1), diskNeeds(chosen(null), 5)]).toEqual([2000, 1000, gibibyte + 256 * 1024 ** 2, 0])
  })

  it('is one network and one container of unknown memory where the runtime does not know', async () => {
    const asked = (isolationNeeds?: Runtime['isolationNeeds']) => needsOf(testRun(), (isolationNeeds === undefined ? {} : { isolationNeeds }) as Runtime, {} as never)
    const unknown = { networks: 1, memoryBytes: 0, containersOfUnknownMemory: 1 }
    expect(await asked()).toEqual(unknown)
    expect(await asked(() => Promise.resolve(failure()))).toEqual(unknown)
    expect(await asked(() => Promise.resolve(ok(needs({ networks: 3 }))))).toEqual(needs({ networks: 3 }))
  })
})
