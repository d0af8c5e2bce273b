import { createHash } from 'node:crypto'

import { answered } from '@stackbk/contract'
import type { Answer, CallOptions, ContainerMount, ContainerState, ProjectState } from '@stackbk/contract'

import type { Docker } from './docker.js'
import { children, type Json, jsonAsGoWrites, list, record, text, texts, withPlainDollars } from './json.js'
import { realPath } from './paths.js'
import { existingVolumes, type Volume } from './volumes.js'

/** Compose writes it on networks and volumes that it makes (2.31 and newer); where it differs, `up` would make them again. */
const configHash = 'com.docker.compose.config-hash'

export interface AppliedChanges {
  /** What a container made of the model now would have differently. Sentences for the report. */
  readonly differences: readonly string[]
  /** Networks that have another name in the model now: the name that they have, and the new one. */
  readonly renamedNetworks: ReadonlyMap<string, string>
}

/**
 * Compares what runs with what stands behind the names that its services use: the volumes, networks, secrets and configs of the
 * top level of the model. Compose's hash of a service holds the names alone, so it does not see that a volume has another name,
 * device or option, a network another range, or a secret another file.
 */
export async function compareTopLevel(docker: Docker, project: ProjectState, resolved: Json, ran: readonly ContainerState[], options: CallOptions = {}): Promise<Answer<AppliedChanges>> {
  const model = record(withPlainDollars(resolved))
  const services = record(model['services'])
  const used = ran.flatMap((container) => (services[container.service] === undefined ? [] : [{ container, definition: record(services[container.service]) }]))
  const wanted = volumesOf(project, model, used.map(({ definition }) => definition))
  const networkNames = [...new Set(ran.flatMap((container) => container.networks))]
  const [volumes, networks] = await Promise.all([existingVolumes(docker, wanted.map((volume) => volume.name), options), existingNetworks(docker, networkNames, options)])
  if (!volumes.ok) return volumes
  if (!networks.ok) return networks
  const renamedNetworks = findRenamedNetworks(project, model, used, networks.value)
  const mounts = await Promise.all(used.map(({ container, definition }) => mountDifferences(project, model, container, definition)))
  return answered({
    differences: [
      ...mounts.flat(),
      ...used.flatMap(({ container, definition }) => restartDifference(container, definition)),
      ...wanted.flatMap((volume) => volumeDifference(volume, volumes.value.get(volume.name))),
      ...networksOf(model, used.map(({ definition }) => definition)).flatMap(([name, declared]) => networkDifference(name, declared, networks.value.get(name))),
      ...[...renamedNetworks].map(([before, now]) => `network ${before} has the name ${now} in the compose file now, and the change was not applied yet`),
    ],
    renamedNetworks,
  })
}

interface DeclaredVolume {
  readonly name: string
  readonly declared: Json
}

/** Returns the volumes that these services mount and that Compose would make: not the external ones. */
function volumesOf(project: ProjectState, model: Json, definitions: readonly Json[]): DeclaredVolume[] {
  const keys = new Set(definitions.flatMap((definition) => list(definition['volumes']).filter((mount) => text(mount['type']) === 'volume').map((mount) => text(mount['source']))))
  return children(model['volumes']).filter(([key, declared]) => keys.has(key) && declared['external'] !== true).map(([key, declared]) => ({ name: volumeName(project, key, declared), declared }))
}

/** Returns the name by which the engine knows a volume that is declared under this key. */
export function volumeName(project: ProjectState, key: string, declared: Json): string {
  return text(declared['name']) || (declared['external'] === true ? key : `${project.name}_${key}`)
}

interface WantedMount {
  readonly target: string
  readonly kind: ContainerMount['kind']
  /** The name of a volume, the path of a bind. */
  readonly from: string
  readonly what: string
}

async function mountDifferences(project: ProjectState, model: Json, container: ContainerState, definition: Json): Promise<string[]> {
  const differences: string[] = []
  for (const wanted of [...volumesAndBinds(project, model, definition), ...files(model, definition, 'secrets'), ...files(model, definition, 'configs')]) {
    const mount = container.mounts.find((one) => tidied(one.target) === tidied(wanted.target))
    if (mount === undefined) {
      differences.push(`${container.name} does not have the ${wanted.what} at ${wanted.target} that the compose file names`)
      continue
    }
    const from = mount.kind === 'volume' ? mount.name : mount.source
    const isSame = mount.kind === wanted.kind && (from === wanted.from || (wanted.kind === 'bind' && (await realPath(from)) === (await realPath(wanted.from))))
    if (!isSame) differences.push(`${container.name} has ${from || mount.kind} at ${wanted.target}, and the compose file names ${wanted.from} now`)
  }
  return differences
}

function volumesAndBinds(project: ProjectState, model: Json, definition: Json): WantedMount[] {
  return list(definition['volumes']).flatMap((mount): WantedMount[] => {
    const [type, source, target] = [text(mount['type']), text(mount['source']), text(mount['target'])]
    // Without a source it is an anonymous volume, which is new with each container.
    if (source === '') return []
    if (type === 'bind') return [{ target, kind: 'bind', from: source, what: `bind of ${source}` }]
    if (type !== 'volume') return []
    const name = volumeName(project, source, record(record(model['volumes'])[source]))
    return [{ target, kind: 'volume', from: name, what: `volume ${name}` }]
  })
}

