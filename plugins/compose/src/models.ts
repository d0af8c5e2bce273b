import type { Answer, ProjectState } from '@stackbk/contract'

import type { Docker, DockerCall } from './docker.js'
import type { Json } from './json.js'
import { configHashes, readRawModel, resolveModel } from './model.js'

/** A project's models, each asked for once for one look at the stack: `preflight`, `sources` and `describe` need the same. */
export class Models {
  readonly #docker: Docker
  readonly #resolved = new WeakMap<ProjectState, Promise<Answer<Json>>>()
  readonly #raw = new WeakMap<ProjectState, Promise<Answer<Json>>>()

  readonly #hashes = new WeakMap<ProjectState, Promise<Answer<ReadonlyMap<string, string>>>>()

  constructor(docker: Docker) {
    this.#docker = docker
  }

  resolved(project: ProjectState, call: DockerCall = {}): Promise<Answer<Json>> {
    return once(this.#resolved, project, () => resolveModel(this.#docker, project, call))
  }

  raw(project: ProjectState, call: DockerCall = {}): Promise<Answer<Json>> {
    return once(this.#raw, project, () => readRawModel(this.#docker, project, call))
  }

  /** By service: the hash that a container made of the model now would carry. */
  hashes(project: ProjectState, model: Json, call: DockerCall = {}): Promise<Answer<ReadonlyMap<string, string>>> {
    return once(this.#hashes, project, () => configHashes(this.#docker, project, model, call))
  }
}

/** A failed answer is not kept: it may have been a cancelled call. */
function once<T>(known: WeakMap<ProjectState, Promise<Answer<T>>>, project: ProjectState, ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
  const before = known.get(project)
  if (before !== undefined) return before
  const asked = ask().then((answer) => {
    if (!answer.ok) known.delete(project)
    return answer
  })
  known.set(project, asked)
  return asked
}
