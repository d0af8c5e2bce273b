import { answered } from '@stackbk/contract'
import type { Answer, ContainerCondition, StackState } from '@stackbk/contract'

import { conditionOf, type Container, label, readContainer } from './container.js'
import type { Docker } from './docker.js'
import type { CallLimits, EngineResponse } from './engine.js'
import { listingCall } from './host-listing.js'
import { type Json, list, record, text, textList, texts } from './json.js'

/** What a listing says of a container: enough to know whose it is. */
export interface Listed {
  readonly id: string
  readonly name: string
  readonly condition: ContainerCondition
  readonly isOneOff: boolean
  readonly project: string
  readonly service: string
  readonly workingDirectory: string
  readonly configFiles: string
  /** Empty also for one that shares another's network namespace. */
  readonly networks: readonly string[]
}

/** All containers of the engine, running or not; only those that the engine's filters let through, where some are given. */
export async function listContainers(docker: Docker, call: CallLimits = {}, filters: Readonly<Record<string, readonly string[]>> = {}): Promise<Answer<Listed[]>> {
  return readListing(await docker.engine.request(listingCall(call, filters)))
}

/** All containers of the engine as they are at this moment; those who ask at nearly the same time share one answer. */
export async function lookAtHost(docker: Docker, call: CallLimits = {}): Promise<Answer<Listed[]>> {
  return readListing(await docker.listHost(call))
}

function readListing(listed: Answer<EngineResponse>): Answer<Listed[]> {
  return listed.ok ? answered(list(listed.value.body).map(readListed)) : listed
}

function readListed(row: Json): Listed {
  const labels = texts(row['Labels'])
  // A link of another container is a name too, of two parts.
  const names = textList(row['Names']).map((name) => name.replace(/^\//, ''))
  return {
    id: text(row['Id']),
    name: names.find((name) => !name.includes('/')) ?? names[0] ?? '',
    condition: conditionOf(text(row['State'])),
    isOneOff: (labels[label.oneOff] ?? '').toLowerCase() === 'true',
    project: labels[label.project] ?? '',
    service: labels[label.service] ?? '',
    workingDirectory: labels[label.workingDirectory] ?? '',
    configFiles: labels[label.configFiles] ?? '',
    networks: Object.keys(record(record(row['NetworkSettings'])['Networks'])),
  }
}

/** These containers, as far as they are still there, by ID. */
export async function inspectContainers(docker: Docker, ids: readonly string[], call: CallLimits = {}): Promise<Answer<ReadonlyMap<string, Container>>> {
  const inspected = await docker.inspect('container', ids, call)
  if (!inspected.ok) return inspected
  const containers = inspected.value.found.map(readContainer)
  const known = knownOf(docker)
  for (const container of containers) known.set(container.id, container)
  return answered(new Map(containers.map((container) => [container.id, container])))
}

/** By client and ID: what was last seen of a container. */
const seen = new WeakMap<Docker, Map<string, Container>>()

function knownOf(docker: Docker): Map<string, Container> {
  const known = seen.get(docker) ?? new Map<string, Container>()
  seen.set(docker, known)
  return known
}

/**
 * Returns the listed containers with what never changes while a container exists: its mounts, its namespaces, its labels, its
 * image. Each is asked for once in a run, so that a host with many containers costs each stack no more than one with few. Name,
 * condition and networks are those of the listing; health and times may be old.
 */
export async function describeListed(docker: Docker, listed: readonly Listed[], call: CallLimits = {}): Promise<Answer<Container[]>> {
  const known = knownOf(docker)
  const asked = await inspectContainers(docker, listed.filter((row) => !known.has(row.id)).map((row) => row.id), call)
  if (!asked.ok) return asked
  return answered(listed.flatMap((row) => {
    const container = known.get(row.id)
    return container === undefined ? [] : [{ ...container, name: row.name, condition: row.condition, networks: row.networks }]
  }))
}

/** All containers of these projects, and those with these IDs, as a listing shows them. The engine looks for them, so a host with many containers costs no more. */
export async function listWithin(docker: Docker, { projects, ids }: Scope, call: CallLimits = {}): Promise<Answer<Listed[]>> {
  const filters = [...projects.filter((project) => project !== '').map((project) => ({ label: [`${label.project}=${project}`] })), ...(ids.length === 0 ? [] : [{ id: ids }])]
  const answers = await Promise.all(filters.map((filter) => listContainers(docker, call, filter)))
  const found = new Map<string, Listed>()
  for (const answer of answers) {
    if (!answer.ok) return answer
    for (const container of answer.value) found.set(container.id, container)
  }
  return answered([...found.values()])
}

export interface Scope {
  readonly projects: readonly string[]
  readonly ids: readonly string[]
}

/** Returns what may be of the stack: its projects, by name, and by ID the containers that it had without one. */
export function scopeOf(state: StackState): Scope {
  const unnamed = state.projects.filter((project) => project.name === '').flatMap((project) => project.containers)
  return { projects: state.projects.map((project) => project.name), ids: [...unnamed, ...state.dependents].map((container) => container.id) }
}

/** All containers of these projects as they are now, and those with these IDs. */
export async function lookAt(docker: Docker, scope: Scope, call: CallLimits = {}): Promise<Answer<ReadonlyMap<string, Container>>> {
  const listed = await listWithin(docker, scope, call)
  if (!listed.ok) return listed
  return inspectContainers(docker, listed.value.map((container) => container.id), call)
}
