import type { IncomingMessage, ServerResponse } from 'node:http'

import { createExec } from '@stackbk/tool-runner'
import { answered } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { createDocker, type Docker } from '../src/docker.js'
import { exhaustion, freeBlocks, freeNetworks } from '../src/free-networks.js'
import { startFakeEngine } from './fake-engine.js'

const tooMany = 'all predefined address pools have been fully subnetted'

/** A docker client of an engine that has these pools and networks, and knows what was asked of it. */
async function engineWith({ create, pools = null, networks = [] }: { create: object | number; pools?: object | null; networks?: readonly string[] }): Promise<{ docker: Docker; requests: readonly string[] }> {
  const refuse = (_: IncomingMessage, response: ServerResponse): void => void response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify({ message: tooMany }))
  const { socketPath, requests } = await startFakeEngine({
    apiVersion: '1.45',
    answers: {
      '/networks/create': create === 403 ? refuse : create,
      '/info': { ServerVersion: '26.1.5', DefaultAddressPools: pools },
      '/networks': networks.map((Subnet, at) => ({ Id: `n${at}`, IPAM: { Config: [{ Subnet }] } })),
      '/networks/probe': {},
    },
  })
  const docker = createDocker(createExec(), [], { socketPath: () => Promise.resolve(answered(socketPath)) })
  onTestFinished(() => docker.engine.close())
  return { docker, requests }
}

test('counts the blocks of address pools that no network overlaps', () => {
  const pools = [{ base: '172.17.0.0/16', size: 16 }, { base: '192.168.0.0/16', size: 20 }]
  expect(freeBlocks(pools, [])).toBe(17)
  expect(freeBlocks(pools, ['172.17.0.0/16', '192.168.16.0/20', '192.168.32.0/24', '192.168.33.0/24', '10.0.0.0/8', 'fd00::/64', ''])).toBe(14)
  // One that reaches over several blocks, over the whole pool, and over its edge.
  expect(freeBlocks(pools, ['192.168.0.0/18'])).toBe(13)
  expect(freeBlocks(pools, ['192.0.0.0/8'])).toBe(1)
  expect(freeBlocks([{ base: '10.0.0.0/8', size: 30 }], ['10.0.0.0/24'])).toBe(2 ** 22 - 64)
  expect(freeBlocks([{ base: 'nonsense', size: 16 }, { base: '10.0.0.0/8', size: 0 }], [])).toBe(0)
})

test('finds none where the engine refuses a network for want of an address pool, with the cure', async () => {
  const { docker, requests } = await engineWith({ create: 403 })
  const answer = await freeNetworks(docker, 'label')
  expect(answer).toMatchObject({ ok: true, value: { count: 0, fix: expect.stringContaining('default-address-pools') as string } })
  expect(requests.some((request) => request.startsWith('DELETE'))).toBe(false)
})

test('fails where the engine refuses a network for another reason', async () => {
  const { docker } = await engineWith({ create: 500 })
  expect(await freeNetworks(docker, 'label')).toMatchObject({ ok: false })
})

test('removes the network that it tried, and counts by the pools of the engine, or by those that are built in', async () => {
  const configured = await engineWith({ create: { Id: 'probe' }, pools: [{ Base: '10.200.0.0/24', Size: 28 }], networks: ['10.200.0.0/28', '172.17.0.0/16'] })
  expect(await freeNetworks(configured.docker, 'label')).toMatchObject({ ok: true, value: { count: 15 } })
  expect(configured.requests.filter((request) => request.startsWith('DELETE'))).toEqual([expect.stringMatching(/\/networks\/probe$/)])
  const builtIn = await engineWith({ create: { Id: 'probe' }, networks: ['172.17.0.0/16', '192.168.0.0/20'] })
  expect(await freeNetworks(builtIn.docker, 'label')).toMatchObject({ ok: true, value: { count: 29 } })
  // One could be made, whatever the count says.
  const full = await engineWith({ create: { Id: 'probe' }, pools: [{ Base: '10.0.0.0/24', Size: 24 }], networks: ['10.0.0.0/24'] })
  expect(await freeNetworks(full.docker, 'label')).toMatchObject({ ok: true, value: { count: 1 } })
})

test.each([
  ['of engine 26', 'Error response from daemon: could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network'],
  ['of engine 28', 'Error response from daemon: all predefined address pools have been fully subnetted'],
])('knows the words %s for no free address pool, which may pass', (_, toolOutput) => {
  expect(exhaustion({ kind: 'failed', message: 'docker compose up failed', toolOutput })).toMatchObject({ kind: 'failed', transient: true, fix: expect.stringContaining('daemon.json') as string })
  expect(exhaustion({ kind: 'failed', message: 'docker compose up failed', toolOutput: 'no such image' })).toBeNull()
})
