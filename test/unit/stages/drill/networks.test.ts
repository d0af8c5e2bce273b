import type { Capsule, Runtime } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { freeNetworksFor, withNetworks } from '../../../../src/stages/drill/networks.js'
import type { DrillSelection } from '../../../../src/stages/drill/selection.js'
import { at, errorOf, failure, ok, snapshotOf, testRun, write } from '../fixtures.js'

const capsule = (stack: string): string => `state/capsules/${stack}/stackbk-capsule.json`
const chosen = (stack: string) => ({ stack, snapshot: snapshotOf(stack.padEnd(64, '0'), { paths: [at(`stacks/${stack}`), at(capsule(stack))] }) })
const selection = (...stacks: string[]): DrillSelection => ({ chosen: stacks.map(chosen), notDrilled: [], problems: [] })
const runtime = { isolationNeeds: (read: Capsule) => Promise.resolve(ok({ networks: Number((read as unknown as { networks: number }).networks), memoryBytes: 0, containersOfUnknownMemory: 0 })) } as unknown as Runtime
const free = (count: number) => ({ count, fix: 'Add address pools' })

describe('the networks for a drill', () => {
  it('change nothing where there is one, or it is not known', async () => {
    const wanted = selection('web', 'db')
    for (const some of [free(1), null]) expect(await withNetworks(testRun(), runtime, wanted, some)).toBe(wanted)
  })

  it('end it before the copy is fetched where there is none, with what can be done', async () => {
    expect(await errorOf(() => withNetworks(testRun(), runtime, selection('web', 'db'), free(0)))).toMatchObject({ kind: 'failed', code: 'no-free-network', fix: 'Add address pools' })
  })

  it('leave out those that need one, and drill those that are known to need none', async () => {
    write(capsule('web'), JSON.stringify({ networks: 2 }))
    write(capsule('batch'), JSON.stringify({ networks: 0 }))
    const left = await withNetworks(testRun(), runtime, selection('web', 'batch', 'unknown'), free(0))
    expect(left.chosen.map(({ stack }) => stack)).toEqual(['batch'])
    expect(left.notDrilled).toMatchObject([{ name: 'web', code: 0, problem: { severity: 'error', code: 'no-free-network', stack: 'web', fix: 'Add address pools' } }, { name: 'unknown' }])
  })

  it('are not known where the runtime does not say, or cannot', async () => {
    const asked = (freeNetworks?: Runtime['freeNetworks']) => freeNetworksFor(testRun(), (freeNetworks === undefined ? {} : { freeNetworks }) as Runtime, 'label')
    expect(await asked()).toBeNull()
    expect(await asked(() => Promise.resolve(failure()))).toBeNull()
    expect(await asked(() => Promise.resolve(ok(free(7))))).toEqual(free(7))
  })
})
