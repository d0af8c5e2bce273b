import { createHash } from 'node:crypto'
import { lstat, realpath } from 'node:fs/promises'
import { isAbsolute } from 'node:path'

import { answered, failed } from '@stackbk/contract'
import type { Answer, CallOptions, Capsule, CapsuleProject, Failure, IsolatedStack, Scratch } from '@stackbk/contract'

import { askCompose } from './compose.js'
import { type Container, label } from './container.js'
import type { Docker, DockerCall } from './docker.js'
import { exhaustion } from './free-networks.js'
import { findWaysOut } from './isolated-check.js'
import { type ImageFacts, isolatedModel, type IsolatedModel, type Rehearsed, servicesNotRun } from './isolated-model.js'
import { type DrilledProject, findOutsideNeeds } from './isolated-outside.js'
import { Places } from './isolated-places.js'
import { ownersOf } from './isolated-reasons.js'
import { startRehearsal } from './isolated-start.js'
import { children, type Json, jsonForYaml, record, text, textList } from './json.js'
import { inspectContainers, listContainers } from './look.js'
import { isInside } from './paths.js'
import { buildCommand } from './build-command.js'
import { bringImages, type BuildOf, type ImageToUse } from './recorded-images.js'
import { normalizedModel } from './rebuild-source.js'
import { removeByLabel, scratchLabel } from './removal.js'
import type { Tools } from './tools.js'

const creationLimitMs = 300_000

/** A label that Compose takes for a project's name as it is, so that everything made begins with it. */
const usableLabel = /^[a-z0-9][a-z0-9_-]*$/

/**
 * A rehearsal from a capsule and restored files. Three walls, each enough by itself: services that need the host are not run; the
 * model is made anew of what is known to stay inside; and what the engine made of it is looked at before anything of it starts.
 */
export async function startIsolated(tools: Tools, capsule: Capsule, scratch: Scratch, options: CallOptions = {}): Promise<Answer<IsolatedStack>> {
  const { docker } = tools
  const directory = await scratchFolder(scratch)
  if (!directory.ok) return directory
  const outside = await restoredOutside(directory.value, scratch)
  if (outside !== null) return failed({ kind: 'usage', message: `${outside} was restored to a place outside of the rehearsal's own folder ${directory.value}`, fix: 'Restore it below that folder' })
  const names = capsule.projects.map((_, at) => projectName(docker, scratch.label, capsule.stack, capsule.projects.length === 1 ? 0 : at + 1))
  const before = await containersOf(docker, scratch.label, names, options)
  if (!before.ok) return before
  if (before.value.length > 0) return failed({ kind: 'usage', message: `A rehearsal of ${capsule.stack} with the label ${scratch.label} is there already`, fix: 'Remove it first, or take another label' })
  const places = new Places(directory.value, scratch.restored)
  const prepared = await Promise.all(capsule.projects.map((project) => prepare(docker, project, { places, scratch, options })))
  const models: Prepared[] = []
  for (const [at, one] of prepared.entries()) {
    if (!one.ok) return one
    const created = await createAll(tools, one.value, { name: names[at]!, directory: directory.value, scratch, prepareWithout: (unavailable) => prepare(docker, capsule.projects[at]!, { places, scratch, options, unavailable }) }, options)
    if (!created.ok) return created
    models.push(created.value)
  }
  const unavailable = models.flatMap((one) => [...one.unavailable].map(([service, { message, toolOutput, fix }]) => ({ service, reason: [message, toolOutput ?? ''].filter((part) => part !== '').join(': '), fix: fix ?? '' })))
  const [lacking] = models.flatMap((one) => [...one.unavailable.values()])
  if (lacking !== undefined && models.every(({ model }) => model.services.size === 0)) return failed(lacking)
  const made = await containersOf(docker, scratch.label, names, options)
  if (!made.ok) return made
  const expected = models.reduce((sum, { model }) => sum + model.services.size, 0)
  const waysOut = await findWaysOut(docker, { label: scratch.label, directory: directory.value, containers: made.value.map((container) => container.id) }, options)
  if (!waysOut.ok) return waysOut
  const troubles = [...waysOut.value, ...(made.value.length === expected ? [] : [`${made.value.length} containers were made, and ${expected} asked for`])]
  if (troubles.length > 0) {
    for (const project of names) await removeProject(tools, scratch.label, project)
    return failed({ kind: 'guard', message: `The rehearsal of ${capsule.stack} was not started, since it could reach more than itself: ${troubles.join('; ')}`, fix: 'Report this as a bug' })
  }
  const rehearsed = (container: Container): Rehearsed => {
    return models[names.indexOf(container.allLabels[label.project] ?? '')]?.model.services.get(container.service) ?? { service: container.service, restart: 'never' }
  }
  const recordedOf = (container: Container): CapsuleProject | undefined => capsule.projects[names.indexOf(container.allLabels[label.project] ?? '')]
  const wasUnhealthy = (container: Container): boolean => recordedOf(container)?.unhealthyServices?.includes(container.service) === true
  const started = await startRehearsal(tools, made.value.map((container) => container.id), { ...options, directory: directory.value, healthTimeoutMs: scratch.healthTimeoutMs, rehearsed, wasUnhealthy })
  if (!started.ok) return started
  const { missing } = started.value
  const outsideNeeds = missing.length === 0 ? [] : await findOutsideNeeds(docker, { projects: models.map(drilledProject), missing, containersOf: (service) => made.value.filter((container) => rehearsed(container).service === service) }, options)
  return answered({
    healthy: missing.length === 0,
    missing,
    containers: made.value.map((container) => ({ service: rehearsed(container).service, name: container.name, id: container.id })),
    leftOut: [
      ...models.flatMap(({ model }) => model.leftOut),
      ...capsule.projects.flatMap((project) => (project.unhealthyServices ?? []).map((service) => `Service ${service} was unhealthy when the snapshot was made: it only has to run`)),
    ],
    ...(unavailable.length === 0 ? {} : { unavailable }),
    ...(outsideNeeds.length === 0 ? {} : { outsideNeeds }),
    unprovenImages: models.flatMap(({ images }) => images).filter((image) => image.doubt !== '').map(({ service, reference, doubt }) => ({ service, reference, reason: doubt })),
  })
}

