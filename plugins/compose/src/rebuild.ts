import { existsSync } from 'node:fs'

import { answered, done, failed } from '@stackbk/contract'
import type { Answer, Capsule, CapsuleVolume, ContainerState, Failure, ProjectState, RebuildOutlook, RebuildQuestion, RebuildReport, RebuildRequest, RebuildWarning, RebuiltVolume, StackState } from '@stackbk/contract'

import { askCompose } from './compose.js'
import { type Container, label, toState } from './container.js'
import type { DockerCall } from './docker.js'
import { jsonForYaml, text } from './json.js'
import { inspectContainers, listContainers } from './look.js'
import { bringImages, hasTag, type ImageToUse } from './recorded-images.js'
import { localImages, tagImage } from './images.js'
import { checkRebuild, definitionOf, imagesOf } from './rebuild-check.js'
import { buildCommand } from './build-command.js'
import { elsewhereFix, isAbsent } from './engine-host.js'
import { makeExternalNetworks } from './rebuild-networks.js'
import { withOverride } from './rebuild-override.js'
import { asOverride, type RebuildSource } from './rebuild-source.js'
import { servicesOf } from './rebuild-scope.js'
import { anonymousVolumesOf, makeVolumes } from './rebuild-volumes.js'
import { makeSameContainers, tellsOfContainers } from './same-containers.js'
import { startMade } from './start-made.js'
import type { Tools } from './tools.js'
import { existingVolumes } from './volumes.js'

/** What the engine may need to make all containers of a project. */
const creationLimitMs = 300_000

export async function canRebuild(tools: Tools, capsule: Capsule, question: RebuildQuestion): Promise<Answer<RebuildOutlook>> {
  const checked = await checkRebuild(tools.docker, capsule, question)
  return checked.ok ? answered(checked.value.outlook) : checked
}

/**
 * Containers as they ran, from a capsule: images, named volumes, containers made and not started, volumes filled, started in
 * dependency order, waited for. Compose makes the containers, so that they are the stack's own for every later command; what they
 * are made from says {@link RebuildSource}.
 */
export async function rebuildStack(tools: Tools, capsule: Capsule, request: RebuildRequest): Promise<Answer<RebuildReport>> {
  const call: DockerCall = { signal: request.signal }
  await tools.removals.ended([request.directory])
  if (tellsOfContainers(capsule)) return await makeSameContainers(tools, capsule, request)
  const checked = await checkRebuild(tools.docker, capsule, { ...request, restoredPaths: [] })
  if (!checked.ok) return checked
  const { outlook, sources: chosen } = checked.value
  const obstacles = outlook.problems.filter((problem) => problem.severity === 'error')
  if (obstacles.length > 0) return failed(obstacleTo(capsule, obstacles))
  const inTheWay = await existingOf(tools, chosen, call)
  if (!inTheWay.ok) return inTheWay
  if (inTheWay.value.length > 0) return failed({ kind: 'failed', message: `${capsule.stack} still has containers: ${inTheWay.value.map((container) => container.name).join(', ')}`, fix: 'Take them down first' })

  const warnings: RebuildWarning[] = []
  const sources: RebuildSource[] = []
  for (const source of chosen) {
    const overridden = await withOverride(tools.docker, source, request.onWriteFile, call)
    if (!overridden.ok) return overridden
    sources.push(overridden.value.source)
    warnings.push(...overridden.value.warnings)
  }

  request.onProgress?.({ phase: 'images' })
  const images = await imagesFor(tools, sources, request, call)
  if (!images.ok) return images
  request.onProgress?.({ phase: 'volumes and containers' })
  const isWhole = request.services.length === 0
  const createExternal = request.createExternal === true
  const named: RebuiltVolume[] = []
  for (const source of sources) {
    if (createExternal) {
      const networks = await makeExternalNetworks(tools.docker, source, call)
      if (!networks.ok) return networks
      warnings.push(...networks.value)
    }
    const made = await makeVolumes(tools.docker, source, { isWhole, createExternal }, call)
    if (!made.ok) return made
    named.push(...made.value)
  }
  const unmade: string[] = []
  for (const source of sources) {
    const created = await createAll(tools, source, images.value.get(source) ?? [], call)
    if (!created.ok) return created
    unmade.push(...created.value)
  }
  const containers = await existingOf(tools, sources, call)
  if (!containers.ok) return containers
  const anonymous = await anonymousVolumes(tools, sources, containers.value, call)
  if (!anonymous.ok) return anonymous
  const unreachable = await firstUnreachable([...named, ...anonymous.value.rebuilt])
  if (unreachable !== null) return failed({ kind: 'configuration', message: `The engine has made the volume ${unreachable.name} in ${unreachable.path}, which is not on this host: its data cannot be put in its place`, fix: elsewhereFix })
  const filled = await request.fillVolumes([...named, ...anonymous.value.rebuilt])
  if (!filled.ok) return filled
  if (request.signal?.aborted) return failed({ kind: 'cancelled', message: `The rebuild of ${capsule.stack} was cancelled before its start` })

  const common = {
    unprovenImages: [...images.value.values()].flat().filter((image) => image.doubt !== '').map(({ service, reference, doubt }) => ({ service, reference, reason: doubt })),
    losses: [...outlook.losses, ...unmade, ...anonymous.value.homeless.map((volume) => `The data of the anonymous volume at ${volume.target} of service ${volume.service} has no place: no container has a volume there now`)],
    ...(warnings.length === 0 ? {} : { warnings }),
  }
  for (const { scope } of sources) tools.hooks.forget(scope.project)
  const state = stateToStart(request.directory, sources, containers.value, new Date())
  if (request.noStart) return answered({ isUp: false, missing: [], completed: [], ...common })
  request.onProgress?.({ phase: 'starting' })
  const up = await startMade(tools, state, request)
  if (!up.ok) return up
  return answered({ ...up.value, ...common })
}

