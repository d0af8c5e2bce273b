import { hostname } from 'node:os'
import { basename } from 'node:path'

import { answered } from '@stackbk/contract'
import type { Answer, CallOptions, Capsule, CapsuleImage, CapsuleNetwork, CapsuleProject, CapsuleSubnet, CapsuleVolume, ContainerState, DescribeOptions, ProjectState, StackState } from '@stackbk/contract'

import { differentReplicas, modelAsItRan, type Present } from './as-it-ran.js'
import { isAlive } from './container.js'
import type { DockerCall } from './docker.js'
import { type LocalImage, localImages } from './images.js'
import { children, type Json, list, record, text, textList, texts } from './json.js'
import type { Models } from './models.js'
import { ownPart } from './own-part.js'
import { dependent, networkNames, oneOff, otherNetworks, unappliedChange } from './preflight.js'
import { knownVersions } from './readiness.js'
import type { Tools } from './tools.js'
import { existingVolumes, type Volume, type VolumeUse, volumeUses } from './volumes.js'

/**
 * What recovery will need to know of the stack and no file in its folder says. Names of stack and host are the folder's and
 * the system's: the caller, who may know others, puts those in.
 */
export async function describeStack(tools: Tools, models: Models, state: StackState, { withContainers = false, ...options }: DescribeOptions = {}): Promise<Answer<Capsule>> {
  const [versions, ...resolved] = await Promise.all([knownVersions(tools.docker, options), ...state.projects.map((project) => models.resolved(project, options))])
  if (!versions.ok) return versions
  for (const model of resolved) if (!model.ok && model.failure.kind !== 'configuration') return model
  const declared = await Promise.all(
    state.projects.map(async (project, at) => {
      const model = modelOf(resolved[at])
      return { project, model, declared: model === null ? null : await ownPart(state, project, model) }
    }),
  )

  const uses = volumeUses(state, declared.map(({ project, declared: model }) => ({ project: project.name, model })))
  const references = declared.flatMap(({ project, declared: own }) => [...project.containers.flatMap((container) => [container.image.reference, container.image.id]), ...imagesInModel(own).map((image) => image.reference)])
  const [volumes, images, networks] = await Promise.all([
    existingVolumes(tools.docker, uses.map((use) => use.name), options),
    localImages(tools.docker, references, options),
    existingNetworks(tools, declared.flatMap(({ project, model }) => [...networksInModel(model).keys(), ...project.containers.flatMap((container) => container.networks)]), options),
  ])
  if (!volumes.ok) return volumes
  if (!images.ok) return images
  if (!networks.ok) return networks
  const projects = await Promise.all(
    declared.map(async ({ project, model: files, declared: own }) => {
      if (files === null) return { project, model: null, own: null, declared: own, handmade: await whatTheModelDoesNotSay(models, project, null, null, options) }
      const present: Present = { volumes: volumes.value, networks: networks.value, hashes: () => models.hashes(project, files, options) }
      const model = await modelAsItRan(project, files, present)
      return { project, model, own: await ownPart(state, project, model), declared: own, handmade: await whatTheModelDoesNotSay(models, project, files, model, options) }
    }),
  )

  const described = withContainers ? await tools.docker.inspect('container', state.projects.flatMap(({ containers }) => containers.map(({ id }) => id)), options) : null
  if (described?.ok === false) return described
  const containersOf = (project: ProjectState): Pick<CapsuleProject, 'containers'> =>
    described === null ? {} : { containers: project.containers.flatMap(({ id }) => described.value.byName.get(id) ?? []) }
  return answered({
    schemaVersion: 1,
    stack: basename(state.directory),
    directory: state.directory,
    host: hostname(),
    createdAt: new Date().toISOString(),
    condition: state.condition,
    projects: projects.map(({ handmade: _, ...about }) => ({ ...capsuleProject({ state, ...about, volumes: volumes.value, images: images.value, networks: networks.value }), ...containersOf(about.project) })),
    ended: [],
    engine: { name: 'docker', version: versions.value.engine, userNamespace: versions.value.userNamespace },
    tools: { docker: versions.value.client, compose: versions.value.compose },
    notes: [
      ...resolved.flatMap((model, at) => (model.ok ? [] : [`The compose model of project ${state.projects[at]!.name} did not resolve: ${model.failure.toolOutput || model.failure.message}`])),
      ...projects.flatMap(({ handmade }) => handmade),
      ...state.dependents.map((container) => dependent(state, container)),
    ],
  })
}

