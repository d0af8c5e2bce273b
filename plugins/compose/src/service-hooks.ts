import type { ProjectState, StackState } from '@stackbk/contract'

import { children, list } from './json.js'
import type { Models } from './models.js'

/**
 * Services with lifecycle hooks (`pre_stop`, `post_start`). Only Compose runs those, and only when it knows the files: what
 * has them is stopped and started by Compose, everything else by container, which is quicker.
 */
export interface ServiceHooks {
  readonly preStop: ReadonlySet<string>
  readonly postStart: ReadonlySet<string>
}

const none: ServiceHooks = { preStop: new Set(), postStart: new Set() }

/** By project; learnt before the stop, so that it costs no downtime, and asked for again only by another process. */
export class HooksOfServices {
  readonly #models: Models
  readonly #known = new Map<string, ServiceHooks>()

  constructor(models: Models) {
    this.#models = models
  }

  async of(project: ProjectState): Promise<ServiceHooks> {
    const key = `${project.workingDirectory}\n${project.name}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const model = await this.#models.resolved(project)
    // Without a model there are none that could be run. That is not remembered: it may resolve again.
    if (!model.ok) return none
    const services = children(model.value['services'])
    const having = (kind: string): Set<string> => new Set(services.filter(([, definition]) => list(definition[kind]).length > 0).map(([service]) => service))
    const hooks = { preStop: having('pre_stop'), postStart: having('post_start') }
    this.#known.set(key, hooks)
    return hooks
  }

  /** Its files are other ones now. */
  forget(project: ProjectState): void {
    this.#known.delete(`${project.workingDirectory}\n${project.name}`)
  }

  /** Of all projects, by name. */
  async ofAll(state: StackState): Promise<ReadonlyMap<string, ServiceHooks>> {
    return new Map(await Promise.all(state.projects.map(async (project): Promise<[string, ServiceHooks]> => [project.name, await this.of(project)])))
  }
}
