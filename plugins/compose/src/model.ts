import { answered, failed } from '@stackbk/contract'
import type { Answer, Failure, ProjectState } from '@stackbk/contract'

import { askCompose } from './compose.js'
import { isAlive } from './container.js'
import type { Docker, DockerCall } from './docker.js'
import { children, type Json, record, text, textList } from './json.js'

/** Services that ran, without those that `run` made. */
export function servicesThatRan(project: ProjectState): string[] {
  return [...new Set(project.containers.filter((container) => isAlive(container) && !container.isOneOff).map((container) => container.service))]
}

/**
 * The model as Compose resolves it, environment and all, with the services of every profile if that works: a service of a
 * profile that is not in use may name files that are not there, and that is no trouble. A dollar sign is doubled in it, as
 * Compose wants to read it.
 */
export async function resolveModel(docker: Docker, project: ProjectState, call: DockerCall = {}): Promise<Answer<Json>> {
  const what = `docker compose config of project ${project.name}`
  const args = ['config', '--format', 'json']
  const whole = await askCompose(docker, project, { what, args, allProfiles: true }, call)
  if (whole.ok) return parsed(docker, whole.value, what)
  if (whole.failure.kind !== 'failed') return whole
  let services = servicesThatRan(project)
  for (;;) {
    const named = await askCompose(docker, project, { what, args: [...args, '--', ...services] }, call)
    if (named.ok) return parsed(docker, named.value, what)
    const gone = /no such service: "?([^"\s]+)"?/.exec(named.failure.toolOutput ?? '')?.[1]
    if (gone === undefined || !services.includes(gone)) return unresolved(named.failure)
    services = services.filter((service) => service !== gone)
  }
}

/**
 * The same before Compose normalised it, without what environment files say: that works where one of them is missing.
 * Unnormalised, a service that names the network `default` refers to one that is not declared, so consistency is not asked for.
 */
export async function readRawModel(docker: Docker, project: ProjectState, call: DockerCall = {}): Promise<Answer<Json>> {
  const what = `docker compose config of project ${project.name}`
  const args = ['config', '--format', 'json', '--no-normalize']
  // Without the second flag, which older versions do not know, an environment file that is missing makes it fail.
  for (const more of [['--no-consistency', '--no-env-resolution'], ['--no-consistency'], []]) {
    for (const allProfiles of [true, false]) {
      const raw = await askCompose(docker, project, { what, args: [...args, ...more], allProfiles }, call)
      if (raw.ok) return parsed(docker, raw.value, what)
      if (raw.failure.kind !== 'failed') return raw
      if (/unknown flag/.test(raw.failure.toolOutput ?? '')) break
      if (!allProfiles) return unresolved(raw.failure)
    }
  }
  return failed({ kind: 'failed', message: `${what} is not possible with this Compose` })
}

/** The hash of each service as its container would carry it. */
export async function configHashes(docker: Docker, project: ProjectState, model: Json, call: DockerCall = {}): Promise<Answer<ReadonlyMap<string, string>>> {
  const what = `docker compose config --hash of project ${project.name}`
  // `config --hash` leaves the content of environment files out, while the containers' label counts it. Fed with the
  // resolved model, where that content stands inline, it gives the label's very value.
  const resolved: ProjectState = { ...project, configFiles: ['-'], environmentFiles: [] }
  const printed = await askCompose(docker, resolved, { what, args: ['config', '--hash', '*'], allProfiles: true }, { ...call, input: JSON.stringify(withContainers(project, model)) })
  if (!printed.ok) return printed
  return answered(new Map(printed.value.split('\n').flatMap((line): [string, string][] => {
    const [service, hash] = line.trim().split(/\s+/)
    return service !== undefined && hash !== undefined ? [[service, hash]] : []
  })))
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
      return container === undefined ? [] : [[key, `container:${container.id}`]]
    })
    return [name, { ...definition, ...Object.fromEntries(shared), ...(volumes.length === 0 ? {} : { volumes_from: volumes }) }]
  })
  return { ...model, services: { ...Object.fromEntries([...lenders].map((lender) => [lender, { image: 'none' }])), ...Object.fromEntries(services) } }
}

function parsed(docker: Docker, printed: string, what: string): Answer<Json> {
  try {
    const model = record(JSON.parse(printed))
    docker.confidential.learnModel(model)
    return answered(model)
  } catch {
    // What it printed is not shown: it holds the whole environment.
    return failed({ kind: 'failed', message: `${what} printed what is no JSON` })
  }
}

/** What Compose says against the files is the user's to mend. It may need several lines for it, and the first says where. */
function unresolved(failure: Failure): Answer<Json> {
  return failed({ ...failure, toolOutput: (failure.toolOutput ?? '').replaceAll('\n', ' '), kind: 'configuration', fix: 'Mend the compose file or what it reads, until docker compose config works in the folder' })
}