/** What ran and would not come back from the model: made or changed by hand. `files` is what these say, `model` the one of the capsule. */
async function whatTheModelDoesNotSay(models: Models, project: ProjectState, files: Json | null, model: Json | null, options: CallOptions): Promise<string[]> {
  const alive = project.containers.filter(isAlive)
  const oneOffs = alive.filter((container) => container.isOneOff).map(oneOff)
  if (files === null || model === null || alive.length === oneOffs.length) return oneOffs
  const hashes = await models.hashes(project, files, options)
  const names = networkNames(model)
  const byService = children(model['services']).flatMap(([service, definition]) => {
    const containers = alive.filter((container) => container.service === service && !container.isOneOff)
    return containers.length === 0 ? [] : [...(hashes.ok ? unappliedChange(service, containers, hashes.value) : []), ...otherNetworks(containers, definition, names)]
  })
  return [...oneOffs, ...byService, ...differentReplicas(project)]
}

function modelOf(answer: Answer<Json> | undefined): Json | null {
  return answer?.ok === true ? answer.value : null
}

interface Described {
  readonly state: StackState
  readonly project: ProjectState
  /** As it ran: see {@link modelAsItRan}. */
  readonly model: Json | null
  /** What of the model is this stack's. */
  readonly own: Json | null
  /** The same part of what the files say. */
  readonly declared: Json | null
  readonly volumes: ReadonlyMap<string, Volume>
  readonly images: ReadonlyMap<string, LocalImage>
  readonly networks: ReadonlyMap<string, Json>
}

function capsuleProject(about: Described): CapsuleProject {
  const { project, model } = about
  const alive = project.containers.filter((container) => isAlive(container) && !container.isOneOff)
  const services = (containers: ProjectState['containers']): string[] => [...new Set(containers.map((container) => container.service))]
  const ran = services(alive)
  return {
    name: project.name,
    workingDirectory: project.workingDirectory,
    configFiles: project.configFiles,
    environmentFiles: project.environmentFiles,
    profiles: [...new Set(ran.flatMap((service) => textList(record(record(model?.['services'])[service])['profiles'])))],
    model,
    images: imagesOf(about),
    volumes: volumesOf(about),
    networks: networksOf(about),
    replicas: Object.fromEntries(ran.map((service) => [service, alive.filter((container) => container.service === service).length])),
    pausedServices: services(alive.filter((container) => container.condition === 'paused')),
    ...(alive.some(isUnhealthy) ? { unhealthyServices: services(alive.filter(isUnhealthy)) } : {}),
    stoppedServices: services(project.containers.filter((container) => !isAlive(container) && !container.isOneOff && !ran.includes(container.service))),
  }
}

function isUnhealthy({ health }: ContainerState): boolean {
  return health === 'unhealthy'
}

/** One a service: what its container was made of, else what the model's name means now. */
function imagesOf({ project, own, images }: Described): CapsuleImage[] {
  // The reference may mean another image by now: its digests are those of that one.
  const digestsOf = (id: string, reference: string): readonly string[] => [images.get(id), images.get(reference)].find((image) => image !== undefined && (id === '' || image.id === id))?.digests ?? []
  const made = new Map(
    [...project.containers].filter((container) => !container.isOneOff).reverse().map((container): [string, CapsuleImage] => [
      container.service,
      { service: container.service, reference: container.image.reference, id: container.image.id, digests: digestsOf(container.image.id, container.image.reference) },
    ]),
  )
  const others = imagesInModel(own).filter((image) => !made.has(image.service)).map((image) => ({ ...image, id: images.get(image.reference)?.id ?? '', digests: images.get(image.reference)?.digests ?? [] }))
  return [...made.values(), ...others]
}

