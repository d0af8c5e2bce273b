import { answered } from '@stackbk/contract'
import type { Answer, ContainerCondition } from '@stackbk/contract'

import { conditionOf, type Container, label, readContainer } from './container.js'
import type { Docker } from './docker.js'
import { type CallLimits, filtersOf, limitsOf } from './engine.js'
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
  const listed = await docker.engine.request({ ...limitsOf(call), what: 'docker ps', path: '/containers/json', query: { all: 'true', ...filtersOf(filters) } })
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
  return answered(new Map(containers.map((container) => [container.id, container])))
}

/** All containers of these projects as they are now, and those with these IDs. */
export async function lookAt(docker: Docker, request: { readonly projects: readonly string[]; readonly ids: readonly string[] }, call: CallLimits = {}): Promise<Answer<ReadonlyMap<string, Container>>> {
  const listed = await listContainers(docker, call)
  if (!listed.ok) return listed
  const wanted = listed.value.filter((container) => request.projects.includes(container.project) || request.ids.includes(container.id))
  return inspectContainers(docker, wanted.map((container) => container.id), call)
}
