import { answered } from '@stackbk/contract'
import type { Answer, CallOptions, Capsule, CapsuleProject, IsolationNeeds } from '@stackbk/contract'

import { label } from './container.js'
import type { Docker } from './docker.js'
import { limitsOf, pathOf } from './engine.js'
import { type Json, number, record, text } from './json.js'
import { listContainers } from './look.js'

/**
 * Returns what a stack will need in isolation: the networks that its services are on, and the memory that its containers in
 * production use now. A service that does not run here counts with its memory limit.
 */
export async function isolationNeeds(docker: Docker, capsule: Capsule, options: CallOptions = {}): Promise<Answer<IsolationNeeds>> {
  const needs = await Promise.all(capsule.projects.map((project) => needsOfProject(docker, project, options)))
  return answered(needs.reduce(sum, { networks: 0, memoryBytes: 0, containersOfUnknownMemory: 0 }))
}

async function needsOfProject(docker: Docker, project: CapsuleProject, options: CallOptions): Promise<IsolationNeeds> {
  const services = record(record(project.model)['services'])
  const used = await memoryInUse(docker, project.name, options)
  const running = Object.entries(project.replicas).map(([service, count]) => ({ service, count: Math.max(1, count), definition: record(services[service]) }))
  const networks = new Set(running.flatMap(({ definition }) => networksOf(definition)))
  return running
    .map(({ service, count, definition }): IsolationNeeds => {
      const perContainer = used.get(service) ?? memoryLimitOf(definition)
      return { networks: 0, memoryBytes: count * (perContainer ?? 0), containersOfUnknownMemory: perContainer === null ? count : 0 }
    })
    .reduce(sum, { networks: networks.size, memoryBytes: 0, containersOfUnknownMemory: 0 })
}

function sum(one: IsolationNeeds, other: IsolationNeeds): IsolationNeeds {
  return {
    networks: one.networks + other.networks,
    memoryBytes: one.memoryBytes + other.memoryBytes,
    containersOfUnknownMemory: one.containersOfUnknownMemory + other.containersOfUnknownMemory,
  }
}

/** Returns the keys of the networks that are made for a service in isolation. */
function networksOf(definition: Json): readonly string[] {
  const mode = text(definition['network_mode'])
  if (mode === 'none' || mode === 'host' || mode.startsWith('service:') || mode.startsWith('container:')) return []
  const named = Object.keys(record(definition['networks']))
  return named.length === 0 ? ['default'] : named
}

/** Returns the limit of a container in bytes as Compose prints it; `null`: it has none. */
function memoryLimitOf(definition: Json): number | null {
  const limits = [definition['mem_limit'], record(record(record(definition['deploy'])['resources'])['limits'])['memory']].map((limit) => number(limit) || Number(text(limit)))
  return limits.find((limit) => Number.isFinite(limit) && limit > 0) ?? null
}

/** Returns by service what the largest of its running containers uses, in bytes. A container that cannot be asked is left out. */
async function memoryInUse(docker: Docker, project: string, options: CallOptions): Promise<ReadonlyMap<string, number>> {
  const listed = await listContainers(docker, options, { label: [`${label.project}=${project}`], status: ['running'] })
  const used = new Map<string, number>()
  if (!listed.ok) return used
  await Promise.all(
    listed.value.map(async ({ id, service }) => {
      const stats = await docker.engine.request({ ...limitsOf(options), what: 'docker stats', path: pathOf('containers', id, 'stats'), query: { stream: 'false', 'one-shot': 'true' }, isLogged: false })
      if (!stats.ok) return
      const memory = record(record(stats.value.body)['memory_stats'])
      const details = record(memory['stats'])
      // Pages of files that the kernel drops as soon as memory is short are no need.
      const bytes = number(memory['usage']) - (number(details['inactive_file']) || number(details['total_inactive_file']))
      if (bytes > 0) used.set(service, Math.max(bytes, used.get(service) ?? 0))
    }),
  )
  return used
}