async function scratchFolder({ label, directory }: Scratch): Promise<Answer<string>> {
  if (!usableLabel.test(label)) return failed({ kind: 'usage', message: `${label} cannot be the name of a rehearsal: lower-case letters, digits, - and _ only` })
  try {
    const real = await realpath(directory)
    if (isAbsolute(directory) && real !== '/' && (await lstat(real)).isDirectory()) return answered(real)
  } catch {
    // Said below.
  }
  return failed({ kind: 'usage', message: `${directory} is no folder that a rehearsal can use` })
}

interface Prepared {
  /** As Compose prints the recorded one. */
  readonly recorded: Json
  readonly model: IsolatedModel
  readonly images: readonly ImageToUse[]
  /** Services that cannot be made, with the reason each. */
  readonly unavailable: ReadonlyMap<string, Failure>
}

interface PrepareRequest {
  readonly places: Places
  readonly scratch: Scratch
  readonly options: CallOptions
  /** Services that are known to be such. */
  readonly unavailable?: ReadonlyMap<string, Failure>
}

async function prepare(docker: Docker, project: CapsuleProject, request: PrepareRequest): Promise<Answer<Prepared>> {
  const { places, scratch, options } = request
  const recorded = await normalizedModel(docker, project, options)
  if (recorded === null || !recorded.ok) {
    if (recorded !== null && recorded.failure.kind !== 'failed') return recorded
    const why = recorded === null ? 'its model did not resolve at the snapshot' : recorded.failure.toolOutput || recorded.failure.message
    return answered({ recorded: {}, model: { model: {}, services: new Map(), leftOut: [`Project ${project.name} is not run: ${why}`] }, images: [], unavailable: new Map() })
  }
  const model = recorded.value
  const unavailable = new Map(request.unavailable)
  const reasons = (): ReadonlyMap<string, string> => new Map([...unavailable].map(([service, { message }]) => [service, message]))
  const withoutImages = await servicesNotRun(project, model, places, reasons())
  const wanted = Object.keys(project.replicas).filter((service) => !withoutImages.has(service))
  const images = await bringEachImage(docker, project, { wanted, scratch, unavailable, platformOf: (service) => text(record(record(model['services'])[service])['platform']), buildOf: (service) => buildCommand(project, model, service) }, options)
  if (!images.ok) return images
  const notRun = await servicesNotRun(project, model, places, reasons())
  const facts = await factsOf(docker, images.value, options)
  if (!facts.ok) return facts
  const isolated = await isolatedModel({ project, model, label: scratch.label, part: scratch.part, places, images: facts.value, notRun, environment: docker.environment })
  return answered({ recorded: model, model: { ...isolated, leftOut: isolated.leftOut.filter((line) => ![...unavailable.keys()].some((service) => line.startsWith(`Service ${service} is not run: `))) }, images: images.value, unavailable })
}

