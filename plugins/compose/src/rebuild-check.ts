import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { answered } from '@stackbk/contract'
import type { Answer, CallOptions, Capsule, CapsuleImage, RebuildOutlook, RebuildProblem, RebuildProblemCode, RebuildQuestion } from '@stackbk/contract'

import { isAlive, label, readContainer } from './container.js'
import type { Docker } from './docker.js'
import { elsewhereFix, whyElsewhere } from './engine-host.js'
import { collide, type HostPort, listeners, ownerOf, portsOf, portsWanted, written } from './host-ports.js'
import { type Json, list, record, text } from './json.js'
import { listContainers, type Listed } from './look.js'
import { fixForModel } from './missing-variable.js'
import { foldersOf, isMadeFrom, isOfNeighbour } from './ownership.js'
import { isInside, realPath } from './paths.js'
import { knownEngine, knownVersions } from './readiness.js'
import { buildCommand } from './build-command.js'
import { findImages, mayComeByDigest, mayComeByTag, missingImage } from './recorded-images.js'
import { type ProjectScope, scopeOf, servicesOf } from './rebuild-scope.js'
import { externalOf, networkCommand, volumeCommand } from './rebuild-networks.js'
import { chooseSource, namesUsed, type RebuildSource } from './rebuild-source.js'
import { pointsElsewhere, unrecordedVolumes, volumesOf } from './rebuild-volumes.js'
import { existingVolumes } from './volumes.js'

/** What a rebuild would meet, and what it would make the containers from. Asks, and touches nothing. */
export async function checkRebuild(docker: Docker, capsule: Capsule, question: RebuildQuestion): Promise<Answer<{ readonly outlook: RebuildOutlook; readonly sources: readonly RebuildSource[] }>> {
  const scopes = scopeOf(capsule, question)
  if (!scopes.ok) return scopes
  const sources: RebuildSource[] = []
  const problems: RebuildProblem[] = []
  for (const scope of scopes.value) {
    const source = await chooseSource(docker, scope, question)
    if (source.ok) sources.push(source.value)
    else if (source.failure.kind !== 'configuration') return source
    else problems.push(noModel(scope, question, source.failure.toolOutput || source.failure.message))
  }
  const listed = await listContainers(docker, question)
  if (!listed.ok) return listed
  const checks = await Promise.all([
    ...sources.flatMap((source) => [
      networkProblems(docker, source, question),
      volumeProblems(docker, source, question),
      imageProblems(docker, source, question),
    ]),
    portProblems(docker, sources, listed.value, question),
    namespaceProblems(docker, capsule, question),
    engineProblems(docker, sources, question),
  ])
  for (const check of checks) if (!check.ok) return check
  problems.push(
    ...(await projectProblems(scopes.value, listed.value, { directory: question.directory, isSamePlace: capsule.directory === question.directory })),
    ...sources.flatMap((source) => nameProblems(source, listed.value)),
    ...sources.flatMap((source) => [...pathProblems(source, question), ...variableProblems(source, docker.environment)]),
    ...checks.flatMap((check) => (check.ok ? check.value : [])),
  )
  return answered({ outlook: { problems, losses: capsule.notes }, sources })
}

type Problems = Promise<Answer<readonly RebuildProblem[]>>

/** What stayed stopped stands in nobody's way: without it the stack still runs as it did. */
function severityFor({ scope }: RebuildSource, isUsedBy: (service: string) => boolean): RebuildProblem['severity'] {
  return [...scope.running.keys()].some(isUsedBy) ? 'error' : 'warning'
}

function problem(severity: RebuildProblem['severity'], code: RebuildProblemCode, message: string, fix: string): RebuildProblem {
  return { severity, code, message, fix }
}

function noModel(scope: ProjectScope, question: RebuildQuestion, why: string): RebuildProblem {
  const mayCome = question.restoredPaths.length > 0 && scope.project.configFiles.some((file) => !existsSync(file) && willBeThere(file, question))
  return problem(
    mayCome ? 'warning' : 'error',
    'no-model',
    `How project ${scope.project.name} is made will be known from its compose files alone, since its model did not resolve at the snapshot: ${why}`,
    fixForModel(why, 'Mend the compose file until docker compose config works, then start the stack with docker compose up -d'),
  )
}