/** The engine makes the folder of a volume with it: one that is not here is on another machine. The folder of a bind comes with its data. */
async function firstUnreachable(volumes: readonly RebuiltVolume[]): Promise<RebuiltVolume | null> {
  for (const volume of volumes) if ((volume.recorded.options['device'] ?? '') === '' && (await isAbsent(volume.path))) return volume
  return null
}

function obstacleTo(capsule: Capsule, obstacles: RebuildOutlook['problems']): Failure {
  const [first] = obstacles
  return { kind: 'configuration', message: `${capsule.stack} cannot be rebuilt: ${obstacles.map((problem) => problem.message).join('; ')}`, fix: obstacles.length === 1 ? first!.fix : [...new Set(obstacles.map((problem) => problem.fix))].join('; ') }
}

/** Containers of the services to be made that are there, by the very names of project and service. */
async function existingOf(tools: Tools, sources: readonly RebuildSource[], call: DockerCall): Promise<Answer<Container[]>> {
  const listed = await listContainers(tools.docker, call)
  if (!listed.ok) return listed
  const own = listed.value.filter((container) => !container.isOneOff && sources.some(({ scope }) => scope.project.name === container.project && servicesOf(scope).includes(container.service)))
  const looked = await inspectContainers(tools.docker, own.map((container) => container.id), call)
  return looked.ok ? answered([...looked.value.values()]) : looked
}

async function imagesFor(tools: Tools, sources: readonly RebuildSource[], request: RebuildRequest, call: DockerCall): Promise<Answer<ReadonlyMap<RebuildSource, readonly ImageToUse[]>>> {
  const images = new Map<RebuildSource, readonly ImageToUse[]>()
  for (const source of sources) {
    const found: ImageToUse[] = []
    for (const image of imagesOf(source)) {
      const brought = await bringImages(tools.docker, [image], { source: request.images, platformOf: (service) => text(definitionOf(source.model, service)['platform']), buildOf: (service) => buildCommand(source.scope.project, source.model, service) }, call)
      if (brought.ok) found.push(...brought.value)
      // One that stays stopped keeps nothing down.
      else if (source.scope.running.has(image.service) || brought.failure.kind !== 'not-found') return brought
      else tools.log('warning', brought.failure.message, { toolOutput: brought.failure.toolOutput })
    }
    images.set(source, found)
  }
  return answered(images)
}

/**
 * All at once, so that Compose notes on each what it needs of the others. Where that does not work, what ran is made alone, and then
 * what stays stopped, each by itself: what cannot be made of that is a loss and no failure.
 */
async function createAll(tools: Tools, source: RebuildSource, images: readonly ImageToUse[], call: DockerCall): Promise<Answer<readonly string[]>> {
  const { running, stopped } = source.scope
  const all = await createContainers(tools, source, { services: servicesOf(source.scope), images, call })
  if (all.ok || stopped.length === 0) return all.ok ? answered([]) : all
  const alone = await createContainers(tools, source, { services: [...running.keys()], images, call })
  if (!alone.ok) return alone
  const losses: string[] = []
  for (const service of stopped) {
    const made = await createContainers(tools, source, { services: [service], images, call })
    if (!made.ok) losses.push(`Service ${service}, which was stopped, could not be made again: ${made.failure.toolOutput || made.failure.message}`)
  }
  return answered(losses)
}

/**
 * Makes containers, and networks, and starts none. A reference that means nothing here gets its image again, as it had; one that
 * means another image keeps it, since other stacks may be made of that, and the container gets its own by ID.
 */
