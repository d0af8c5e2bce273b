import type { Answer, ProjectState } from '@stackbk/contract'

import type { Docker, DockerCall } from './docker.js'
import type { Json } from './json.js'
import { readRawModel, resolveModel } from './model.js'

/** A project's models, each asked for once for one look at the stack: `preflight`, `sources` and `describe` need the same. */
export class Models {
  readonly #docker: Docker
  readonly #resolved = new WeakMap<ProjectState, Promise<Answer<Json>>>()
  readonly #raw = new WeakMap<ProjectState, Promise<Answer<Json>>>()

  constructor(docker: Docker) {
    this.#docker = docker
  }

  resolved(project: ProjectState, call: DockerCall = {}): Promise<Answer<Json>> {
    return once(this.#resolved, project, () => resolveModel(this.#docker, project, call))
  }

  raw(project: ProjectState, call: DockerCall = {}): Promise<Answer<Json>> {
    return once(this.#raw, project, () => readRawModel(this.#docker, project, call))
  }
}

/** A failed answer is not kept: it may have been a cancelled call. */
function once(known: WeakMap<ProjectState, Promise<Answer<Json>>>, project: ProjectState, ask: () => Promise<Answer<Json>>): Promise<Answer<Json>> {
  const before = known.get(project)
  if (before !== undefined) return before
  const asked = ask().then((answer) => {
    if (!answer.ok) known.delete(project)
    return answer
  })
  known.set(project, asked)
  return asked
}