/**
 * Compose takes every container with the project's name and a service's for that service's, wherever it came from. Containers of
 * other services that another folder with a compose file has made are a neighbour's, and stay. A folder that is gone cannot be
 * told from a link to it that is gone too: containers started by way of the recorded one are the stack's.
 */
async function projectProblems(scopes: readonly ProjectScope[], listed: readonly Listed[], { directory, isSamePlace }: { readonly directory: string; readonly isSamePlace: boolean }): Promise<RebuildProblem[]> {
  const problems = await Promise.all(
    scopes.map(async (scope) => {
      const { project, recorded } = scope
      const services = servicesOf(scope)
      const candidates = listed.filter((one) => one.project === project.name && !(isSamePlace && one.workingDirectory === recorded.workingDirectory && isMadeFrom(one, recorded, directory)))
      const others: Listed[] = []
      for (const container of candidates) {
        const isOwn = (await foldersOf(container)).includes(directory)
        if (!isOwn && (services.includes(container.service) || !(await isOfNeighbour(container, directory)))) others.push(container)
      }
      const [first] = others
      if (first === undefined) return []
      return [problem('error', 'project-taken', `Project ${project.name} is another stack here: container ${first.name} of it belongs to ${first.workingDirectory || 'another folder'}`, `Stop and remove what is in the way first: docker rm -f ${others.map((container) => container.name).join(' ')}`)]
    }),
  )
  return problems.flat()
}

function nameProblems({ scope, model }: RebuildSource, listed: readonly Listed[]): RebuildProblem[] {
  const services = servicesOf(scope)
  const wanted = services.flatMap((service) => {
    const given = text(definitionOf(model, service)['container_name'])
    return given === '' ? Array.from({ length: scope.running.get(service) ?? 1 }, (_, at) => `${scope.project.name}-${service}-${at + 1}`) : [given]
  })
  return listed
    .filter((container) => wanted.includes(container.name) && !(container.project === scope.project.name && services.includes(container.service)))
    .map((container) => problem('error', 'name-taken', `The name ${container.name} is taken by another container${container.workingDirectory === '' ? '' : `, of ${container.workingDirectory}`}`, `Remove or rename that one: docker rename ${container.name} NAME`))
}

async function networkProblems(docker: Docker, source: RebuildSource, question: RebuildQuestion): Problems {
  const external = externalOf(source, 'networks')
  const present = await docker.inspect('network', external.map(({ name }) => name), question)
  if (!present.ok) return present
  const here = new Set(present.value.found.map((network) => text(record(network)['Name'])))
  return answered(
    external.filter(({ name }) => !here.has(name)).map(({ name, isUsedBy }) => {
      const recorded = source.scope.recorded.networks.find((network) => network.name === name)
      if (question.createExternal === true && recorded !== undefined) return problem('warning', 'missing-network', `The external network ${name} is not here, and is made as it was`, '')
      return { ...problem(severityFor(source, isUsedBy), 'missing-network', `The external network ${name} is not here`, `Start the stack that makes it, or make it: ${networkCommand(name, recorded)}`), name }
    }),
  )
}

