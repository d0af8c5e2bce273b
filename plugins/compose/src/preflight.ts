import { resolve } from 'node:path'

import { answered, done, failed } from '@stackbk/contract'
import type { Answer, CallOptions, ContainerState, Preflight, PreflightOptions, ProjectState, StackState, StartObstacle } from '@stackbk/contract'

import { compareTopLevel } from './applied.js'
import { isAlive, isKnownFromCapsule } from './container.js'
import { copiedContent, copiedPaths } from './copied-content.js'
import { isAbsent } from './engine-host.js'
import { imageIds } from './images.js'
import { sharedNamespaces } from './inspect.js'
import { children, type Json, record, text, textList } from './json.js'
import { type Listed, lookAtHost } from './look.js'
import type { Models } from './models.js'
import { isMadeFrom } from './ownership.js'
import { startObstacles } from './start-obstacles.js'
import type { Tools } from './tools.js'

/**
 * What a stop would meet. `down` is given out for safe only if every container that exists comes back as the same one: same
 * image, same configuration, same volumes, same networks, same neighbours, and nothing in the container's own layer that a new
 * one would lack.
 */
export async function preflightStack(tools: Tools, models: Models, state: StackState, { stopMode, ...options }: PreflightOptions = {}): Promise<Answer<Preflight>> {
  const containers = state.projects.flatMap((project) => project.containers)
  const references = containers.flatMap((container) => [container.image.reference, container.image.id])
  const [listed, images, obstacles, ...checked] = await Promise.all([
    lookAtHost(tools.docker, options),
    imageIds(tools.docker, references, options),
    stopMode === 'none' || stopMode === 'pause' ? answered([]) : startObstacles(tools, state, options),
    ...state.projects.map((project) => checkProject(tools, models, project, options)),
  ])
  if (!listed.ok) return listed
  if (!images.ok) return images
  if (!obstacles.ok) return obstacles
  const troubles: Answer<void>[] = []
  const differences: string[] = []
  const gone: string[] = []
  const joining: ContainerState[] = []
  const copied = new Map<string, readonly string[]>()
  for (const check of checked) {
    if (check.ok) {
      joining.push(...check.value.joining)
      for (const [id, paths] of check.value.copied) copied.set(id, paths)
      differences.push(...check.value.gone, ...check.value.differences)
      gone.push(...check.value.gone)
    }
    else if (check.failure.kind === 'configuration') troubles.push(check)
    else return check
  }
  const alive = containers.filter(isAlive)
  const orphans = new Set(obstacles.value.flatMap(({ orphan }) => (orphan !== undefined && joining.includes(orphan) ? [orphan] : [])))
  const mayTakeDown = stopMode === undefined || stopMode === 'auto' || stopMode === 'down'
  const whyNotDown = [
    ...differences,
    ...alive.flatMap((container) => imageDifference(container, images.value)),
    ...state.projects.flatMap((project) => project.containers.flatMap((container) => whatDownLoses(project, container, orphans))),
    ...(mayTakeDown ? state.projects.flatMap((project) => neighbours(project, state, listed.value)) : []),
    ...state.dependents.map((container) => dependent(state, container)),
  ]
  // Where `auto` takes `stop` anyway, what is in the layers stays.
  const layers = mayTakeDown && !(stopMode === 'auto' && whyNotDown.length > 0) ? await tools.layers.dataIn(alive.filter((container) => !container.isOneOff && !isKnownFromCapsule(container)), copied, options) : { data: [], unknown: [] }
  // A recovery keeps the old containers' files in another way, and asks without a mode.
  const inLayers = stopMode === 'down' ? [...layers.data, ...layers.unknown] : []
  const whyNeverDown = [...new Set([...gone, ...alive.filter((container) => container.isOneOff).map(oneOff), ...state.dependents.filter(isAlive).map((container) => dependent(state, container)), ...inLayers])]
  return answered({
    model: noModel(state) ?? troubles[0] ?? done,
    // Stop and start address them by their IDs.
    ...(troubles.length > 0 && containers.length > 0 ? { canStartWithoutModel: true } : {}),
    missingImages: [...new Set(alive.filter((container) => !images.value.has(container.image.id)).map((container) => container.image.reference))],
    whyNotDown: [...new Set([...whyNotDown, ...layers.data, ...layers.unknown])],
    ...(layers.data.length === 0 ? {} : { dataInContainers: layers.data }),
    ...(whyNeverDown.length === 0 ? {} : { whyNeverDown }),
    wouldLose: [...alive, ...state.dependents.filter(isAlive)].filter((container) => container.isRemovedWhenStopped).map((container) => `${container.name} removes itself when it ends (--rm)`),
    ...(obstacles.value.length === 0 ? {} : { startObstacles: obstacles.value.map(({ orphan, ...obstacle }): StartObstacle => (orphan !== undefined && orphans.has(orphan) ? { ...obstacle, isGoneWithDown: true } : obstacle)) }),
  })
}