/** Returns the secrets or configs of a service that Compose mounts from files. Those of other sources are copied at creation. */
function files(model: Json, definition: Json, kind: 'secrets' | 'configs'): WantedMount[] {
  return placesOfFiles(definition, kind).flatMap(({ source, target }): WantedMount[] => {
    const file = text(record(record(model[kind])[source])['file'])
    return file === '' ? [] : [{ target, kind: 'bind', from: file, what: `${kind.slice(0, -1)} ${source}` }]
  })
}

/** Returns the keys of the secrets or configs that a service uses, with the path that each has in the container. */
export function placesOfFiles(definition: Json, kind: 'secrets' | 'configs'): { readonly source: string; readonly target: string }[] {
  return list(definition[kind]).map((use) => {
    const source = text(use['source'])
    const target = text(use['target']) || source
    return { source, target: target.startsWith('/') ? target : `${kind === 'secrets' ? '/run/secrets/' : '/'}${target}` }
  })
}

/** Returns the path without doubled slashes and without one at its end. */
export function tidied(path: string): string {
  return path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')
}

/** `docker update --restart` changes a container without its compose file. */
function restartDifference(container: ContainerState, definition: Json): string[] {
  if ('restart_policy' in record(definition['deploy'])) return []
  const wanted = text(definition['restart']).split(':')[0] || 'no'
  return wanted === container.restartPolicy ? [] : [`${container.name} has the restart policy ${container.restartPolicy}, and the compose file says ${wanted}`]
}

function volumeDifference({ name, declared }: DeclaredVolume, volume: Volume | undefined): string[] {
  if (volume === undefined) return []
  const driver = text(declared['driver']) || 'local'
  const isSame = volume.labels[configHash] === undefined
    ? volume.driver === driver && hasSame(volume.options, texts(declared['driver_opts'])) && holds(volume.labels, texts(declared['labels']))
    : volume.labels[configHash] === hashOf({ name: declared['name'], driver, ...declared })
  return isSame ? [] : [`volume ${name} was changed in the compose file, and the change was not applied yet`]
}

/** Returns the networks that these services join and that Compose would make, with their real names. */
function networksOf(model: Json, definitions: readonly Json[]): [string, Json][] {
  const keys = new Set(definitions.flatMap((definition) => Object.keys(record(definition['networks']))))
  return children(model['networks']).filter(([key, declared]) => keys.has(key) && declared['external'] !== true).map(([key, declared]) => [text(declared['name']) || key, declared])
}

function networkDifference(name: string, declared: Json, network: Json | undefined): string[] {
  if (network === undefined) return []
  const labels = texts(network['Labels'])
  const isSame = labels[configHash] === undefined ? looksSame(declared, network, labels) : labels[configHash] === hashOf(declared)
  return isSame ? [] : [`network ${name} was changed in the compose file, and the change was not applied yet`]
}

/** For a network without Compose's hash. What the file does not say is the engine's own choice. */
function looksSame(declared: Json, network: Json, labels: Readonly<Record<string, string>>): boolean {
  const ipam = record(declared['ipam'])
  const ranges = list(record(network['IPAM'])['Config'])
  const says = (key: string, has: unknown): boolean => declared[key] === undefined || declared[key] === has
  return (
    says('driver', network['Driver']) &&
    (declared['internal'] === true) === (network['Internal'] === true) &&
    (declared['attachable'] === true) === (network['Attachable'] === true) &&
    says('enable_ipv6', network['EnableIPv6']) &&
    hasSame(texts(network['Options']), texts(declared['driver_opts'])) &&
    holds(labels, texts(declared['labels'])) &&
    (text(ipam['driver']) === '' || text(ipam['driver']) === text(record(network['IPAM'])['Driver'])) &&
    list(ipam['config']).every((range) => ranges.some((one) => text(one['Subnet']) === text(range['subnet']) && isGiven(range['gateway'], one['Gateway']) && isGiven(range['ip_range'], one['IPRange'])))
  )
}

function isGiven(declared: unknown, present: unknown): boolean {
  return text(declared) === '' || text(declared) === text(present)
}

/**
 * Returns the networks that have another name in the model now, by the name that they have. A network of the project keeps its
 * key in the model as a label, whatever name it has.
 */
export function findRenamedNetworks(project: ProjectState, model: Json, used: readonly { readonly container: ContainerState; readonly definition: Json }[], networks: ReadonlyMap<string, Json>): Map<string, string> {
  const names = new Map<string, string>()
  for (const { container, definition } of used) {
    for (const name of container.networks) {
      const labels = texts(record(networks.get(name))['Labels'])
      const key = labels['com.docker.compose.network'] ?? ''
      if (labels['com.docker.compose.project'] !== project.name || !(key in record(definition['networks']))) continue
      const now = text(record(record(model['networks'])[key])['name']) || key
      if (now !== name && !container.networks.includes(now)) names.set(name, now)
    }
  }
  return names
}

/** Returns Compose's own hash of a network or volume: that of its JSON, in the order of the model, as Go writes it. */
function hashOf(declared: Json): string {
  return createHash('sha256').update(jsonAsGoWrites(declared)).digest('hex')
}

function hasSame(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  return holds(one, other) && holds(other, one)
}

function holds(all: Readonly<Record<string, string>>, some: Readonly<Record<string, string>>): boolean {
  return Object.entries(some).every(([key, value]) => all[key] === value)
}

async function existingNetworks(docker: Docker, names: readonly string[], options: CallOptions): Promise<Answer<ReadonlyMap<string, Json>>> {
  const inspected = await docker.inspect('network', names.filter((name) => name !== ''), options)
  if (!inspected.ok) return inspected
  return answered(new Map(inspected.value.found.map((network) => [text(record(network)['Name']), record(network)])))
}
