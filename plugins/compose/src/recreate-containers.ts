import { hostname } from 'node:os'

import { answered, done, failed } from '@stackbk/contract'
import type { Answer, ContainerState } from '@stackbk/contract'

import { readContainer } from './container.js'
import type { DockerCall } from './docker.js'
import { limitsOf, pathOf } from './engine.js'
import { imageIds } from './images.js'
import { children, type Json, list, record, text, textList } from './json.js'
import type { Listed } from './look.js'
import { endpointToJoin } from './lost-networks.js'
import { knownEngine } from './readiness.js'
import type { Tools } from './tools.js'

/** The time in milliseconds that the engine may need to create one container. */
export const creationLimitMs = 300_000

export interface ContainersToCreate {
  /** The engine's descriptions of the containers. */
  readonly containers: readonly Json[]
  readonly engineVersion: string
  /** The new IDs, by the old ones, of existing containers that they may share something with. */
  readonly present?: ReadonlyMap<string, string>
}

/**
 * Recreates containers that this process removed, exactly as they were, and starts none: for a start that Compose cannot do,
 * because the compose files or their folder changed since the stop. `present` lists the existing containers of the stack.
 */
export async function recreateRemovedContainers(tools: Tools, removed: readonly ContainerState[], present: readonly Listed[]): Promise<Answer<void>> {
  const containers = removed.map(({ id }) => tools.removals.describedAs(id)).filter((container) => container !== null)
  if (containers.length < removed.length) return failed({ kind: 'not-found', message: 'There is no record of how to recreate the containers' })
  const call: DockerCall = { timeoutMs: creationLimitMs }
  const engine = await knownEngine(tools.docker, call)
  if (!engine.ok) return engine
  const made = await createContainers(tools, { containers, engineVersion: engine.value.engine, present: tools.removals.recreatedIn(present) }, call)
  return made.ok ? done : made
}

/** Creates containers and starts none. Returns the new IDs by the old ones. A container is created after those whose network, processes, memory or volumes it shares. */
export async function createContainers(tools: Tools, { containers, engineVersion, present }: ContainersToCreate, call: DockerCall): Promise<Answer<ReadonlyMap<string, string>>> {
  const joinsAllAtOnce = Number.parseInt(engineVersion, 10) >= 25
  const images = await imageIds(tools.docker, containers.map((container) => text(record(container['Config'])['Image'])), call)
  if (!images.ok) return images
  const made = new Map(present)
  let waiting = containers
  while (waiting.length > 0) {
    const ready = waiting.filter((container) => !waiting.some((other) => other !== container && sharesOf(container).some((share) => share.includes(idOf(other)))))
    // The engine itself cannot make containers that need one another: it says so.
    for (const container of ready.length > 0 ? ready : waiting) {
      const one = await makeOne(tools, container, { images: images.value, made, joinsAllAtOnce }, call)
      if (!one.ok) return one
      made.set(idOf(container), one.value)
    }
    waiting = waiting.filter((container) => !made.has(idOf(container)))
  }
  return answered(made)
}

/** Returns what of a container may name another one by its ID. */
function sharesOf(container: Json): readonly string[] {
  const host = record(container['HostConfig'])
  return [...['NetworkMode', 'PidMode', 'IpcMode'].map((key) => text(host[key])), ...textList(host['VolumesFrom'])]
}

interface Making {
  /** What references mean now. */
  readonly images: ReadonlyMap<string, string>
  /** The new IDs by the old ones, so far. */
  readonly made: ReadonlyMap<string, string>
  /** Engines before version 25 take one network at the creation, and later ones heed a hardware address only there. */
  readonly joinsAllAtOnce: boolean
}

