import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

import { expect, test } from 'vitest'

import { localAddresses, mayUseAnyAddress } from '../src/local-addresses.js'

test('the addresses of a machine are those of its interfaces, and all that begin with 127', async () => {
  const addresses = await localAddresses([process.pid, process.ppid])
  const isLocal = (address: string): boolean | undefined => addresses?.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address))
  expect(own.length).toBeGreaterThan(0)
  for (const address of [...own, '127.0.0.1', '127.9.9.9']) expect(isLocal(address), address).toBe(true)
  // Addresses for documentation (RFC 5737, RFC 3849), the broadcast address and the names of networks.
  for (const address of ['203.0.113.9', '2001:db8::9', '0.0.0.0', '255.255.255.255', '127.0.0.1'.replace('127', '126')]) expect(isLocal(address), address).toBe(false)
})

test('nothing is known of them where the tables of a process cannot be read', async () => {
  expect(await localAddresses([2 ** 22 + 1])).toBeNull()
  expect(await Promise.all(['192.0.2.1', '2001:db8::1'].map(mayUseAnyAddress))).toEqual([false, false])
})
