import { answered, done } from '@stackbk/contract'
import type { Answer } from '@stackbk/contract'

import type { Named } from './container-calls.js'
import type { Docker } from './docker.js'
import { type CallLimits, limitsOf, pathOf } from './engine.js'
import { children, type Json, list, record, text, textList } from './json.js'

/** A network that a container joins at its start, by an ID that no network has any more. */
export interface LostNetwork {
  readonly name: string
  /** A network of the same name is there: it was made since. */
  readonly isMadeAgain: boolean
  /** How the container was connected. */
  readonly endpoint: Json
}

/** Whether the engine refused a start since a network is gone, as after a `docker network prune` while the stack was stopped. */
export function lacksNetwork({ message, toolOutput = '' }: { readonly message: string; readonly toolOutput?: string }): boolean {
  return /network \S+ not found/i.test(`${message} ${toolOutput}`)
}

/** Returns the networks of a container that are gone. */
export async function lostNetworks(docker: Docker, container: Named, limits: CallLimits): Promise<Answer<readonly LostNetwork[]>> {
  const inspected = await docker.inspect('container', [container.id], limits)
  if (!inspected.ok) return inspected
  const [description] = list(inspected.value.found)
  const joined = children(record(record(description)['NetworkSettings'])['Networks'])
  const networks = await docker.inspect('network', joined.flatMap(([name, endpoint]) => [name, text(endpoint['NetworkID'])]).filter((name) => name !== ''), limits)
  if (!networks.ok) return networks
  return answered(
    joined.filter(([, endpoint]) => networks.value.missing.includes(text(endpoint['NetworkID']))).map(([name, endpoint]) => ({ name, isMadeAgain: networks.value.byName.has(name), endpoint })),
  )
}

/** Connects a container that does not run to the network of the same name, as it was connected to the one that is gone. */
export async function connectAgain(docker: Docker, container: Named, { name, endpoint }: LostNetwork, limits: CallLimits): Promise<Answer<void>> {
  const call = (verb: 'disconnect' | 'connect', body: Json): ReturnType<Docker['engine']['request']> =>
    docker.engine.request({ ...limitsOf(limits), what: `docker network ${verb} of ${container.name} and ${name}`, method: 'POST', path: pathOf('networks', name, verb), body: { Container: container.id, ...body } })
  const disconnected = await call('disconnect', { Force: true })
  if (!disconnected.ok) return disconnected
  const connected = await call('connect', { EndpointConfig: endpointToJoin(container.id, endpoint) })
  return connected.ok ? done : connected
}

/** Returns what the engine is to be told of a connection, of all that it says of one that a container has or had. */
export function endpointToJoin(containerId: string, endpoint: Json): Json {
  const kept = ['IPAMConfig', 'Links', 'DriverOpts', 'GwPriority'].filter((key) => endpoint[key] !== undefined && endpoint[key] !== null)
  // The engine adds the short ID itself.
  const aliases = textList(endpoint['Aliases']).filter((alias) => !containerId.startsWith(alias))
  const mac = text(endpoint['MacAddress'])
  return { ...Object.fromEntries(kept.map((key) => [key, endpoint[key]])), Aliases: aliases, ...(mac === '' ? {} : { MacAddress: mac }) }
}
