import { lstat, realpath } from 'node:fs/promises'
import { isAbsolute } from 'node:path'

import { answered, failed } from '@stackbk/contract'
import type { Answer, CallOptions, Capsule, CapsuleProject, IsolatedStack, Scratch } from '@stackbk/contract'

import { askCompose } from './compose.js'
import { type Container, label } from './container.js'
import type { Docker, DockerCall } from './docker.js'
import { findWaysOut } from './isolated-check.js'
import { type ImageFacts, isolatedModel, type IsolatedModel, type Rehearsed, servicesNotRun } from './isolated-model.js'
import { Places } from './isolated-places.js'
import { startRehearsal } from './isolated-start.js'
import { type Json, record, text } from './json.js'
import { inspectContainers, listContainers } from './look.js'
import { isInside } from './paths.js'
import { buildCommand } from './build-command.js'
import { bringImages, type ImageToUse } from './recorded-images.js'
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
  const names = capsule.projects.map((_, at) => projectName(scratch.label, capsule.stack, capsule.projects.length === 1 ? 0 : at + 1))
  const before = await containersOf(docker, scratch.label, names, options)
  if (!before.ok) return before
  if (before.value.length > 0) return failed({ kind: 'usage', message: `A rehearsal of ${capsule.stack} with the label ${scratch.label} is there already`, fix: 'Remove it first, or take another label' })
  const places = new Places(directory.value, scratch.restored)
  const prepared = await Promise.all(capsule.projects.map((project) => prepare(docker, project, { places, scratch, options })))
  const models: Prepared[] = []
  for (const one of prepared) {
    if (!one.ok) return one
    models.push(one.value)
  }
  for (const [at, { model }] of models.entries()) {
    if (model.services.size === 0) continue
    const created = await create(docker, { name: names[at]!, directory: directory.value, model: model.model }, options)
    if (!created.ok) return created
  }
  const made = await containersOf(docker, scratch.label, names, options)
  if (!made.ok) return made
  const expected = models.reduce((sum, { model }) => sum + model.services.size, 0)
  const waysOut = await findWaysOut(docker, { label: scratch.label, directory: directory.value, containers: made.value.map((container) => container.id) }, options)
  if (!waysOut.ok) return waysOut
  const troubles = [...waysOut.value, ...(made.value.length === expected ? [] : [`${made.value.length} containers were made, and ${expected} asked for`])]
  if (troubles.length > 0) {
    for (const project of names) {
      const removed = await removeByLabel(docker, scratch.label, { project })
      if (!removed.ok) tools.log('warning', removed.failure.message, { toolOutput: removed.failure.toolOutput })
    }
    return failed({ kind: 'guard', message: `The rehearsal of ${capsule.stack} was not started, since it could reach more than itself: ${troubles.join('; ')}`, fix: 'Report this as a bug' })
  }
  const rehearsed = (container: Container): Rehearsed => {
    return models[names.indexOf(container.allLabels[label.project] ?? '')]?.model.services.get(container.service) ?? { service: container.service, restart: 'never' }
  }
  const recordedOf = (container: Container): CapsuleProject | undefined => capsule.projects[names.indexOf(container.allLabels[label.project] ?? '')]
  const wasUnhealthy = (container: Container): boolean => recordedOf(container)?.unhealthyServices?.includes(container.service) === true
  const started = await startRehearsal(tools, made.value.map((container) => container.id), { ...options, directory: directory.value, healthTimeoutMs: scratch.healthTimeoutMs, rehearsed, wasUnhealthy })
  if (!started.ok) return started
  return answered({
    healthy: started.value.missing.length === 0,
    missing: started.value.missing,
    containers: made.value.map((container) => ({ service: rehearsed(container).service, name: container.name, id: container.id })),
    leftOut: [
      ...models.flatMap(({ model }) => model.leftOut),
      ...capsule.projects.flatMap((project) => (project.unhealthyServices ?? []).map((service) => `Service ${service} was unhealthy when the snapshot was made: it only has to run`)),
    ],
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
  readonly model: IsolatedModel
  readonly images: readonly ImageToUse[]
}

async function prepare(docker: Docker, project: CapsuleProject, { places, scratch, options }: { places: Places; scratch: Scratch; options: CallOptions }): Promise<Answer<Prepared>> {
  const recorded = await normalizedModel(docker, project, options)
  if (recorded === null || !recorded.ok) {
    if (recorded !== null && recorded.failure.kind !== 'failed') return recorded
    const why = recorded === null ? 'its model did not resolve at the snapshot' : recorded.failure.toolOutput || recorded.failure.message
    return answered({ model: { model: {}, services: new Map(), leftOut: [`Project ${project.name} is not run: ${why}`] }, images: [] })
  }
  const model = recorded.value
  const notRun = await servicesNotRun(project, model, places)
  const wanted = Object.keys(project.replicas).filter((service) => !notRun.has(service))
  const images = await bringImages(docker, project.images.filter((image) => wanted.includes(image.service)), { source: scratch.images, platformOf: (service) => text(record(record(model['services'])[service])['platform']), buildOf: (service) => buildCommand(project, model, service) }, options)
  if (!images.ok) return images
  const facts = await factsOf(docker, images.value, options)
  if (!facts.ok) return facts
  return answered({ model: await isolatedModel({ project, model, label: scratch.label, places, images: facts.value, notRun, environment: docker.environment }), images: images.value })
}

async function factsOf(docker: Docker, images: readonly ImageToUse[], call: DockerCall): Promise<Answer<ReadonlyMap<string, ImageFacts>>> {
  const ids = [...new Set(images.map((image) => image.id))]
  const looked = await docker.inspect('image', ids, call)
  if (!looked.ok) return looked
  const volumes = new Map(looked.value.found.map(record).map((image) => [text(image['Id']), Object.keys(record(record(image['Config'])['Volumes']))]))
  return answered(new Map(images.map((image) => [image.service, { id: image.id, volumes: volumes.get(image.id) ?? [] }])))
}

/** Compose wants lower case, and begins the name of everything with it. */
function projectName(label: string, stack: string, number: number): string {
  return `${label}-${stack.toLowerCase().replace(/[^a-z0-9_-]/g, '')}${number === 0 ? '' : `-${number}`}`
}

/** The first original path of which that is so; `null` where all is well. What is not there was not restored. */
async function restoredOutside(directory: string, { restored }: Scratch): Promise<string | null> {
  for (const [original, place] of restored) {
    const real = await realpath(place).catch(() => null)
    if (real !== null && (!isInside(real, directory) || real === directory)) return original
  }
  return null
}

async function create(docker: Docker, { name, directory, model }: { readonly name: string; readonly directory: string; readonly model: Json }, call: DockerCall): Promise<Answer<string>> {
  const project = { name, workingDirectory: directory, configFiles: ['-'], environmentFiles: [], containers: [] }
  return askCompose(docker, project, { what: 'docker compose up --no-start of a rehearsal', args: ['up', '--no-start', '--no-build', '--pull', 'never'] }, { ...call, timeoutMs: creationLimitMs, input: JSON.stringify(model) })
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