/** Without `image`, Compose names what it builds after project and service. */
function imagesInModel(model: Json | null): { service: string; reference: string }[] {
  if (model === null) return []
  return children(model['services']).map(([service, definition]) => ({ service, reference: text(definition['image']) || `${text(model['name'])}-${service}` }))
}

function volumesOf(about: Described): CapsuleVolume[] {
  const { volumes } = about
  return usesOf(about).flatMap((use) => {
    const volume = volumes.get(use.name)
    if (volume === undefined) return []
    return [{
      name: use.name,
      key: use.key,
      driver: volume.driver,
      options: volume.options,
      labels: volume.labels,
      isExternal: use.isExternal,
      isAnonymous: use.isAnonymous,
      path: volume.options['device']?.startsWith('/') === true && /bind/.test(volume.options['o'] ?? '') ? volume.options['device'] : volume.mountpoint,
      service: use.isAnonymous ? (use.services[0] ?? '') : '',
      containerNumber: use.containerNumber,
      target: use.target,
    }]
  })
}

/** What the files alone name comes last, and has no key where that means another volume in the model. */
function usesOf({ state, project, own, declared }: Described): VolumeUse[] {
  const ran = volumeUses({ ...state, projects: [project] }, [{ project: project.name, model: own }])
  const [names, keys] = [new Set(ran.map((use) => use.name)), new Set(ran.map((use) => use.key))]
  const more = volumeUses({ ...state, projects: [] }, [{ project: project.name, model: declared }]).filter((use) => !names.has(use.name))
  return [...ran, ...more.map((use) => (keys.has(use.key) ? { ...use, key: '' } : use))]
}

/** Real names to their keys in the model. */
function networksInModel(model: Json | null): Map<string, { key: string; isExternal: boolean }> {
  return new Map(children(model?.['networks']).map(([key, network]) => [text(network['name']) || key, { key, isExternal: network['external'] === true }]))
}

function networksOf({ project, model, networks }: Described): CapsuleNetwork[] {
  const declared = networksInModel(model)
  const names = new Set([...declared.keys(), ...project.containers.flatMap((container) => container.networks)])
  return [...names].flatMap((name) => {
    const network = networks.get(name)
    if (network === undefined) return []
    const labels = texts(network['Labels'])
    // A network of another project has the key that it has there.
    const isOwn = labels['com.docker.compose.project'] === project.name
    return [{
      name,
      key: declared.get(name)?.key ?? (isOwn ? (labels['com.docker.compose.network'] ?? '') : ''),
      driver: text(network['Driver']),
      options: texts(network['Options']),
      labels,
      isExternal: declared.get(name)?.isExternal ?? !isOwn,
      isInternal: network['Internal'] === true,
      isAttachable: network['Attachable'] === true,
      hasIpv6: network['EnableIPv6'] === true,
      subnets: list(record(network['IPAM'])['Config']).map(subnetOf),
      ...ipamOf(record(network['IPAM'])),
    }]
  })
}

function subnetOf(range: Json): CapsuleSubnet {
  const auxiliaryAddresses = texts(range['AuxiliaryAddresses'])
  return { subnet: text(range['Subnet']), gateway: text(range['Gateway']), ipRange: text(range['IPRange']), ...(Object.keys(auxiliaryAddresses).length === 0 ? {} : { auxiliaryAddresses }) }
}

function ipamOf(ipam: Json): Pick<CapsuleNetwork, 'ipam'> {
  const [driver, options] = [text(ipam['Driver']), texts(ipam['Options'])]
  return (driver === '' || driver === 'default') && Object.keys(options).length === 0 ? {} : { ipam: { driver, options } }
}

async function existingNetworks(tools: Tools, names: readonly string[], call: DockerCall): Promise<Answer<ReadonlyMap<string, Json>>> {
  const inspected = await tools.docker.inspect('network', [...new Set(names)].filter((name) => name !== ''), call)
  if (!inspected.ok) return inspected
  return answered(new Map(inspected.value.found.map((network) => [text(record(network)['Name']), record(network)])))
}