function noModel(state: StackState): Answer<void> | null {
  if (state.projects.length > 0) return null
  return failed({ kind: 'configuration', message: `There is no compose file in ${state.directory}`, fix: 'Add one, or disable the stack' })
}

interface Comparison {
  /** What cannot be made again: services that the files no longer know, or whose variables are gone. */
  readonly gone: readonly string[]
  readonly differences: readonly string[]
  /** Containers that, made again, would share namespaces with services of the project that run, and with nothing else. */
  readonly joining: readonly ContainerState[]
  /** By container: see {@link copiedPaths}. */
  readonly copied: ReadonlyMap<string, readonly string[]>
}

/** Why the project's files would not give what runs; a failure of kind `configuration` if they give nothing. */
async function checkProject(tools: Tools, models: Models, project: ProjectState, options: CallOptions): Promise<Answer<Comparison>> {
  const model = await models.resolved(project, options)
  if (!model.ok) return model
  await tools.hooks.of(project)
  const ran = project.containers.filter((container) => isAlive(container) && !container.isOneOff)
  if (ran.length === 0) return answered({ gone: [], differences: [], joining: [], copied: new Map() })
  const [hashes, applied] = await Promise.all([models.hashes(project, model.value, options), compareTopLevel(tools.docker, project, model.value, ran.filter((container) => !isKnownFromCapsule(container)), options)])
  if (!hashes.ok) return hashes
  if (!applied.ok) return applied
  const { renamedNetworks } = applied.value
  const services = record(model.value['services'])
  const gone: string[] = []
  const reasons: string[] = []
  const joining: ContainerState[] = []
  for (const service of new Set(ran.map((container) => container.service))) {
    const containers = ran.filter((container) => container.service === service)
    const definition = services[service]
    if (definition === undefined) {
      gone.push(`service ${service} is no longer in the compose file`)
      continue
    }
    const changes = unappliedChange(service, containers, hashes.value)
    if (changes.length > 0) gone.push(...blankVariables(service, await models.unsetVariables(project, options), tools.docker))
    if (joinsOnly(record(definition), ran)) joining.push(...containers)
    gone.push(...(await missingProfiles(project, record(definition), service)))
    const comparable = containers.filter((container) => !isKnownFromCapsule(container)).map((container) => withNewNames(container, renamedNetworks))
    reasons.push(...changes, ...contentOf(model.value, record(definition), service), ...unusualReplicas(project, containers, record(definition)), ...otherNetworks(comparable, record(definition), networkNames(model.value)))
  }
  return answered({ gone, differences: [...reasons, ...applied.value.differences], joining, copied: copiedPaths(model.value, ran) })
}

/** A container that was made with a variable of somebody's shell would be made without it: its data may lie where that variable says. */
function blankVariables(service: string, unset: readonly string[], { environment }: Tools['docker']): string[] {
  if (unset.length === 0) return []
  const unlisted = unset.filter((name) => process.env[name] !== undefined && !(name in environment))
  const hint = unlisted.length === 0 ? '' : ` (COMPOSE_ENV does not list ${unlisted.join(', ')})`
  return [`service ${service} would be made with blank variables: nothing sets ${unset.join(', ')}${hint}`]
}

/** Whether all namespaces that a service shares with another container are those of services that run here. */
function joinsOnly(definition: Json, ran: readonly ContainerState[]): boolean {
  const modes = ['network_mode', 'pid', 'ipc'].map((key) => text(definition[key]))
  return modes.every((mode) => !mode.startsWith('container:') && (!mode.startsWith('service:') || ran.some(({ service }) => mode === `service:${service}`)))
}

/** Compose reads these files when it makes a container; one that exists has their content. */
async function missingProfiles(project: ProjectState, definition: Json, service: string): Promise<string[]> {
  const named = textList(definition['security_opt']).flatMap((option) => /^seccomp[=:](.+)$/.exec(option)?.[1] ?? []).filter((profile) => profile !== 'unconfined' && profile !== 'builtin')
  const paths = named.map((profile) => resolve(project.workingDirectory, profile.replaceAll('$$', '$')))
  const areAbsent = await Promise.all(paths.map(isAbsent))
  return paths.filter((_path, at) => areAbsent[at]).map((path) => `service ${service} could not be made again: its seccomp profile ${path} is not there`)
}

