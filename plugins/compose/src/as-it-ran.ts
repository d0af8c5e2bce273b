import type { Answer, ContainerMount, ContainerState, ProjectState } from '@stackbk/contract'

import { findRenamedNetworks, placesOfFiles, tidied, volumeName } from './applied.js'
import { isAlive, isKnownFromCapsule, label } from './container.js'
import { isAbsent } from './engine-host.js'
import { children, type Json, list, record, text, textList, texts, withPlainDollars } from './json.js'
import { realPath } from './paths.js'
import type { Volume } from './volumes.js'

/** What the engine says of the volumes and networks that model and containers name, and Compose's hash of each service of the model. */
export interface Present {
  readonly volumes: ReadonlyMap<string, Volume>
  readonly networks: ReadonlyMap<string, Json>
  readonly hashes: () => Promise<Answer<ReadonlyMap<string, string>>>
}

/** A service of the model, with the container that stands for all of them. */
interface Ran {
  readonly service: string
  readonly container: ContainerState
}

/** A mount of a named volume in the model, with the name of the volume that the container has there. */
interface VolumeMount extends Ran {
  /** Where it stands in the list of the service's mounts. */
  readonly at: number
  readonly key: string
  readonly actual: string
}

type Services = Map<string, Json>

/**
 * Returns the model as the containers have it: an edit of the compose file that was not applied yet has not moved any data, so
 * what is mounted where, and what the networks are called, is taken from the containers. All else stays as the model says it.
 */
export async function modelAsItRan(project: ProjectState, model: Json, present: Present): Promise<Json> {
  const services: Services = new Map(children(model['services']))
  const ran = [...services.keys()].flatMap((service): Ran[] => {
    const container = standsFor(project, service)
    return container === undefined ? [] : [{ service, container }]
  })
  if (ran.length === 0) return model
  const changed = await withMounts(services, ran, present)
  const volumes = withVolumeNames(project, model, changed, ran, present.volumes)
  const networks = withNetworkNames(project, model, changed, ran, present.networks)
  const files = await Promise.all((['secrets', 'configs'] as const).map(async (kind): Promise<[string, Json]> => [kind, await withFiles(model, kind, changed, ran)]))
  const parts = { services: Object.fromEntries(changed), volumes, networks, ...Object.fromEntries(files) }
  return { ...model, ...Object.fromEntries(Object.entries(parts).filter(([kind, part]) => kind in model || Object.keys(part).length > 0)) }
}

/** What runs before what is stopped, and the first of several. */
function standsFor(project: ProjectState, service: string): ContainerState | undefined {
  const own = project.containers.filter((container) => container.service === service && !container.isOneOff && !isKnownFromCapsule(container))
  return own.toSorted((one, other) => Number(isAlive(other)) - Number(isAlive(one)) || one.number - other.number)[0]
}

/** An equal hash proves that the mounts are those of the model, but for the names of volumes. */
async function withMounts(services: ReadonlyMap<string, Json>, ran: readonly Ran[], present: Present): Promise<Services> {
  const changed: Services = new Map(services)
  for (const { service, container } of ran) {
    const definition = services.get(service)!
    const mounts = await mountsOf(definition, container)
    if (mounts === null) continue
    const hashes = await present.hashes()
    if (hashes.ok && hashes.value.get(service) !== container.configHash) changed.set(service, { ...definition, volumes: mounts })
  }
  return changed
}

/** Returns the mounts of a service as its container has them; `null` where the model says the same, names of volumes aside. */
async function mountsOf(definition: Json, container: ContainerState): Promise<readonly Json[] | null> {
  const declared = list(definition['volumes'])
  const isPersistent = ({ type, source }: Json): boolean => (type === 'bind' || type === 'volume') && text(source) !== ''
  const kept = await Promise.all(
    declared.map(async (mount): Promise<readonly Json[]> => {
      if (!isPersistent(mount)) return [mount]
      const actual = container.mounts.find((one) => tidied(one.target) === targetOf(mount))
      if (actual === undefined) return []
      if (actual.kind === 'other' || (await isSame(mount, actual))) return [mount]
      return [mount['type'] === 'bind' && actual.kind === 'bind' ? { ...mount, source: doubled(actual.source) } : mountOf(actual)]
    }),
  )
  const known = new Set([...declared.map(targetOf), ...(['secrets', 'configs'] as const).flatMap((kind) => placesOfFiles(definition, kind).map(({ target }) => tidied(target)))])
  // Those of another container come with `volumes_from`.
  const more = textList(definition['volumes_from']).length > 0 ? [] : container.mounts.filter((mount) => !known.has(tidied(mount.target)) && !tidied(mount.target).startsWith('/run/secrets/') && (mount.kind === 'bind' || (mount.kind === 'volume' && !mount.isAnonymous)))
  const there = await Promise.all(more.map(async (mount) => (mount.kind === 'bind' && (await isAbsent(mount.source)) ? [] : [mountOf(mount)])))
  const mounts = [...kept.flat(), ...there.flat()]
  return mounts.length === declared.length && mounts.every((mount, at) => mount === declared[at]) ? null : mounts
}

/** The path of another machine's engine, which is not here, says nothing. */
async function isSame(declared: Json, actual: ContainerMount): Promise<boolean> {
  if (declared['type'] === 'volume') return actual.kind === 'volume' && !actual.isAnonymous
  if (actual.kind !== 'bind') return false
  return (await isSamePath(plain(declared['source']), actual.source)) || (await isAbsent(actual.source))
}

async function isSamePath(one: string, other: string): Promise<boolean> {
  return one === other || (await realPath(one)) === (await realPath(other))
}

