import { answered, failed } from '@stackbk/contract'
import type { Answer, Failure, ProjectState } from '@stackbk/contract'

import { askCompose } from './compose.js'
import { isAlive } from './container.js'
import type { Docker, DockerCall } from './docker.js'
import { children, type Json, jsonForYaml, record, text, textList } from './json.js'
import { fixForModel } from './missing-variable.js'
import { serviceHashes } from './service-hash.js'

/** Services that ran, without those that `run` made. */
export function servicesThatRan(project: ProjectState): string[] {
  return [...new Set(project.containers.filter((container) => isAlive(container) && !container.isOneOff).map((container) => container.service))]
}

/** A model as Compose resolves it. A dollar sign is doubled in it, as Compose wants to read it. */
export interface ResolvedModel {
  readonly model: Json
  /** It has the services of every profile; otherwise only some that ran. */
  readonly hasAllProfiles: boolean
  /** Variables that the files read, that nothing sets, and that were blank therefore. */
  readonly unsetVariables: readonly string[]
}

/**
 * Resolves the model, environment and all, with the services of every profile if that works: a service of a profile that is not
 * in use may name files that are not there, and that is no trouble.
 */
export async function resolveModel(docker: Docker, project: ProjectState, call: DockerCall = {}): Promise<Answer<ResolvedModel>> {
  const what = `docker compose config of project ${project.name}`
  const args = ['config', '--format', 'json']
  const unset = new Set<string>()
  const listening: DockerCall = { ...call, onErrorLine: (line) => noteUnset(line, unset) }
  const asResolved = (printed: string, hasAllProfiles: boolean): Answer<ResolvedModel> => {
    const model = parsedModel(docker, printed, what)
    return model.ok ? answered({ model: model.value, hasAllProfiles, unsetVariables: [...unset].sort() }) : model
  }
  const whole = await askCompose(docker, project, { what, args, allProfiles: true }, listening)
  if (whole.ok) return asResolved(whole.value, true)
  if (whole.failure.kind !== 'failed') return whole
  let services = servicesThatRan(project)
  for (;;) {
    unset.clear()
    const named = await askCompose(docker, project, { what, args: [...args, '--', ...services] }, listening)
    if (named.ok) return asResolved(named.value, false)
    const gone = /no such service: "?([^"\s]+)"?/.exec(named.failure.toolOutput ?? '')?.[1]
    if (gone === undefined || !services.includes(gone)) return failed(unresolved(named.failure))
    services = services.filter((service) => service !== gone)
  }
}

function noteUnset(line: string, unset: Set<string>): void {
  const name = /The \\?"([A-Za-z_]\w*)\\?" variable is not set/.exec(line)?.[1]
  if (name !== undefined) unset.add(name)
}

/**
 * Reads the model before Compose normalises it, without what environment files say: that works where one of them is missing.
 * Where a variable is missing too, the model is read with its variables as they are written: a name or path that holds one stays
 * unknown. Unnormalised, a service that names the network `default` refers to one that is not declared, so consistency is not
 * asked for.
 */
export async function readRawModel(docker: Docker, project: ProjectState, call: DockerCall = {}): Promise<Answer<Json>> {
  const what = `docker compose config of project ${project.name}`
  const args = ['config', '--format', 'json', '--no-normalize']
  let failure: Failure | null = null
  // Without the second flag, which older versions do not know, an environment file that is missing makes it fail.
  for (const more of [['--no-consistency', '--no-env-resolution'], ['--no-consistency', '--no-env-resolution', '--no-interpolate'], ['--no-consistency'], ['--no-consistency', '--no-interpolate'], []]) {
    for (const allProfiles of [true, false]) {
      const raw = await askCompose(docker, project, { what, args: [...args, ...more], allProfiles }, call)
      if (raw.ok) return parsedModel(docker, raw.value, what)
      if (raw.failure.kind !== 'failed') return raw
      if (/unknown flag/.test(raw.failure.toolOutput ?? '')) break
      failure ??= raw.failure
      if (!allProfiles && more.includes('--no-interpolate')) return failed(unresolved(failure))
    }
  }
  return failure === null ? failed({ kind: 'failed', message: `${what} is not possible with this Compose` }) : failed(unresolved(failure))
}

/**
 * Returns the hash that a container made of each service now would carry. Compose is asked only where a container that runs
 * carries another one than the model gives by {@link serviceHashes}. `mayHaveLabelFiles`: the project's files may name some.
 */
