import { BlockList, isIPv6 } from 'node:net'

import { files } from '@stackbk/tool-runner/files'

/**
 * Returns the addresses that are this machine's own where the engine publishes ports, from the kernel's tables (proc(5): `fib_trie` and
 * `if_inet6`). Those of this process, of the first one and of these processes all count: an engine without root publishes where the first
 * process is, and has another network itself. `null` where one of the tables cannot be read.
 */
export async function localAddresses(processes: readonly number[]): Promise<BlockList | null> {
  const addresses = new BlockList()
  for (const process of new Set(['self', '1', ...processes.map(String)])) {
    const [routes, ofIpv6] = await Promise.all([read(`/proc/${process}/net/fib_trie`), read(`/proc/${process}/net/if_inet6`)])
    if (routes === null) return null
    addIpv4(addresses, routes)
    // A kernel without IPv6 has no such table, and nothing is published there.
    addIpv6(addresses, ofIpv6 ?? '')
  }
  return addresses
}

/** Returns whether the kernel lets a program use an address that this machine does not have, as for one that moves between machines. */
export async function mayUseAnyAddress(address: string): Promise<boolean> {
  return (await read(`/proc/sys/net/ipv${isIPv6(address) ? 6 : 4}/ip_nonlocal_bind`))?.trim() === '1'
}

/** A network stands on a line of its own, and below it what it is: `|-- 192.0.2.2`, then `/32 host LOCAL`. */
function addIpv4(addresses: BlockList, table: string): void {
  let network = ''
  for (const line of table.split('\n')) {
    network = /\|-- ([\d.]+)$/.exec(line)?.[1] ?? network
    const length = /\/(\d+) host LOCAL\b/.exec(line)?.[1]
    if (length !== undefined && network !== '') addresses.addSubnet(network, Number(length), 'ipv4')
  }
}

/** `00000000000000000000000000000001 01 80 10 80 lo`: the address first, without colons. */
function addIpv6(addresses: BlockList, table: string): void {
  for (const [, digits = ''] of table.matchAll(/^([\da-f]{32}) /gm)) addresses.addAddress(digits.match(/.{4}/g)!.join(':'), 'ipv6')
}

async function read(path: string): Promise<string | null> {
  return files.readText(path).catch(() => null)
}