async function volumeProblems(docker: Docker, source: RebuildSource, question: RebuildQuestion): Problems {
  const wanted = volumesOf(source, question.services.length === 0)
  const external = externalOf(source, 'volumes')
  const unrecorded = unrecordedVolumes(source)
  const present = await existingVolumes(docker, [...external, ...wanted, ...unrecorded].map((volume) => volume.name), question)
  if (!present.ok) return present
  const isOther = (name: string, driver: string, options: Readonly<Record<string, string>>): boolean => {
    const here = present.value.get(name)
    return here !== undefined && (here.driver !== driver || Object.entries({ ...here.options, ...options }).some(([key]) => here.options[key] !== options[key]))
  }
  const ownBinds = await bindsWithin(question.directory, source, wanted)
  const isToBeMade = (volume: { readonly name: string; readonly isExternal: boolean }): boolean => !present.value.has(volume.name) && (!volume.isExternal || question.createExternal === true)
  return answered([
    ...external.filter(({ name }) => !present.value.has(name)).map(({ name, isUsedBy }) => {
      const recorded = source.scope.recorded.volumes.find((volume) => volume.name === name)
      if (question.createExternal === true && recorded !== undefined) return problem('warning', 'missing-volume', `The external volume ${name} is not here, and is made as it was`, '')
      return { ...problem(severityFor(source, isUsedBy), 'missing-volume', `The external volume ${name} is not here`, `Make it: ${volumeCommand(name, recorded, source.scope.moved)}`), name }
    }),
    ...wanted.filter((volume) => !question.allowHostVolumes && isToBeMade(volume) && pointsElsewhere(volume) && !ownBinds.includes(volume)).map((volume) => problem('error', 'host-volume', `Volume ${volume.name} would be made anew as ${whereItPoints(volume)}`, 'If that is right on this host, allow it with --host-volumes')),
    ...unrecorded.filter(({ name }) => !present.value.has(name)).map(({ name, key, service, target, instead }) =>
      problem(
        severityFor(source, (one) => one === service),
        'other-volume',
        `Volume ${name}, which service ${service} would mount at ${target}, is not in the snapshot, and not here: the service would begin without its data${instead === '' ? '' : `, since what ran had ${instead} there`}`,
        `If it is to begin empty, make it: ${volumeCommand(name, { driver: '', options: {}, labels: { [label.project]: source.scope.project.name, 'com.docker.compose.volume': key } }, source.scope.moved)}`,
      ),
    ),
    ...wanted.filter((volume) => !volume.isExternal && isOther(volume.name, volume.driver, volume.options)).map((volume) => problem('warning', 'other-volume', `Volume ${volume.name} is here already, with another driver or other options than it had`, `If it may go, remove it first: docker volume rm ${volume.name}`)),
  ])
}

/** Volumes that are a bind of a folder in the stack's own one: nothing else is reached by them, and their data is part of the folder. A link that leads out of it counts once it is there. */
async function bindsWithin<T extends { readonly driver: string; readonly options: Readonly<Record<string, string>> }>(directory: string, { scope }: RebuildSource, volumes: readonly T[]): Promise<readonly T[]> {
  const within = await Promise.all(
    volumes.map(async (volume) => {
      const device = volume.options['device'] ?? ''
      const isBind = volume.driver === 'local' && device.startsWith('/') && /(^|,)r?bind(,|$)/.test(volume.options['o'] ?? '')
      return isBind && isInside(await realPath(scope.moved(device)), directory) ? [volume] : []
    }),
  )
  return within.flat()
}

function whereItPoints({ driver, options }: { readonly driver: string; readonly options: Readonly<Record<string, string>> }): string {
  const device = options['device'] ?? ''
  return driver === 'local' ? `${options['type'] || 'a mount'} of ${device || 'elsewhere'}` : `one of the driver ${driver}${device === '' ? '' : ` of ${device}`}`
}

/** For services of which a container is to be made: those that stay stopped too. */
export function imagesOf({ scope }: RebuildSource): CapsuleImage[] {
  const services = servicesOf(scope)
  return scope.recorded.images.filter((image) => services.includes(image.service))
}

async function imageProblems(docker: Docker, source: RebuildSource, question: RebuildQuestion): Problems {
  const images = imagesOf(source)
  const found = await findImages(docker, images, question)
  if (!found.ok) return found
  return answered(
    images.flatMap((image) => {
      const here = found.value.get(image)!
      const build = buildCommand(source.scope.project, source.model, image.service)
      if (here.is === 'recorded' || mayComeByDigest(image, question.images, build !== null)) return []
      const { message, fix } = missingImage(image, { wasTried: false, build })
      if (here.is === 'other') return [problem('warning', 'unproven-image', `Service ${image.service} would run another image than it did: ${here.reason}`, build === null ? fix : '')]
      if (mayComeByTag(image, question.images, build !== null)) return [problem('warning', 'unproven-image', `${message}, and would come by its tag, which may mean another version by now`, '')]
      if (build !== null && isYetToCome(source, question)) return [problem('warning', 'missing-image', `${message}: its files come back, and nothing starts until it is built`, fix)]
      return [problem(severityFor(source, (service) => service === image.service), 'missing-image', message, fix)]
    }),
  )
}