async function createContainers(tools: Tools, source: RebuildSource, { services, images, call }: { readonly services: readonly string[]; readonly images: readonly ImageToUse[]; readonly call: DockerCall }): Promise<Answer<void>> {
  const { scope, model } = source
  if (services.length === 0) return done
  const pinned = await pin(tools, images.filter((image) => services.includes(image.service)), call)
  if (!pinned.ok) return pinned
  const { project } = scope
  const scale = [...scope.running].filter(([service]) => services.includes(service) && text(definitionOf(model, service)['container_name']) === '').flatMap(([service, count]) => ['--scale', `${service}=${count}`])
  const args = ['up', '--no-start', '--no-deps', '--no-build', '--pull', 'never', '--no-recreate', '--remove-orphans=false', ...scale, '--', ...services]
  const what = `docker compose up --no-start of project ${project.name}`
  const options = { ...call, timeoutMs: creationLimitMs }
  const make = (place: ProjectState, input: string): Promise<Answer<string>> => askCompose(tools.docker, place, { what, args, moreFiles: input === '' ? [] : ['-'] }, { ...options, ...(input === '' ? {} : { input }) })
  if (source.isFromFiles) {
    const made = await make(project, pinned.value.size === 0 ? '' : jsonForYaml({ services: Object.fromEntries([...pinned.value].map(([service, image]) => [service, { image }])) }))
    return made.ok ? done : made
  }
  tools.log('warning', `Project ${project.name} is rebuilt from the model in its capsule: ${source.whyNotFiles}`, { directory: project.workingDirectory })
  const whole = withImages(model, pinned.value)
  if (project.configFiles.length > 0 && project.configFiles.every((file) => existsSync(file))) {
    const made = await make(project, asOverride(whole))
    if (made.ok) return done
    if (made.failure.kind !== 'failed') return made
  }
  const made = await make({ ...project, configFiles: [], environmentFiles: [] }, jsonForYaml(whole))
  return made.ok ? done : made
}

/** By service: the ID to name, for those whose reference means another image here. */
async function pin(tools: Tools, images: readonly ImageToUse[], call: DockerCall): Promise<Answer<ReadonlyMap<string, string>>> {
  const pins = new Map<string, string>()
  for (const image of images) {
    const now = await localImages(tools.docker, [image.reference], call)
    if (!now.ok) return now
    const meant = now.value.get(image.reference)?.id
    if (meant === image.id) continue
    if (meant === undefined && hasTag(image.reference)) {
      const named = await tagImage(tools.docker, image, call)
      if (named.ok) continue
      tools.log('warning', named.failure.message, { toolOutput: named.failure.toolOutput })
    }
    pins.set(image.service, image.id)
  }
  return answered(pins)
}

function withImages(model: RebuildSource['model'], pins: ReadonlyMap<string, string>): RebuildSource['model'] {
  const services = model['services'] as Record<string, object>
  return { ...model, services: Object.fromEntries(Object.entries(services).map(([name, definition]) => [name, pins.has(name) ? { ...definition, image: pins.get(name)! } : definition])) }
}

async function anonymousVolumes(tools: Tools, sources: readonly RebuildSource[], containers: readonly Container[], call: DockerCall): Promise<Answer<{ rebuilt: readonly RebuiltVolume[]; homeless: readonly CapsuleVolume[] }>> {
  const names = containers.flatMap((container) => container.mounts.filter((mount) => mount.isAnonymous).map((mount) => mount.name))
  const volumes = await existingVolumes(tools.docker, names, call)
  if (!volumes.ok) return volumes
  const found = sources.map((source) => anonymousVolumesOf(source, containersOf(source, containers), volumes.value))
  return answered({ rebuilt: found.flatMap((one) => one.rebuilt), homeless: found.flatMap((one) => one.homeless) })
}

function containersOf({ scope }: RebuildSource, containers: readonly Container[]): Container[] {
  return containers.filter((container) => container.allLabels[label.project] === scope.project.name)
}

/** What was made, described as what ran: so that a start brings it up as it would after a backup. */
function stateToStart(directory: string, sources: readonly RebuildSource[], containers: readonly Container[], takenAt: Date): StackState {
  const projects = sources.map((source): ProjectState => {
    const { scope } = source
    const paused = new Set(scope.recorded.pausedServices)
    const unhealthy = new Set(scope.recorded.unhealthyServices ?? [])
    const healthOf = (container: Container): ContainerState['health'] => (container.healthLimitMs === 0 ? 'none' : unhealthy.has(container.service) ? 'unhealthy' : 'healthy')
    return {
      ...scope.project,
      containers: containersOf(source, containers).map((container): ContainerState => {
        const state = toState(container)
        if (!scope.running.has(container.service)) return state
        return { ...state, condition: paused.has(container.service) ? 'paused' : 'running', health: healthOf(container) }
      }),
    }
  })
  return { schemaVersion: 1, directory, condition: 'running', failure: null, projects, dependents: [], takenAt: takenAt.toISOString() }
}