async function makeOne(tools: Tools, container: Json, { images, made, joinsAllAtOnce }: Making, call: DockerCall): Promise<Answer<string>> {
  const name = text(container['Name']).replace(/^\//, '')
  const config = record(container['Config'])
  const reference = text(config['Image'])
  const networks = networksOf(container)
  const [atOnce, later] = joinsAllAtOnce ? [networks, []] : [networks.slice(0, 1), networks.slice(1)]
  const created = await tools.docker.engine.request({
    ...limitsOf(call),
    what: `docker create of ${name}`,
    method: 'POST',
    path: '/containers/create',
    query: { name },
    body: {
      ...configOf(container),
      // The reference may mean another image by now.
      Image: images.get(reference) === text(container['Image']) ? reference : text(container['Image']),
      HostConfig: hostConfigOf(container, made),
      NetworkingConfig: { EndpointsConfig: Object.fromEntries(atOnce) },
    },
  })
  if (!created.ok) return created
  const id = text(record(created.value.body)['Id'])
  for (const [network, endpoint] of later) {
    const connected = await tools.docker.engine.request({ ...limitsOf(call), what: `docker network connect of ${name} and ${network}`, method: 'POST', path: pathOf('networks', network, 'connect'), body: { Container: id, EndpointConfig: endpoint } })
    if (!connected.ok) return connected
  }
  return answered(id)
}

/** Without what the engine has given the container itself, or would not take from another: its ID for a name, what comes with another's network. */
function configOf(container: Json): Json {
  const config = record(container['Config'])
  const host = record(container['HostConfig'])
  const sharesNetwork = text(host['NetworkMode']).startsWith('container:')
  const name = text(config['Hostname'])
  const isGivenName = idOf(container).startsWith(name) || host['UTSMode'] === 'host' || (host['NetworkMode'] === 'host' && name === hostname())
  const left = new Set([...(isGivenName ? ['Hostname'] : []), ...(sharesNetwork ? ['Hostname', 'Domainname', 'ExposedPorts', 'MacAddress'] : [])])
  return Object.fromEntries(Object.entries(config).filter(([key]) => !left.has(key)))
}

/** With the new IDs of the containers that it shares something with, and with its anonymous volumes by their names. */
function hostConfigOf(container: Json, made: ReadonlyMap<string, string>): Json {
  const host = record(container['HostConfig'])
  const renamed = (share: string): string => [...made].reduce((words, [old, now]) => words.replace(old, now), share)
  const anonymous = readContainer(container).mounts.filter(({ kind, isAnonymous }) => kind === 'volume' && isAnonymous)
  const mounts = list(host['Mounts']).map((mount) => {
    const volume = mount['Type'] === 'volume' && text(mount['Source']) === '' ? anonymous.find(({ target }) => target === mount['Target']) : undefined
    return volume === undefined ? mount : { ...mount, Source: volume.name }
  })
  const binds = textList(host['Binds'])
  const isNamed = (target: string): boolean => mounts.some((mount) => mount['Target'] === target) || binds.some((bind) => bind.split(':')[1] === target)
  const more = anonymous.filter(({ target }) => !isNamed(target)).map(({ name, target, writable }) => `${name}:${target}:${writable ? 'rw' : 'ro'}`)
  return {
    ...host,
    ...Object.fromEntries(['NetworkMode', 'PidMode', 'IpcMode'].filter((key) => text(host[key]) !== '').map((key) => [key, renamed(text(host[key]))])),
    ...(Array.isArray(host['VolumesFrom']) ? { VolumesFrom: textList(host['VolumesFrom']).map(renamed) } : {}),
    Mounts: mounts,
    Binds: [...binds, ...more],
  }
}

/** Returns the networks that the container is connected to, that of its network mode first; none where the mode gives it all that it has. */
function networksOf(container: Json): readonly (readonly [string, Json])[] {
  const mode = text(record(container['HostConfig'])['NetworkMode'])
  const joined = children(record(container['NetworkSettings'])['Networks']).filter(([name]) => !['bridge', 'host', 'none'].includes(name))
  return joined.toSorted(([one], [other]) => Number(other === mode) - Number(one === mode)).map(([name, endpoint]) => [name, endpointToJoin(idOf(container), withoutGivenAddress(endpoint))])
}

/** Engines before version 28 make the hardware address of the IP address: kept, it would be that of another container's next address. */
function withoutGivenAddress({ MacAddress: hardware, ...endpoint }: Json): Json {
  const bytes = text(endpoint['IPAddress']).split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
  return text(hardware) === ['02', '42', ...bytes].join(':') ? endpoint : { ...endpoint, MacAddress: hardware }
}

function idOf(container: Json): string {
  return text(container['Id'])
}
