import { createHash } from 'node:crypto'
import { join } from 'node:path'

import { answered } from '@stackbk/contract'
import type { Answer, ProjectState } from '@stackbk/contract'

import type { Docker, DockerCall } from './docker.js'
import { type Json, record } from './json.js'
import { configHashes, readRawModel, type ResolvedModel, resolveModel } from './model.js'
import { filesReadByModel, type ModelFiles, readModelFiles } from './model-files.js'
import { droppedSections } from './plain-compose-file.js'

/**
 * The models of projects. `preflight`, `sources`, `describe` and the hooks of services need the same ones, so each is asked for
 * once for one look at the stack, and again for a later look only if a file that it was made of has changed since.
 */
export class Models {
  readonly #docker: Docker
  readonly #files = new WeakMap<ProjectState, Promise<Answer<ModelFiles>>>()
  readonly #resolved = new WeakMap<ProjectState, Promise<Answer<ResolvedModel>>>()
  readonly #raw = new WeakMap<ProjectState, Promise<Answer<Json>>>()
  readonly #hashes = new WeakMap<ProjectState, Promise<Answer<ReadonlyMap<string, string>>>>()
  readonly #named = new WeakMap<ProjectState, Promise<Answer<readonly string[]>>>()
  /** By project: the last resolved model, with the digest of what it was made of. */
  readonly #latest = new Map<string, { readonly digest: string; readonly model: ResolvedModel }>()

  constructor(docker: Docker) {
    this.#docker = docker
  }

  async resolved(project: ProjectState, call: DockerCall = {}): Promise<Answer<Json>> {
    const resolved = await this.#resolve(project, call)
    return resolved.ok ? answered(resolved.value.model) : resolved
  }

  /** Variables that the project's files read and that nothing sets; none where the model does not resolve. */
  async unsetVariables(project: ProjectState, call: DockerCall = {}): Promise<readonly string[]> {
    const resolved = await this.#resolve(project, call)
    return resolved.ok ? resolved.value.unsetVariables : []
  }

  /**
   * Returns everything that the files declare. That is the resolved model, unless Compose may have dropped something from it: a
   * volume that no service uses, services of other profiles.
   */
  async declared(project: ProjectState, call: DockerCall = {}): Promise<Answer<Json>> {
    const [resolved, files] = await Promise.all([this.#resolve(project, call), this.#filesOf(project)])
    if (!resolved.ok && resolved.failure.kind !== 'configuration') return resolved
    if (resolved.ok && resolved.value.hasAllProfiles && files.ok && hasEverything(resolved.value.model, files.value)) return answered(resolved.value.model)
    const raw = await once(this.#raw, project, () => readRawModel(this.#docker, project, call))
    return raw.ok || raw.failure.kind !== 'configuration' || !resolved.ok ? raw : answered(resolved.value.model)
  }

  /** By service: the hash that a container made of the model now would carry. */
  hashes(project: ProjectState, model: Json, call: DockerCall = {}): Promise<Answer<ReadonlyMap<string, string>>> {
    return once(this.#hashes, project, async () => {
      const files = await this.#filesOf(project)
      return configHashes(this.#docker, project, model, files.ok && (files.value.named === null || files.value.named.length > 0), call)
    })
  }

  /** The files that the project's own name and that Compose reads; see {@link filesReadByModel}. */
  async filesRead(project: ProjectState, call: DockerCall = {}): Promise<readonly string[]> {
    const files = await this.#filesOf(project)
    if (!files.ok) return []
    const named = await once(this.#named, project, async () => answered(await filesReadByModel(this.#docker, project, files.value, call)))
    return named.ok ? named.value : []
  }

  #filesOf(project: ProjectState): Promise<Answer<ModelFiles>> {
    return once(this.#files, project, async () => answered(await readModelFiles(project)))
  }

  #resolve(project: ProjectState, call: DockerCall): Promise<Answer<ResolvedModel>> {
    return once(this.#resolved, project, async () => {
      const files = await this.#filesOf(project)
      const digest = files.ok ? await digestOf(project, files.value) : null
      const key = `${project.workingDirectory}\n${project.name}`
      const latest = this.#latest.get(key)
      if (digest !== null && latest?.digest === digest) return answered(latest.model)
      const resolved = await resolveModel(this.#docker, project, call)
      if (resolved.ok && digest !== null && resolved.value.hasAllProfiles) this.#latest.set(key, { digest, model: resolved.value })
      return resolved
    })
  }
}

/** Whether the model has all that the files declare. Unknown is no. */
function hasEverything(model: Json, files: ModelFiles): boolean {
  return files.contents.length > 0 && files.contents.every(({ plain }) => plain !== null && droppedSections.every((section) => plain.keys[section].every((key) => key in record(model[section]))))
}

/** Returns a digest of everything that Compose makes the model of, but for its environment; `null` where that is not known. */
async function digestOf(project: ProjectState, files: ModelFiles): Promise<string | null> {
  if (files.contents.length === 0 || files.named === null) return null
  const environment = await readModelFiles({ ...project, configFiles: [...project.environmentFiles, join(project.workingDirectory, '.env'), ...files.named] })
  const parts = [...files.contents, ...environment.contents].map(({ path, content }) => [path, content])
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** Keeps an answer, also that the files are wrong; not one that a later call may get right, such as that of a cancelled one. */
function once<T>(known: WeakMap<ProjectState, Promise<Answer<T>>>, project: ProjectState, ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
  const before = known.get(project)
  if (before !== undefined) return before
  const asked = ask().then((answer) => {
    if (!answer.ok && answer.failure.kind !== 'configuration') known.delete(project)
    return answer
  })
  known.set(project, asked)
  return asked
}