/** The folder in which an image is built comes with the recovery: then it can be built there, and the recovery goes on. */
function isYetToCome({ scope }: RebuildSource, question: RebuildQuestion): boolean {
  return question.restoredPaths.length > 0 && !existsSync(question.directory) && scope.project.configFiles.every((file) => willBeThere(file, question))
}

async function portProblems(docker: Docker, sources: readonly RebuildSource[], listed: readonly Listed[], question: RebuildQuestion): Problems {
  if (question.noStart) return answered([])
  const wanted = sources.flatMap(({ scope, model }) => [...scope.running.keys()].flatMap((service) => portsWanted(definitionOf(model, service)).map((port) => ({ service, port }))))
  if (wanted.length === 0) return answered([])
  const projects = new Set(sources.map(({ scope }) => scope.project.name))
  const looked = await docker.inspect('container', listed.filter(isAlive).map((container) => container.id), question)
  if (!looked.ok) return looked
  const held = looked.value.found.map((description) => ({ container: readContainer(description), ports: portsOf(description) }))
  const onHost = await listeners()
  const problems = wanted.map(async ({ service, port }) => {
    const holders = held.filter(({ ports }) => ports.some((other) => collide(port, other)))
    const own = holders.filter(({ container }) => projects.has(container.allLabels[label.project] ?? ''))
    const other = holders.find((holder) => !own.includes(holder))
    // The engine's proxy listens for a container too: a port that a container of the stack has is free when that one is gone.
    const listener = own.length > 0 || other !== undefined ? undefined : onHost.find((one) => collide(port, one))
    if (other !== undefined) return [taken(port, service, `container ${other.container.name}`)]
    return listener === undefined ? [] : [taken(port, service, await ownerOf(listener))]
  })
  return answered((await Promise.all(problems)).flat())
}

function taken(port: HostPort, service: string, by: string): RebuildProblem {
  return problem('error', 'port-taken', `Port ${written(port)} of the host, which service ${service} needs, is taken by ${by}`, 'Stop what has it, or give one of the two another port')
}

/** Mounted paths that lie outside of the folder: the engine would make an empty folder in their place. */
function pathProblems(source: RebuildSource, question: RebuildQuestion): RebuildProblem[] {
  const { scope, model } = source
  const used = servicesOf(scope).flatMap((service) => {
    const definition = definitionOf(model, service)
    const severity = severityFor(source, (one) => one === service)
    const files = ['secrets', 'configs'].flatMap((kind) => namesUsed(definition, kind).map((key) => ({ what: `${kind.slice(0, -1)} ${key}`, path: plain(record(record(model[kind])[key])['file']) })))
    const mounted = [...list(definition['volumes']).filter((mount) => text(mount['type']) === 'bind').map((mount) => plain(mount['source'])), ...devicesOf(definition)]
    return [...files, ...mounted.map((path) => ({ what: `service ${service}`, path }))].map((one) => ({ ...one, severity }))
  })
  const disks = question.allowHostVolumes ? volumesOf(source, question.services.length === 0).filter((volume) => /(^|,)r?bind(,|$)/.test(volume.options['o'] ?? '')).map((volume) => ({ what: `volume ${volume.name}`, path: scope.moved(volume.options['device'] ?? ''), severity: 'error' as const })) : []
  const missing = new Map<string, RebuildProblem>()
  for (const { what, path, severity } of [...used, ...disks].sort((one, other) => Number(other.severity === 'error') - Number(one.severity === 'error'))) {
    if (!path.startsWith('/') || existsSync(path) || willBeThere(path, question) || missing.has(path)) continue
    missing.set(path, problem(severity, 'missing-path', `${path}, which ${what} uses, is not here, and not in the snapshot`, 'Mount it or bring it back first; if an empty folder is right, make one'))
  }
  return [...missing.values()]
}

