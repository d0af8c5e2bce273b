import { existsSync } from 'node:fs'

import { answered, failed } from '@stackbk/contract'
import type { Answer, CapsuleProject } from '@stackbk/contract'

import { askCompose } from './compose.js'
import type { Docker, DockerCall } from './docker.js'
import { children, type Json, jsonForYaml, list, record, text } from './json.js'
import { parsedModel, resolveModel } from './model.js'
import { type ProjectScope, servicesOf } from './rebuild-scope.js'

/**
 * What the containers are made from. The files in the folder count as long as they say what the capsule says: then the containers
 * are the very ones that Compose would make of them. Where they are gone, do not resolve, or say something else (a variable of
 * another environment, a file outside of the folder that is another by now), the capsule's model counts: it is what the files said
 * when the snapshot was taken. See docs/decisions/rebuild-source.md.
 */
export interface RebuildSource {
  readonly scope: ProjectScope
  /** As Compose prints it, a dollar sign doubled. */
  readonly model: Json
  readonly isFromFiles: boolean
  /** Why it is not from the files; empty where it is. */
  readonly whyNotFiles: string
}

export async function chooseSource(docker: Docker, scope: ProjectScope, call: DockerCall = {}): Promise<Answer<RebuildSource>> {
  const [files, recorded] = await Promise.all([modelOfFiles(docker, scope, call), modelOfCapsule(docker, scope, call)])
  if (!files.ok && !isTheirs(files)) return files
  if (recorded !== null && !recorded.ok && !isTheirs(recorded)) return recorded
  if (recorded?.ok === true) {
    if (!files.ok) return answered({ scope, model: recorded.value, isFromFiles: false, whyNotFiles: files.failure.toolOutput || files.failure.message })
    const different = differences(files.value, recorded.value, servicesOf(scope))
    if (different.length > 0) return answered({ scope, model: recorded.value, isFromFiles: false, whyNotFiles: `they now say something else of ${different.join(', ')}` })
  }
  if (files.ok) return answered({ scope, model: files.value, isFromFiles: true, whyNotFiles: '' })
  return failed(files.failure)
}

/** What Compose has against files or model, and not a call that did not work. */
function isTheirs(answer: { readonly failure: { readonly kind: string } }): boolean {
  return answer.failure.kind === 'configuration' || answer.failure.kind === 'failed'
}

/** Returns what the files of the project say on this host. */
export async function modelOfFiles(docker: Docker, { project }: Pick<ProjectScope, 'project'>, call: DockerCall): Promise<Answer<Json>> {
  const missing = project.configFiles.find((file) => !existsSync(file))
  if (project.configFiles.length === 0 || missing !== undefined) {
    return failed({ kind: 'configuration', message: missing === undefined ? `Project ${project.name} was started from no file that is known` : `${missing} is not there`, fix: 'Restore the compose files of the stack' })
  }
  const resolved = await resolveModel(docker, project, call)
  return resolved.ok ? answered(resolved.value.model) : resolved
}

function modelOfCapsule(docker: Docker, { recorded, project, moved }: ProjectScope, call: DockerCall): Promise<Answer<Json> | null> {
  return normalizedModel(docker, { ...recorded, name: project.name, workingDirectory: project.workingDirectory, model: recorded.model === null ? null : movedModel(record(recorded.model), moved) }, call)
}

/** A capsule's model through this Compose once more, so that what another version printed is read alike; `null` where there is none. */
export async function normalizedModel(docker: Docker, recorded: Pick<CapsuleProject, 'name' | 'workingDirectory' | 'model'>, call: DockerCall): Promise<Answer<Json> | null> {
  const { name, workingDirectory } = recorded
  if (Object.keys(record(recorded.model)).length === 0) return null
  const what = `docker compose config of the recorded model of ${name}`
  const printed = await askCompose(docker, { name, workingDirectory, configFiles: ['-'], environmentFiles: [], containers: [] }, { what, args: ['config', '--format', 'json'], allProfiles: true }, { ...call, input: jsonForYaml(recorded.model) })
  return printed.ok ? parsedModel(docker, printed.value, what) : printed
}