export async function configHashes(docker: Docker, project: ProjectState, model: Json, mayHaveLabelFiles: boolean, call: DockerCall = {}): Promise<Answer<ReadonlyMap<string, string>>> {
  const completed = withContainers(project, model)
  const computed = serviceHashes(completed)
  const services = record(model['services'])
  const running = project.containers.filter((container) => isAlive(container) && !container.isOneOff && container.service in services)
  if (running.length > 0 && running.every((container) => container.configHash === computed.get(container.service))) return answered(computed)
  const labelled = mayHaveLabelFiles ? serviceHashes(await withLabelFiles(docker, project, completed, call)) : computed
  const asMade = new Map([...labelled].filter(([service, hash]) => running.some((container) => container.service === service && container.configHash === hash)))
  const what = `docker compose config --hash of project ${project.name}`
  // `config --hash` leaves the content of environment files out, while the containers' label counts it. Fed with the
  // resolved model, where that content stands inline, it gives the label's very value.
  const resolved: ProjectState = { ...project, configFiles: ['-'], environmentFiles: [] }
  const printed = await askCompose(docker, resolved, { what, args: ['config', '--hash', '*'], allProfiles: true }, { ...call, input: jsonForYaml(completed) })
  if (!printed.ok) return printed
  const hashes = printed.value.split('\n').flatMap((line): [string, string][] => {
    const [service, hash] = line.trim().split(/\s+/)
    return service !== undefined && hash !== undefined ? [[service, hash]] : []
  })
  return answered(new Map([...hashes, ...asMade]))
}

/**
 * The label counts the names of label files, and not only the labels that they give. Compose leaves those names out of the model and out
 * of `config --hash` alike, but where it resolves no variables (Compose 2.40).
 */
async function withLabelFiles(docker: Docker, project: ProjectState, model: Json, call: DockerCall): Promise<Json> {
  const printed = await askCompose(docker, project, { what: `docker compose config --no-interpolate of project ${project.name}`, args: ['config', '--format', 'json', '--no-interpolate'], allProfiles: true }, call)
  if (!printed.ok) return model
  const plain = parsedModel(docker, printed.value, 'docker compose config --no-interpolate')
  const named = record(plain.ok ? plain.value['services'] : {})
  const services = children(model['services']).map(([name, definition]): [string, Json] => {
    const files = textList(record(named[name])['label_file'])
    if (files.length === 0) return [name, definition]
    const keys = Object.entries(definition)
    return [name, Object.fromEntries([...keys.filter(([key]) => key < 'label_file' || key === 'labels'), ['label_file', files], ...keys.filter(([key]) => key > 'label_file' && key !== 'labels')])]
  })
  return { ...model, services: Object.fromEntries(services) }
}

/**
 * What shares a namespace or the volumes of another service is made, and counted in the label, with the ID of that one's container.
 * A service by that name has to be in the model then, or Compose finds that it lacks one.
 */
function withContainers(project: ProjectState, model: Json): Json {
  const lenders = new Set<string>()
  const lenderOf = (entry: string): string => {
    const [first = '', second = ''] = entry.split(':')
    const lender = first === 'container' ? second : (project.containers.find((one) => one.service === first && !one.isOneOff)?.id ?? first)
    lenders.add(lender)
    return lender
  }
  const services = children(model['services']).map(([name, definition]): [string, Json] => {
    const volumes = textList(definition['volumes_from']).map(lenderOf)
    const shared = ['network_mode', 'ipc', 'pid'].flatMap((key): [string, string][] => {
      const owner = /^service:(.+)$/.exec(text(definition[key]))?.[1]
      const container = project.containers.find((one) => one.service === owner && !one.isOneOff)
      return container === undefined ? [] : [[key, goneOwner(project, name, key) ?? `container:${container.id}`]]
    })
    return [name, { ...definition, ...Object.fromEntries(shared), ...(volumes.length === 0 ? {} : { volumes_from: volumes }) }]
  })
  return { ...model, services: { ...Object.fromEntries([...lenders].map((lender) => [lender, { image: 'none' }])), ...Object.fromEntries(services) } }
}

/** The mode of a service's container whose owner was made again since: the label was counted with the ID of the former one. */
function goneOwner(project: ProjectState, service: string, key: string): string | undefined {
  const container = project.containers.find((one) => one.service === service && !one.isOneOff && isAlive(one))
  const mode = key === 'network_mode' ? container?.networkMode : key === 'ipc' ? container?.ipcMode : container?.pidMode
  return mode !== undefined && /^container:[0-9a-f]{64}$/.test(mode) && !project.containers.some(({ id }) => mode === `container:${id}`) ? mode : undefined
}

/** Reads a model that Compose printed, and learns what of it must never be shown. */
export function parsedModel(docker: Docker, printed: string, what: string): Answer<Json> {
  try {
    const model = record(JSON.parse(printed))
    docker.confidential.learnModel(model)
    return answered(model)
  } catch {
    // What it printed is not shown: it holds the whole environment.
    return failed({ kind: 'failed', message: `${what} did not print JSON` })
  }
}

/** What Compose says against the files is the user's to mend. It may need several lines for it, and the first says where. */
function unresolved(failure: Failure): Failure {
  const toolOutput = (failure.toolOutput ?? '').replaceAll('\n', ' ')
  return { ...failure, toolOutput, kind: 'configuration', fix: fixForModel(toolOutput, 'Correct the compose file or the files that it reads, until docker compose config works in the folder') }
}
