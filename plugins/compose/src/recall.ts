import { answered, failed } from '@stackbk/contract'
import type { Answer, CallOptions, Capsule, CapsuleProject, ContainerState, Dependency, ProjectState, StackState } from '@stackbk/contract'

import { isAlive } from './container.js'
import type { Docker } from './docker.js'
import { inspectStacks } from './inspect.js'
import { children, type Json, record } from './json.js'
import { configHashes } from './model.js'

/**
 * The state of a stack as its capsule has it: the services that ran, with as many containers each. A container that is still
 * there stands for itself; one that is gone is described as far as the capsule knows it, which is enough to make it again.
 */
export async function recallState(docker: Docker, capsule: Capsule, options: CallOptions = {}): Promise<Answer<StackState>> {
  const looked = await inspectStacks(docker, [capsule.directory], options)
  if (!looked.ok) return looked
  const [now] = looked.value
  if (now === undefined) return failed({ kind: 'failed', message: `nothing was found out about ${capsule.directory}` })
  const named = new Set(capsule.projects.map((project) => project.name))
  const others = now.projects.filter((project) => !named.has(project.name))
  const projects = await Promise.all(capsule.projects.map((project) => recallProject(docker, project, now.projects.find((one) => one.name === project.name), options)))
  return answered({
    ...now,
    condition: capsule.condition === 'running' ? 'running' : now.condition,
    projects: [...projects, ...others],
    takenAt: capsule.createdAt,
  })
}

async function recallProject(docker: Docker, project: CapsuleProject, now: ProjectState | undefined, options: CallOptions): Promise<ProjectState> {
  const hashes = await hashesOf(docker, project, now, options)
  const definitions = new Map(children(record(project.model)['services']))
  const present = now?.containers ?? []
  const ran = Object.entries(project.replicas).flatMap(([service, count]): ContainerState[] => {
    const definition = definitions.get(service) ?? {}
    const own = present.filter((container) => container.service === service && !container.isOneOff)
    const there = [...own.filter(isAlive), ...own.filter((container) => !isAlive(container))].slice(0, count)
    const gone = Array.from({ length: Math.max(0, count - there.length) }, (_, at) => describeGone(project, { service, number: there.length + at + 1, definition, configHash: hashes.get(service) ?? '' }))
    const condition = project.pausedServices.includes(service) ? 'paused' : 'running'
    const expected = project.unhealthyServices?.includes(service) === true ? 'unhealthy' : 'healthy'
    return [...there, ...gone].map((container) => ({ ...container, condition, health: hasHealthcheck(definition) || container.health !== 'none' ? expected : 'none' }))
  })
  const ids = new Set(ran.map((container) => container.id))
  return {
    name: project.name,
    workingDirectory: project.workingDirectory,
    configFiles: project.configFiles,
    environmentFiles: project.environmentFiles,
    containers: [...ran, ...present.filter((container) => !ids.has(container.id))],
  }
}

function describeGone(project: CapsuleProject, { service, number, definition, configHash }: { service: string; number: number; definition: Json; configHash: string }): ContainerState {
  const image = project.images.find((one) => one.service === service)
  return {
    // No container has it: an engine's IDs are hexadecimal.
    id: `gone-${project.name}-${service}-${number}`,
    name: `${project.name}-${service}-${number}`,
    service,
    number,
    isOneOff: false,
    condition: 'running',
    health: 'none',
    startedAt: null,
    exitCode: null,
    restartPolicy: 'no',
    image: { reference: image?.reference ?? '', id: image?.id ?? '' },
    configHash,
    dependsOn: dependenciesOf(definition),
    networkMode: '',
    networks: [],
    mounts: [],
    stopGraceSeconds: 10,
    isRemovedWhenStopped: false,
    labels: {},
  }
}

/** As the containers carried it, but for the names of label files, which a capsule's model lacks: what the files say now is compared with that. */
async function hashesOf(docker: Docker, project: CapsuleProject, now: ProjectState | undefined, options: CallOptions): Promise<ReadonlyMap<string, string>> {
  if (project.model === null) return new Map()
  const hashes = await configHashes(docker, now ?? { ...project, containers: [] }, record(project.model), false, options)
  return hashes.ok ? hashes.value : new Map()
}

function dependenciesOf(definition: Json): Dependency[] {
  return children(definition['depends_on']).map(([service, { condition, required }]) => ({
    service,
    condition: condition === 'service_healthy' || condition === 'service_completed_successfully' ? condition : 'service_started',
    required: required !== false,
  }))
}

function hasHealthcheck(definition: Json): boolean {
  const check = record(definition['healthcheck'])
  return Object.keys(check).length > 0 && check['disable'] !== true
}
