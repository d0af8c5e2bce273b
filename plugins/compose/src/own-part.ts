import { dirname } from 'node:path'

import type { ProjectState, StackState } from '@stackbk/contract'

import { children, type Json, list, text } from './json.js'
import { isInside, realPath } from './paths.js'

/**
 * Returns what of a project's model is this stack's. A project that was started from above the folder, by a file that includes
 * those of several folders, has services and volumes of other stacks too: those of services that have containers here count.
 */
export async function ownPart(state: Pick<StackState, 'directory'>, project: ProjectState, model: Json): Promise<Json> {
  if (project.containers.length === 0 || project.configFiles.length === 0) return model
  const folders = await Promise.all(project.configFiles.flatMap((file) => [realPath(dirname(file)), realPath(file).then(dirname)]))
  if (folders.some((folder) => isInside(folder, state.directory))) return model
  const own = new Set(project.services ?? project.containers.map((container) => container.service))
  const services = children(model['services']).filter(([service]) => own.has(service))
  const isUsed = (kind: string, key: string): boolean => services.some(([, definition]) => list(definition[kind]).some((use) => text(use['source']) === key))
  const used = ['volumes', 'secrets', 'configs'].map((kind): [string, Json] => [kind, Object.fromEntries(children(model[kind]).filter(([key]) => isUsed(kind, key)))])
  return { ...model, services: Object.fromEntries(services), ...Object.fromEntries(used) }
}