/** Written `SOURCE:TARGET:PERMISSIONS` by older versions of Compose. */
function devicesOf(definition: Json): string[] {
  const devices = Array.isArray(definition['devices']) ? definition['devices'] : []
  return devices.map((device: unknown) => (typeof device === 'string' ? device.split(':')[0]! : plain(record(device)['source'])))
}

function willBeThere(path: string, question: RebuildQuestion): boolean {
  return isInside(path, question.directory) || question.restoredPaths.some((restored) => isInside(path, restored))
}

/** Values that Compose takes from the environment of whoever starts the stack, and which no snapshot holds. */
function variableProblems(source: RebuildSource, environment: Docker['environment']): RebuildProblem[] {
  const { scope, model } = source
  const { project } = scope
  const files = [join(project.workingDirectory, '.env'), ...project.environmentFiles]
  const areFilesHere = project.configFiles.every((file) => existsSync(file))
  return ['secrets', 'configs'].flatMap((kind) => {
    const used = new Set(servicesOf(scope).flatMap((service) => namesUsed(definitionOf(model, service), kind)))
    return [...used].flatMap((key) => {
      const variable = text(record(record(model[kind])[key])['environment'])
      if (variable === '' || variable in environment || files.some((file) => isSetIn(file, variable))) return []
      const severity = severityFor(source, (service) => namesUsed(definitionOf(model, service), kind).includes(key))
      return [problem(areFilesHere ? severity : 'warning', 'missing-variable', `${kind.slice(0, -1)} ${key} comes from the environment variable ${variable}, which is not set`, `Set it in ${join(project.workingDirectory, '.env')}; or list ${variable} in COMPOSE_ENV, and run this again with: export ${variable}=...`)]
    })
  })
}

function isSetIn(file: string, variable: string): boolean {
  try {
    return readFileSync(file, 'utf8').split('\n').some((line) => new RegExp(`^\\s*(?:export\\s+)?${variable}\\s*[=:]`).test(line))
  } catch {
    return false
  }
}

async function namespaceProblems(docker: Docker, capsule: Capsule, call: CallOptions): Problems {
  const versions = await knownVersions(docker, call)
  if (!versions.ok) return versions
  const [then, now] = [capsule.engine.userNamespace, versions.value.userNamespace]
  if (then === now) return answered([])
  const name = (mapping: string): string => mapping || 'without a mapping of users'
  return answered([problem('warning', 'user-namespace', `The engine is ${name(now)} here, and was ${name(then)} at the snapshot: the owners of the files in its volumes mean other users now`, 'Recover on an engine of the same kind, or change the owners in the restored files and volumes before the stack is started (--no-start)')])
}

/** Volumes of an engine that runs elsewhere are made there, and stay empty: nothing can be put into them from here. */
async function engineProblems(docker: Docker, sources: readonly RebuildSource[], question: RebuildQuestion): Problems {
  const volumes = sources.flatMap((source) => volumesOf(source, question.services.length === 0).concat(source.scope.recorded.volumes.filter(({ isAnonymous, service }) => isAnonymous && servicesOf(source.scope).includes(service))))
  const own = volumes.filter(({ driver, options }) => driver === 'local' && (options['device'] ?? '') === '')
  if (own.length === 0) return answered([])
  const engine = await knownEngine(docker, question)
  if (!engine.ok) return engine
  const why = await whyElsewhere(engine.value)
  if (why === null) return answered([])
  return answered([problem('error', 'engine-elsewhere', `The data of the volumes ${own.map(({ name }) => name).join(', ')} cannot be put in its place: ${why}`, elsewhereFix)])
}

export function definitionOf(model: Json, service: string): Json {
  return record(record(model['services'])[service])
}

function plain(path: unknown): string {
  return text(path).replaceAll('$$', '$')
}
