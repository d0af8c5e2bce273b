import type { ProjectState } from '@stackbk/contract'

import type { Docker, DockerCall } from './docker.js'
import { children } from './json.js'
import { resolveModel } from './model.js'
import { filesReadByModel, readModelFiles } from './model-files.js'
import { namedFiles, type Origin } from './ownership.js'
import { realPath } from './paths.js'

/** Containers of a project that a file of another folder made, and the services of it that are a stack's own. */
export interface Included<T extends Origin> {
  readonly containers: readonly T[]
  readonly project: string
  readonly services: readonly string[]
}

/**
 * Returns what runs of a stack by way of a compose file of another folder that includes the stack's: the services of the stack's
 * own file, in the project of that one. A file that cannot be read here includes nothing.
 *
 * @param stack the project that Compose would make of the stack's folder
 * @param others containers that belong to the stack by nothing that their labels say
 */
export async function includedFrom<T extends Origin>(docker: Docker, stack: ProjectState, others: readonly T[], call: DockerCall = {}): Promise<Included<T>[]> {
  const projects = new Map<string, T[]>()
  for (const container of others) {
    const key = JSON.stringify([container.project, container.workingDirectory, container.configFiles])
    projects.set(key, [...(projects.get(key) ?? []), container])
  }
  const including = await Promise.all([...projects.values()].map(async (containers) => ((await includes(docker, containers[0]!, stack, call)) ? [containers] : [])))
  if (including.flat().length === 0) return []
  const model = await resolveModel(docker, stack, call)
  if (!model.ok) return []
  const services = children(model.value.model['services']).map(([service]) => service)
  return including.flat().map((containers) => ({ project: containers[0]!.project, services, containers: containers.filter(({ service }) => services.includes(service)) })).filter(({ containers }) => containers.length > 0)
}

async function includes(docker: Docker, origin: Origin, stack: ProjectState, call: DockerCall): Promise<boolean> {
  const project = { name: origin.project, workingDirectory: origin.workingDirectory, configFiles: await namedFiles(origin), environmentFiles: [], containers: [] }
  const files = await readModelFiles(project)
  if (!files.contents.some(({ content }) => content !== null && /(^|[\s{,"'])include["']?\s*:/m.test(content))) return false
  const own = await Promise.all(stack.configFiles.map(realPath))
  const read = await Promise.all((await filesReadByModel(docker, project, files, call)).map(realPath))
  return own.some((file) => read.includes(file))
}