export function unappliedChange(service: string, containers: readonly ContainerState[], hashes: ReadonlyMap<string, string>): string[] {
  const isApplied = containers.every((container) => container.configHash === hashes.get(service))
  return isApplied ? [] : [`service ${service} was changed in the compose file or what it reads, and the change was not applied yet`]
}

/** What Compose would copy into the container now cannot be compared with what it copied then. */
function contentOf(model: Json, definition: Json, service: string): string[] {
  return copiedContent(model, definition).map(({ kind, name }) => `${kind} ${name} of service ${service} is copied into the container when it is made, and may have changed`)
}

/** Compose numbers replicas from 1 and makes as many as the file says: it gives these back if that is how they are. */
function unusualReplicas(project: ProjectState, containers: readonly ContainerState[], definition: Json): string[] {
  return containers.flatMap((container) => {
    const usual = text(definition['container_name']) || `${project.name}-${container.service}-${container.number}`
    if (container.number > containers.length) return [`the replicas of service ${container.service} are not numbered from 1 without a gap`]
    return container.name === usual || container.name === usual.replaceAll('-', '_') ? [] : [`${container.name} is not the name that Compose would give it`]
  })
}

/** Joined or left by hand: `up` would connect what the model says. */
export function otherNetworks(containers: readonly ContainerState[], definition: Json, names: ReadonlyMap<string, string>): string[] {
  if (text(definition['network_mode']) !== '') return []
  const wanted = Object.keys(record(definition['networks'])).map((key) => names.get(key) ?? key)
  return containers.flatMap((container) => [
    ...container.networks.filter((network) => !wanted.includes(network)).map((network) => `${container.name} was connected to network ${network} by hand`),
    ...wanted.filter((network) => !container.networks.includes(network)).map((network) => `${container.name} was disconnected from network ${network} by hand`),
  ])
}

/** A network that has another name in the file now was not left by hand. */
function withNewNames(container: ContainerState, renamed: ReadonlyMap<string, string>): ContainerState {
  return { ...container, networks: container.networks.map((name) => renamed.get(name) ?? name) }
}

function imageDifference(container: ContainerState, images: ReadonlyMap<string, string>): string[] {
  const now = images.get(container.image.reference)
  if (now === container.image.id) return []
  return [now === undefined ? `image ${container.image.reference} of ${container.name} is no longer here by that name` : `image ${container.image.reference} has been replaced since ${container.name} was made`]
}

function whatDownLoses(project: ProjectState, container: ContainerState, orphans: ReadonlySet<ContainerState>): string[] {
  const reasons = container.mounts.filter((mount) => mount.isAnonymous).map((mount) => `${container.name} has an anonymous volume at ${mount.target}`)
  if (container.isOneOff) reasons.push(oneOff(container))
  // Made again it would have another state: not started, with its exit code and its output gone.
  else if (!isAlive(container)) reasons.push(`${container.name} does not run (${container.condition}) and would be removed`)
  if (/^container:/.test(container.networkMode) && !orphans.has(container) && !project.containers.some((other) => container.networkMode === `container:${other.id}`)) {
    reasons.push(`${container.name} shares the network of a container of elsewhere`)
  }
  return reasons
}

export function oneOff(container: ContainerState): string {
  return `${container.name} is a one-off container`
}

export function dependent(state: StackState, container: ContainerState): string {
  const owners = [...state.projects.flatMap((project) => project.containers), ...state.dependents]
  const shared = new Set(owners.flatMap((owner) => sharedNamespaces(container, owner)))
  return `${container.name} shares the ${[...shared].join(' and the ')} of a container of this stack`
}

/** Compose takes containers of other folders with the same project name for its own: what it makes could replace one of them. */
function neighbours(project: ProjectState, state: StackState, listed: readonly Listed[]): string[] {
  const own = new Set(project.containers.map((container) => container.id))
  const others = listed.filter((container) => container.project === project.name && !own.has(container.id) && !isMadeFrom(container, project, state.directory))
  return [...new Set(others.map((container) => container.workingDirectory))].map((folder) => `project ${project.name} is also the name of what runs from ${folder}`)
}

/** The real names of the model's networks, by their keys. */
export function networkNames(model: Json): Map<string, string> {
  return new Map(children(model['networks']).map(([key, network]) => [key, text(network['name'])]))
}
