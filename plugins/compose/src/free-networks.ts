import { answered, failed } from '@stackbk/contract'
import type { Answer, CallOptions, Failure, FreeNetworks } from '@stackbk/contract'

import { addressPoolFix, saysNoFreePool } from './address-pools.js'
import type { Docker } from './docker.js'
import { limitsOf, pathOf } from './engine.js'
import { networkOptions } from './isolated-model.js'
import { list, number, record, text } from './json.js'
import { engineInfo } from './readiness.js'
import { scratchLabel } from './removal.js'

/** A range of IPv4 addresses, from which the engine gives each network a block of `size` bits. */
export interface AddressPool {
  readonly base: string
  readonly size: number
}

/** The pools of an engine whose configuration names none. */
const builtInPools: readonly AddressPool[] = [
  ...Array.from({ length: 15 }, (_, at) => ({ base: `172.${17 + at}.0.0/16`, size: 16 })),
  { base: '192.168.0.0/16', size: 20 },
]

/** Returns the failure as one that may pass when other networks are removed, if the engine has no address pool left; otherwise `null`. */
export function exhaustion(failure: Failure): Failure | null {
  if (!saysNoFreePool(`${failure.toolOutput ?? ''}\n${failure.message}`)) return null
  return { kind: 'failed', message: 'the Docker engine has no free address pool for another network', toolOutput: failure.toolOutput ?? '', fix: addressPoolFix, transient: true }
}

/**
 * Returns about how many more networks the engine can make. Whether there is one at all is tried: routes of the host and networks of
 * other programs take blocks away too, which only the engine knows.
 */
export async function freeNetworks(docker: Docker, scratch: string, options: CallOptions = {}): Promise<Answer<FreeNetworks>> {
  const limits = limitsOf(options)
  const made = await docker.engine.request({ ...limits, what: 'docker network create', method: 'POST', path: '/networks/create', body: { Name: `${scratch}-probe`, Driver: 'bridge', Internal: true, Options: networkOptions, Labels: { [scratchLabel]: scratch } } })
  if (!made.ok) return exhaustion(made.failure) === null ? made : answered({ count: 0, fix: addressPoolFix })
  const [removed, info, networks] = await Promise.all([
    docker.engine.request({ ...limits, what: 'docker network rm', method: 'DELETE', path: pathOf('networks', text(record(made.value.body)['Id'])) }),
    engineInfo(docker, options),
    docker.engine.request({ ...limits, what: 'docker network ls', path: '/networks' }),
  ])
  for (const answer of [removed, info, networks]) if (!answer.ok) return failed(answer.failure)
  const configured = info.ok ? list(info.value['DefaultAddressPools']).map((pool): AddressPool => ({ base: text(pool['Base']), size: number(pool['Size']) })) : []
  const own = text(record(made.value.body)['Id'])
  const used = networks.ok ? list(networks.value.body).filter((network) => text(network['Id']) !== own).flatMap((network) => list(record(network['IPAM'])['Config']).map((config) => text(config['Subnet']))) : []
  return answered({ count: Math.max(1, freeBlocks(configured.length === 0 ? builtInPools : configured, used)), fix: addressPoolFix })
}

/** Returns how many blocks of the pools overlap none of these subnets. What is not IPv4 is passed over. */
export function freeBlocks(pools: readonly AddressPool[], subnets: readonly string[]): number {
  const taken = subnets.flatMap((subnet) => rangeOf(subnet) ?? [])
  let free = 0
  for (const { base, size } of pools) {
    const pool = rangeOf(base)
    if (pool === null || size < 1 || size > 32) continue
    const length = 2 ** (32 - size)
    const within = taken.filter(({ first, last }) => first <= pool.last && last >= pool.first)
    const blocks = Math.floor((pool.last - pool.first + 1) / length)
    // By subnet and not by block: a pool of 10.0.0.0/8 has very many blocks.
    const hit = new Set<number>()
    let allTaken = false
    for (const { first, last } of within) {
      const [from, to] = [Math.floor((Math.max(first, pool.first) - pool.first) / length), Math.floor((Math.min(last, pool.last) - pool.first) / length)]
      allTaken ||= from === 0 && to >= blocks - 1
      if (!allTaken) for (let block = from; block <= to && hit.size < blocks; block++) hit.add(block)
    }
    free += allTaken ? 0 : Math.max(0, blocks - hit.size)
  }
  return free
}

function rangeOf(subnet: string): { readonly first: number; readonly last: number } | null {
  const [, address = '', bits = ''] = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(subnet) ?? []
  if (address === '' || Number(bits) > 32) return null
  const length = 2 ** (32 - Number(bits))
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const first = Math.floor(number / length) * length
  return { first, last: first + length - 1 }
}
