import { hostname } from 'node:os'

import { answered, done } from '@stackbk/contract'
import type { Answer, Capsule, CapsuleProject, ProjectState, RebuildReport, RebuildRequest, StackState } from '@stackbk/contract'

import { isAlive, readContainer, toState } from './container.js'
import type { DockerCall } from './docker.js'
import { limitsOf, pathOf } from './engine.js'
import { imageIds } from './images.js'
import { children, type Json, list, record, text, textList } from './json.js'
import { inspectContainers } from './look.js'
import { endpointToJoin } from './lost-networks.js'
import { makeNetwork } from './rebuild-networks.js'
import { startMade } from './start-made.js'
import type { Tools } from './tools.js'

/** What the engine may need to make one container. */
const creationLimitMs = 300_000

/** Returns whether the capsule says how the engine itself has made the containers, so that no model is needed. */
export function tellsOfContainers({ projects }: Capsule): boolean {
  return projects.some(({ containers }) => containers !== undefined)
}

/**
 * Makes the very containers again that a capsule describes as the engine did: by the same names, of the same images, with their
 * settings, labels, networks and volumes, the anonymous ones too, which have to be there still. Then starts those that ran and
 * waits for them. For a stack whose compose files did not resolve when its containers were removed: Compose could not make them.
 */
export async function makeSameContainers(tools: Tools, capsule: Capsule, request: Pick<RebuildRequest, 'directory' | 'noStart' | 'healthTimeoutMs' | 'signal'>): Promise<Answer<RebuildReport>> {
  const call: DockerCall = { signal: request.signal, timeoutMs: creationLimitMs }
  const networks = await makeLostNetworks(tools, capsule, call)
  if (!networks.ok) return networks
  const made = await makeAll(tools, capsule, call)
  if (!made.ok) return made
  const state = await stateToStart(tools, capsule, { directory: request.directory, made: made.value }, call)
  if (!state.ok) return state
  const whole = { unprovenImages: [], losses: [] }
  if (request.noStart) return answered({ isUp: false, missing: [], completed: [], ...whole })
  for (const project of state.value.projects) tools.hooks.forget(project)
  const up = await startMade(tools, state.value, request)
  return up.ok ? answered({ ...up.value, ...whole }) : up
}

function containersIn({ containers }: CapsuleProject): readonly Json[] {
  return list(containers)
}

/** Makes the networks again that are gone, with their own addresses. */
async function makeLostNetworks(tools: Tools, { projects }: Capsule, call: DockerCall): Promise<Answer<void>> {
  const recorded = new Map(projects.flatMap(({ networks }) => networks).map((network) => [network.name, network]))
  const present = await tools.docker.inspect('network', [...recorded.keys()], call)
  if (!present.ok) return present
  for (const name of present.value.missing) {
    const made = await makeNetwork(tools.docker, recorded.get(name)!, call)
    if (!made.ok) return made
  }
  return done
}

/** Returns the new IDs by the old ones. A container comes after those whose network, processes, memory or volumes it shares. */
async function makeAll(tools: Tools, { projects, engine }: Capsule, call: DockerCall): Promise<Answer<ReadonlyMap<string, string>>> {
  const containers = projects.flatMap(containersIn)
  const joinsAllAtOnce = Number.parseInt(engine.version, 10) >= 25
  const images = await imageIds(tools.docker, containers.map((container) => text(record(container['Config'])['Image'])), call)
  if (!images.ok) return images
  const made = new Map<string, string>()
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

/** What was made, described as it ran before. */
async function stateToStart(tools: Tools, { projects }: Capsule, { directory, made }: { readonly directory: string; readonly made: ReadonlyMap<string, string> }, call: DockerCall): Promise<Answer<StackState>> {
  const takenAt = new Date().toISOString()
  const present = await inspectContainers(tools.docker, [...made.values()], call)
  if (!present.ok) return present
  const states = projects.map((project): ProjectState => {
    const { name, workingDirectory, configFiles, environmentFiles } = project
    const containers = containersIn(project).flatMap((description) => {
      const was = readContainer(description)
      const now = present.value.get(made.get(was.id) ?? '')
      return now === undefined ? [] : [isAlive(was) ? { ...toState(now), condition: was.condition, health: was.health } : toState(now)]
    })
    return { name, workingDirectory, configFiles, environmentFiles, containers }
  })
  return answered({ schemaVersion: 1, directory, condition: 'running', failure: null, projects: states, dependents: [], takenAt })
}