/** One after another, so that an image that is not to be had leaves out its own service alone. Adds those to `unavailable`. */
async function bringEachImage(docker: Docker, project: CapsuleProject, { wanted, scratch, unavailable, platformOf, buildOf }: { readonly wanted: readonly string[]; readonly scratch: Scratch; readonly unavailable: Map<string, Failure>; readonly platformOf: (service: string) => string; readonly buildOf: BuildOf }, options: CallOptions): Promise<Answer<readonly ImageToUse[]>> {
  const brought: ImageToUse[] = []
  const refused = new Map<string, Failure>()
  for (const image of project.images.filter(({ service }) => wanted.includes(service))) {
    const key = JSON.stringify([image.id, image.reference, image.digests])
    const before = refused.get(key)
    const one = before === undefined ? await bringImages(docker, [image], { source: scratch.images, platformOf, buildOf }, options) : failed(before)
    if (one.ok) {
      brought.push(...one.value)
      continue
    }
    if (one.failure.kind !== 'not-found' && one.failure.kind !== 'failed') return one
    refused.set(key, one.failure)
    unavailable.set(image.service, one.failure)
  }
  return answered(brought)
}

interface CreateRequest {
  readonly name: string
  readonly directory: string
  readonly scratch: Scratch
  readonly prepareWithout: (unavailable: ReadonlyMap<string, Failure>) => Promise<Answer<Prepared>>
}

/** Creates all containers of a project. Where the engine refuses one, the others are made without it and without what needs it. */
async function createAll(tools: Tools, prepared: Prepared, request: CreateRequest, options: CallOptions): Promise<Answer<Prepared>> {
  const { name, directory, scratch } = request
  if (prepared.model.services.size === 0) return answered(prepared)
  const project = { name, directory, model: prepared.model.model }
  const created = await create(tools.docker, project, options)
  if (created.ok) return answered(prepared)
  // What may pass says nothing about a service.
  if (created.failure.kind !== 'failed' || created.failure.transient === true) return created
  const refused = await createEach(tools.docker, project, [...prepared.model.services.keys()], options)
  if (!refused.ok) return refused
  if (refused.value.size === 0) return answered(prepared)
  await removeProject(tools, scratch.label, name)
  const serviceOf = (key: string): string => prepared.model.services.get(key)!.service
  const names = new Set([...refused.value.keys()].map(serviceOf))
  // One that lives in the namespace of another one is refused along with that one, and comes with it or not at all.
  const isRefusedWithOwner = (service: string): boolean => ownersOf(record(record(prepared.recorded['services'])[service])).some((owner) => names.has(owner))
  const services = new Map([...refused.value].map(([key, failure]) => [serviceOf(key), failure] as const).filter(([service]) => !isRefusedWithOwner(service)))
  const others = new Set([...prepared.model.services.values()].map(({ service }) => service).filter((service) => !services.has(service)))
  if (others.size === 0) return created
  const rest = await request.prepareWithout(new Map([...prepared.unavailable, ...services]))
  if (!rest.ok || rest.value.model.services.size === 0) return rest
  const madeRest = await create(tools.docker, { ...project, model: rest.value.model.model }, options)
  return madeRest.ok ? rest : madeRest
}

/** Creates one service after another, and returns those that the engine refuses. One that needs the namespace of a later one is tried again. */
async function createEach(docker: Docker, project: Parameters<typeof create>[1], keys: readonly string[], options: CallOptions): Promise<Answer<ReadonlyMap<string, Failure>>> {
  let left: readonly string[] = keys
  for (;;) {
    const refused = new Map<string, Failure>()
    for (const key of left) {
      const one = await create(docker, { ...project, only: key }, options)
      if (one.ok) continue
      if (one.failure.kind !== 'failed' || one.failure.transient === true) return one
      refused.set(key, { kind: 'failed', message: `Service ${key} could not be made`, toolOutput: one.failure.toolOutput ?? one.failure.message })
    }
    if (refused.size === 0 || refused.size === left.length) return answered(refused)
    left = [...refused.keys()]
  }
}

