import { answered, failed } from '@stackbk/contract'
import type { Answer, ContainerCondition } from '@stackbk/contract'

import { conditionOf, type Container, label, readContainer } from './container.js'
import { type Docker, type DockerCall, jsonLines } from './docker.js'

/** What a listing says of a container: enough to know whose it is. */
export interface Listed {
  readonly id: string
  readonly name: string
  readonly condition: ContainerCondition
  readonly isOneOff: boolean
  readonly project: string
  readonly service: string
  readonly workingDirectory: string
  readonly configFiles: string
  /** Empty also for one that shares another's network namespace. */
  readonly networks: readonly string[]
}

/** Labels one by one: the list of all of them is joined with commas, which labels may hold. */
const format = `[${[
  '.ID',
  '.Names',
  '.State',
  `(.Label "${label.project}")`,
  `(.Label "${label.service}")`,
  `(.Label "${label.workingDirectory}")`,
  `(.Label "${label.configFiles}")`,
  '.Networks',
  `(.Label "${label.oneOff}")`,
].map((field) => `{{json ${field}}}`).join(',')}]`

/** All containers of the engine, running or not. */
export async function listContainers(docker: Docker, call: DockerCall = {}): Promise<Answer<Listed[]>> {
  const printed = await docker.ask('docker ps', ['ps', '-a', '--no-trunc', '--format', format], call)
  if (!printed.ok) return printed
  const rows = jsonLines(printed.value)
  if (rows === null) return failed({ kind: 'failed', message: 'docker ps printed what is no JSON', toolOutput: printed.value.slice(0, 500) })
  return answered(
    rows.map((row) => {
      const [id = '', name = '', state = '', project = '', service = '', workingDirectory = '', configFiles = '', networks = '', oneOff = ''] = row as string[]
      return {
        id,
        name: name.split(',')[0]!,
        condition: conditionOf(state),
        isOneOff: oneOff.toLowerCase() === 'true',
        project,
        service,
        workingDirectory,
        configFiles,
        networks: networks.split(',').filter((network) => network !== ''),
      }
    }),
  )
}

/** These containers, as far as they are still there, by ID. */
export async function inspectContainers(docker: Docker, ids: readonly string[], call: DockerCall = {}): Promise<Answer<ReadonlyMap<string, Container>>> {
  const inspected = await docker.inspect('container', ids, call)
  if (!inspected.ok) return inspected
  const containers = inspected.value.found.map(readContainer)
  return answered(new Map(containers.map((container) => [container.id, container])))
}

/** All containers of these projects as they are now, and those with these IDs. */
export async function lookAt(docker: Docker, request: { readonly projects: readonly string[]; readonly ids: readonly string[] }, call: DockerCall = {}): Promise<Answer<ReadonlyMap<string, Container>>> {
  const listed = await listContainers(docker, call)
  if (!listed.ok) return listed
  const wanted = listed.value.filter((container) => request.projects.includes(container.project) || request.ids.includes(container.id))
  return inspectContainers(docker, wanted.map((container) => container.id), call)
}