/** With the paths of the stack's folder as they are now. */
function movedModel(model: Json, moved: (path: string) => string): Json {
  const plain = (path: unknown): string => moved(text(path).replaceAll('$$', '$')).replaceAll('$', '$$$$')
  const mapped = (value: unknown, change: (child: Json) => Json): Json => Object.fromEntries(children(value).map(([key, child]) => [key, change(child)]))
  const file = (declared: Json): Json => (text(declared['file']) === '' ? declared : { ...declared, file: plain(declared['file']) })
  return {
    ...model,
    services: mapped(model['services'], (definition) =>
      'volumes' in definition ? { ...definition, volumes: list(definition['volumes']).map((mount) => (text(mount['type']) === 'bind' ? { ...mount, source: plain(mount['source']) } : mount)) } : definition,
    ),
    ...('volumes' in model ? { volumes: mapped(model['volumes'], (declared) => withDevice(declared, plain)) } : {}),
    ...('secrets' in model ? { secrets: mapped(model['secrets'], file) } : {}),
    ...('configs' in model ? { configs: mapped(model['configs'], file) } : {}),
  }
}

/** Returns the declaration of a volume with the folder that the local driver mounts in its place. */
function withDevice(declared: Json, plain: (path: unknown) => string): Json {
  const options = record(declared['driver_opts'])
  return text(options['device']).startsWith('/') ? { ...declared, driver_opts: { ...options, device: plain(options['device']) } } : declared
}

/** What does not make a container another one: where its image came from, and what else there is. */
const besidesTheContainer = new Set(['build', 'pull_policy', 'develop', 'profiles', 'scale'])

/** Returns in words what two models say differently of these services and what they use. */
export function differences(one: Json, other: Json, services: readonly string[]): string[] {
  const part = (model: Json, kind: string, name: string): string =>
    canonical(Object.fromEntries(Object.entries(record(record(model[kind])[name])).filter(([key]) => kind !== 'services' || !besidesTheContainer.has(key))))
  const used = (kind: string): string[] => [...new Set(services.flatMap((service) => namesUsed(record(record(other['services'])[service]), kind)))]
  return [
    ...services.filter((name) => part(one, 'services', name) !== part(other, 'services', name)).map((name) => `service ${name}`),
    // With other options, one is made with those that the capsule has, and one that is here stays.
    ...used('volumes').filter((name) => volumePart(one, name) !== volumePart(other, name)).map((name) => `volume ${name}`),
    ...['networks', 'secrets', 'configs'].flatMap((kind) => used(kind).filter((name) => part(one, kind, name) !== part(other, kind, name)).map((name) => `${kind.slice(0, -1)} ${name}`)),
  ]
}

/** Which volume is meant: one of another name has other data. */
function volumePart(model: Json, key: string): string {
  const { name, external } = record(record(model['volumes'])[key])
  return canonical({ name, external: external === true })
}

/** Keys of the model's networks, volumes, secrets, configs that a service uses. */
export function namesUsed(definition: Json, kind: string): string[] {
  const used = definition[kind]
  if (Array.isArray(used)) return list(used).filter((one) => kind !== 'volumes' || text(one['type']) === 'volume').map((one) => text(one['source'])).filter((name) => name !== '')
  return Object.keys(record(used))
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, child: unknown) => (typeof child === 'object' && child !== null && !Array.isArray(child) ? Object.fromEntries(Object.entries(child).sort(([a], [b]) => (a < b ? -1 : 1))) : child))
}

/**
 * The model as a file that comes after the project's own and takes the place of all that they say. The containers then carry the
 * names of those files too, by which the stack is found again, though their content did not count.
 */
export function asOverride(model: Json): string {
  return Object.entries(model).filter(([key]) => key !== 'name').map(([key, value]) => `${jsonForYaml(key)}: !override ${jsonForYaml(value)}\n`).join('')
}