async function removeProject(tools: Tools, scratch: string, project: string): Promise<void> {
  const removed = await removeByLabel(tools.docker, scratch, { project })
  if (!removed.ok) tools.log('warning', removed.failure.message, { toolOutput: removed.failure.toolOutput })
}

function drilledProject({ recorded, model }: Prepared): DrilledProject {
  const definitions = children(record(model.model)['services']).map(([, definition]) => definition)
  const aliases = definitions.flatMap((definition) => children(definition['networks']).flatMap(([, network]) => textList(network['aliases'])))
  return { model: recorded, running: new Set([...model.services.values()].map(({ service }) => service)), names: new Set([...model.services.keys(), ...aliases, ...definitions.map((definition) => text(definition['hostname']))].filter((name) => name !== '')) }
}

async function factsOf(docker: Docker, images: readonly ImageToUse[], call: DockerCall): Promise<Answer<ReadonlyMap<string, ImageFacts>>> {
  const ids = [...new Set(images.map((image) => image.id))]
  const looked = await docker.inspect('image', ids, call)
  if (!looked.ok) return looked
  const volumes = new Map(looked.value.found.map(record).map((image) => [text(image['Id']), Object.keys(record(record(image['Config'])['Volumes']))]))
  return answered(new Map(images.map((image) => [image.service, { id: image.id, volumes: volumes.get(image.id) ?? [] }])))
}

/** By client and name of a project: whose drill has it. */
const projectOwners = new WeakMap<Docker, Map<string, string>>()

/** Compose wants lower case, and begins the name of everything with it. Where another stack has such a name already, this one's has a part of its own. */
function projectName(docker: Docker, label: string, stack: string, number: number): string {
  const owners = projectOwners.get(docker) ?? new Map<string, string>()
  projectOwners.set(docker, owners)
  const short = `${label}-${stack.toLowerCase().replace(/[^a-z0-9_-]/g, '')}${number === 0 ? '' : `-${number}`}`
  const owner = JSON.stringify([stack, number])
  const name = (owners.get(short) ?? owner) === owner ? short : `${short}-${createHash('sha256').update(owner).digest('hex').slice(0, 8)}`
  owners.set(name, owner)
  return name
}

/** The first original path of which that is so; `null` where all is well. What is not there was not restored. */
async function restoredOutside(directory: string, { restored }: Scratch): Promise<string | null> {
  for (const [original, place] of restored) {
    const real = await realpath(place).catch(() => null)
    if (real !== null && (!isInside(real, directory) || real === directory)) return original
  }
  return null
}

/** `only`: this service alone. */
async function create(docker: Docker, { name, directory, model, only }: { readonly name: string; readonly directory: string; readonly model: Json; readonly only?: string }, call: DockerCall): Promise<Answer<string>> {
  const project = { name, workingDirectory: directory, configFiles: ['-'], environmentFiles: [], containers: [] }
  const created = await askCompose(docker, project, { what: 'docker compose up --no-start of a drill', args: ['up', '--no-start', '--no-build', '--pull', 'never', ...(only === undefined ? [] : ['--no-deps', '--', only])] }, { ...call, timeoutMs: creationLimitMs, input: jsonForYaml(model) })
  const noNetwork = created.ok ? null : exhaustion(created.failure)
  return noNetwork === null ? created : failed(noNetwork)
}

/** All that carry the rehearsal's label, of these projects. */
async function containersOf(docker: Docker, scratch: string, projects: readonly string[], call: DockerCall): Promise<Answer<Container[]>> {
  const listed = await listContainers(docker, call, { label: [`${scratchLabel}=${scratch}`] })
  if (!listed.ok) return listed
  const looked = await inspectContainers(docker, listed.value.map(({ id }) => id), call)
  if (!looked.ok) return looked
  const own = [...looked.value.values()].filter((container) => projects.includes(container.allLabels[label.project] ?? ''))
  return answered(own.sort((one, other) => one.name.localeCompare(other.name)))
}
