import { readdir, readFile, readlink } from 'node:fs/promises'
import { BlockList, isIPv6 } from 'node:net'

import type { Json } from './json.js'
import { list, number, record, text } from './json.js'

/** A port of the host that a container wants, or has. */
export interface HostPort {
  /** Empty for all addresses. */
  readonly address: string
  readonly port: number
  readonly protocol: string
}

/** Those that a service of a model wants. A range from which the engine takes a free one, and a port that it chooses, are wanted by nobody in particular. */
export function portsWanted(definition: Json): HostPort[] {
  return list(definition['ports']).flatMap((entry): HostPort[] => {
    const published = text(entry['published']) || String(number(entry['published']) || '')
    if (!/^\d+$/.test(published) || published === '0') return []
    return [{ address: anywhere(text(entry['host_ip'])), port: Number(published), protocol: text(entry['protocol']) || 'tcp' }]
  })
}

/** Those that a running container has, by the engine's own description of it. */
export function portsOf(description: unknown): HostPort[] {
  return Object.entries(record(record(record(description)['NetworkSettings'])['Ports'])).flatMap(([inside, bindings]) =>
    list(bindings).map((binding): HostPort => ({ address: anywhere(text(binding['HostIp'])), port: Number(text(binding['HostPort'])), protocol: inside.split('/')[1] ?? 'tcp' })),
  )
}

export function collide(one: HostPort, other: HostPort): boolean {
  if (one.port !== other.port || one.protocol !== other.protocol) return false
  return one.address === '' || other.address === '' || isSame(one.address, other.address)
}

export function written({ address, port, protocol }: HostPort): string {
  return `${address === '' ? '' : `${isIPv6(address) ? `[${address}]` : address}:`}${port}${protocol === 'tcp' ? '' : `/${protocol}`}`
}

function anywhere(address: string): string {
  return ['0.0.0.0', '::', '[::]'].includes(address) ? '' : address
}

function isSame(one: string, other: string): boolean {
  const family = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4')
  try {
    const only = new BlockList()
    only.addAddress(one, family(one))
    return only.check(other, family(other))
  } catch {
    return one === other
  }
}

interface Listener extends HostPort {
  readonly socket: string
}

/**
 * What listens on the host, from the kernel's own tables (proc(5), /proc/net/tcp). Those of process 1 are asked first: we may
 * have a network of our own, and the engine is rarely in that. What cannot be read is not there: the engine's own refusal comes
 * later then.
 */
export async function listeners(): Promise<readonly Listener[]> {
  const tables = await Promise.all(
    ['tcp', 'tcp6', 'udp', 'udp6'].map(async (table) => {
      const content = (await read(`/proc/1/net/${table}`)) ?? (await read(`/proc/net/${table}`)) ?? ''
      return content.split('\n').slice(1).flatMap((line) => listenerIn(line, table.slice(0, 3)))
    }),
  )
  return tables.flat()
}

/** `sl local_address rem_address st ... inode`; a UDP socket that listens is in state 7, a TCP one in state 0A. */
function listenerIn(line: string, protocol: string): Listener[] {
  const fields = line.trim().split(/\s+/)
  const [address = '', port = ''] = (fields[1] ?? '').split(':')
  if (fields[3] !== (protocol === 'tcp' ? '0A' : '07') || port === '') return []
  return [{ address: anywhere(addressFrom(address)), port: Number.parseInt(port, 16), protocol, socket: fields[9] ?? '' }]
}

/** In words of four bytes, each with its last byte first. */
function addressFrom(hexadecimal: string): string {
  const words = hexadecimal.match(/.{8}/g) ?? []
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)))
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.every((byte) => byte === 0)) return '::'
  if (bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255) return bytes.slice(12).join('.')
  return Array.from({ length: 8 }, (_, at) => ((bytes[2 * at]! << 8) | bytes[2 * at + 1]!).toString(16)).join(':')
}

/** The process that has this socket, as far as this user may see it: name and ID. */
export async function ownerOf(listener: Listener): Promise<string> {
  const wanted = `socket:[${listener.socket}]`
  for (const process of await names('/proc')) {
    if (!/^\d+$/.test(process)) continue
    for (const descriptor of await names(`/proc/${process}/fd`)) {
      if ((await linkOf(`/proc/${process}/fd/${descriptor}`)) === wanted) return `${((await read(`/proc/${process}/comm`)) ?? '').trim() || 'a process'} (process ${process})`
    }
  }
  return 'a process of this host'
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}

async function linkOf(path: string): Promise<string> {
  return readlink(path).catch(() => '')
}

async function read(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null)
}