/** A volume stands by its real name until it has a key: see {@link withVolumeNames}. */
function mountOf({ kind, name, source, target, writable, isAnonymous }: ContainerMount): Json {
  const from = kind === 'bind' ? source : isAnonymous ? '' : name
  return { type: kind, ...(from === '' ? {} : { source: doubled(from) }), target: doubled(target), ...(writable ? {} : { read_only: true }) }
}

/**
 * Gives the mounted volumes the names that they have in the containers: by another key of the model that has this name, else by
 * changing the name in the declaration, so that the service stays as it is, else by a key of its own. Returns the declarations,
 * and changes the services.
 */
function withVolumeNames(project: ProjectState, model: Json, services: Services, ran: readonly Ran[], volumes: ReadonlyMap<string, Volume>): Json {
  const declared = new Map(children(model['volumes']))
  const nameOf = (key: string): string => (declared.has(key) ? volumeName(project, key, record(withPlainDollars(declared.get(key)))) : '')
  const uses = ran.flatMap(({ service, container }) =>
    list(services.get(service)!['volumes']).flatMap((mount, at): VolumeMount[] => {
      const actual = container.mounts.find((one) => tidied(one.target) === targetOf(mount))
      return mount['type'] === 'volume' && text(mount['source']) !== '' && actual?.kind === 'volume' && !actual.isAnonymous ? [{ service, container, at, key: text(mount['source']), actual: actual.name }] : []
    }),
  )
  const others = uses.filter(({ key, actual }) => nameOf(key) !== actual)
  if (others.length === 0) return Object.fromEntries(declared)
  const keys = new Map([...declared.keys()].map((key) => [nameOf(key), key]))
  const isPinned = (key: string): boolean => uses.some((use) => keys.get(use.actual) === key)
  for (const use of others) {
    let key = keys.get(use.actual)
    if (key === undefined) {
      key = declared.has(use.key) && !isPinned(use.key) ? use.key : unusedKey(use.actual, declared)
      declared.set(key, declarationOf(project, use.actual, declared.get(use.key) ?? {}, volumes.get(use.actual)))
      keys.set(use.actual, key)
    }
    if (key !== use.key) services.set(use.service, withSource(services.get(use.service)!, use.at, key))
  }
  return Object.fromEntries(declared)
}

function unusedKey(name: string, declared: ReadonlyMap<string, Json>): string {
  let key = name
  while (declared.has(key)) key = `${key}-1`
  return key
}

function withSource(definition: Json, at: number, source: string): Json {
  return { ...definition, volumes: list(definition['volumes']).map((mount, index) => (index === at ? { ...mount, source } : mount)) }
}

/** A volume that carries the label of the project is its own, whatever the file says by now; that of another project is external. */
function declarationOf(project: ProjectState, name: string, { external, ...declared }: Json, volume: Volume | undefined): Json {
  const maker = volume?.labels[label.project] ?? ''
  const isExternal = maker === '' ? external === true : maker !== project.name
  return isExternal ? { name, external: true } : { ...declared, name }
}

/** Returns the declarations of the networks, with the names of those that the containers are connected to. */
function withNetworkNames(project: ProjectState, model: Json, services: Services, ran: readonly Ran[], networks: ReadonlyMap<string, Json>): Json {
  const used = ran.map(({ service, container }) => ({ container, definition: services.get(service)! }))
  const renamed = findRenamedNetworks(project, record(withPlainDollars(model)), used, networks)
  const declared = children(model['networks']).map(([key, network]): [string, Json] => {
    const before = [...renamed].filter(([name, now]) => now === (plain(network['name']) || key) && texts(record(networks.get(name))['Labels'])['com.docker.compose.network'] === key).map(([name]) => name)
    const isUsedAlready = ran.some(({ container }) => container.networks.includes(plain(network['name']) || key))
    if (before.length !== 1 || isUsedAlready) return [key, network]
    const { external: _external, ...own } = network
    return [key, { ...own, name: before[0]! }]
  })
  return Object.fromEntries(declared)
}

/** Returns the declarations of the secrets or configs, with the files that all their containers have mounted. */
async function withFiles(model: Json, kind: 'secrets' | 'configs', services: Services, ran: readonly Ran[]): Promise<Json> {
  const declared = children(model[kind]).map(async ([key, one]): Promise<[string, Json]> => {
    const file = plain(one['file'])
    if (file === '') return [key, one]
    const sources = ran.flatMap(({ service, container }) => placesOfFiles(services.get(service)!, kind).filter(({ source }) => source === key).map(({ target }) => container.mounts.find((mount) => mount.kind === 'bind' && tidied(mount.target) === tidied(target))?.source ?? ''))
    const [first = ''] = sources
    if (first === '' || sources.some((source) => source !== first) || (await isSamePath(first, file)) || (await isAbsent(first))) return [key, one]
    return [key, { ...one, file: doubled(first) }]
  })
  return Object.fromEntries(await Promise.all(declared))
}

/** Returns in words where containers of one service have different volumes: those of the first one stand for all in the model. */
export function differentReplicas(project: ProjectState): string[] {
  return project.containers.filter((container) => !container.isOneOff && !isKnownFromCapsule(container)).flatMap((container) => {
    const first = standsFor(project, container.service)!
    return container.mounts.flatMap((mount) => {
      const other = first.mounts.find((one) => one.target === mount.target)
      return mount.kind === 'volume' && !mount.isAnonymous && other?.kind === 'volume' && other.name !== mount.name ? [`${container.name} has volume ${mount.name} at ${mount.target}, and ${first.name} has ${other.name}, as a recovery gives to both`] : []
    })
  })
}

function targetOf(mount: Json): string {
  return tidied(plain(mount['target']))
}

function plain(value: unknown): string {
  return text(value).replaceAll('$$', '$')
}

function doubled(value: string): string {
  return value.replaceAll('$', '$$$$')
}
