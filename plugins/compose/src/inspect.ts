import { isAbsolute, resolve } from 'node:path'

import { answered } from '@stackbk/contract'
import type { Answer, CallOptions, ContainerState, ProjectState, StackState } from '@stackbk/contract'

import { type Container, isAlive, label, type LastExits, toState } from './container.js'
import type { Docker } from './docker.js'
import { environmentFilesOf, projectOfFolder } from './folder.js'
import { type Included, includedFrom } from './included.js'
import { describeListed, inspectContainers, type Listed, lookAtHost } from './look.js'
import { hereOf, type Place, placesByManagers } from './manager-paths.js'
import { foldersOf, isMadeFrom, isOfFilesNamedIn, isOfNeighbour, namedFiles, type Origin, originOf } from './ownership.js'
import { splitPaths } from './paths.js'
import type { Whereabouts } from './whereabouts.js'

/** A container may vanish between the listing and the look at it; then both are done again. */
const attempts = 5

/**
 * The states of these real directories: one listing and one look for all of them. A container belongs to the folder that
 * its project was started from, or that its first compose file lies in, or whose `.env` gives just its compose files, symbolic
 * links resolved; so all projects of a folder are found, also those started with `-p`.
 *
 * A stack of which nothing runs by that rule is asked for by its project's name too (invariant 8): a running container that
 * carries it makes the stack `running`, unless its labels name another folder with a compose file: then it is that folder's,
 * even if both use one project name. A manager in a container names folders as it sees them: its mounts tell which is meant. Where
 * nothing is found so, the services count that a file of another folder includes from the stack's own. Containers of no project of
 * the stack that mount its paths do not; `sources` tells them.
 */
export async function inspectStacks(docker: Docker, directories: readonly string[], options: CallOptions = {}, whereabouts?: Whereabouts, lastExitOf?: LastExits): Promise<Answer<readonly StackState[]>> {
  for (let attempt = 1; ; attempt += 1) {
    const begunAt = performance.now()
    const listed = await lookAtHost(docker, options)
    if (!listed.ok) return listed
    const places = await placesByManagers(docker, listed.value, options)
    if (!places.ok) return places
    const folders = await foldersOfAll(listed.value, places.value)
    const matched = new Map<string, Listed[]>()
    const vacant = new Map<string, ProjectState>()
    const included = new Map<string, readonly Included<Listed>[]>()
    for (const directory of directories) {
      const own = listed.value.filter((container) => folders.get(container)?.includes(directory))
      if (own.some(isAlive)) {
        matched.set(directory, own)
        continue
      }
      const project = await projectOfFolder(directory, docker.environment)
      if (project !== null) vacant.set(directory, project)
      const others = listed.value.filter((container) => container.project !== '' && !own.includes(container) && !places.value.has(container))
      const namesakes = project === null ? [] : await withoutNeighbours(others.filter((container) => container.project === project.name), directory)
      if (namesakes.some(isAlive)) {
        matched.set(directory, [...own, ...namesakes])
        continue
      }
      const parts = project === null ? [] : await includedFrom(docker, project, others, options)
      included.set(directory, parts)
      matched.set(directory, [...own, ...parts.flatMap(({ containers }) => containers)])
    }
    // Sharing another's network namespace shows as having no network; sharing another one is told by the look at a container alone.
    const strangers = listed.value.filter((container) => container.networks.length === 0 || isAlive(container))
    const own = new Set([...matched.values()].flat().map((container) => container.id))
    const inspected = await inspectContainers(docker, [...own], options)
    if (!inspected.ok) return inspected
    const others = await describeListed(docker, strangers, options)
    if (!others.ok) return others
    const sharing = new Set([...matched.values()].flatMap((rows) => dependentsOf(rows, others.value)).map((container) => container.id).filter((id) => !own.has(id)))
    const guests = await inspectContainers(docker, [...sharing], options)
    if (!guests.ok) return guests
    const containers = new Map([...inspected.value, ...guests.value])
    if (containers.size < own.size + sharing.size && attempt < attempts) continue
    const takenAt = new Date().toISOString()
    const containersOf = (rows: readonly Listed[]): Container[] => rows.flatMap((row) => containers.get(row.id) ?? [])
    const placeOf = new Map([...places.value].map(([{ id }, place]) => [id, place]))
    const states = await Promise.all(
      directories.map((directory) => {
        const found = containersOf(matched.get(directory) ?? [])
        return stateOf({ directory, containers: found, others: [...containers.values()], vacant: vacant.get(directory) ?? null, included: included.get(directory) ?? [], placeOf, takenAt, lastExitOf })
      }),
    )
    for (const state of states) {
      const rows = matched.get(state.directory) ?? []
      const isOwn = (container: Listed): boolean => rows.includes(container) || state.projects.some((project) => isMadeFrom(container, project, state.directory))
      whereabouts?.looked(state.directory, { begunAt, alive: listed.value.filter((container) => isAlive(container) && isOwn(container)) })
    }
    return answered(states)
  }
}

async function withoutNeighbours<T extends Origin>(containers: readonly T[], directory: string): Promise<T[]> {
  const judged = await Promise.all(containers.map(async (container) => ({ container, isNeighbours: await isOfNeighbour(container, directory) })))
  return judged.flatMap(({ container, isNeighbours }) => (isNeighbours ? [] : [container]))
}

interface Found {
  readonly directory: string
  readonly containers: readonly Container[]
  readonly others: readonly Container[]
  readonly vacant: ProjectState | null
  readonly included: readonly Included<Listed>[]
  /** By ID of a container. */
  readonly placeOf: ReadonlyMap<string, Place>
  readonly takenAt: string
  readonly lastExitOf: LastExits | undefined
}

async function stateOf(about: Found): Promise<StackState> {
  const { directory, containers, others, vacant, takenAt, lastExitOf } = about
  const projects = await projectsOf(about)
  return {
    schemaVersion: 1,
    directory,
    condition: containers.some(isAlive) ? 'running' : containers.length > 0 ? 'stopped' : 'not-found',
    failure: null,
    projects: projects.length === 0 && vacant !== null ? [vacant] : projects,
    dependents: dependentsOf(containers, others).map((container) => toState(container, lastExitOf)),
    takenAt,
  }
}

type Namespaces = Pick<ContainerState, 'networkMode' | 'pidMode' | 'ipcMode'>

interface Owner {
  readonly id: string
  readonly name: string
}

/** What it has of that one: it goes with it. The processes in another's process IDs die with that one's first. */
export function sharedNamespaces(container: Namespaces, owner: Owner): ('network' | 'process IDs' | 'shared memory')[] {
  // `container:` and an ID or a name.
  const isShared = (mode: string | undefined): boolean => mode === `container:${owner.id}` || mode === `container:${owner.name}`
  return [...(isShared(container.networkMode) ? ['network' as const] : []), ...(isShared(container.pidMode) ? ['process IDs' as const] : []), ...(isShared(container.ipcMode) ? ['shared memory' as const] : [])]
}

/** Containers of elsewhere that live in a namespace of these, and those that live in one of theirs. */
function dependentsOf(containers: readonly Owner[], others: readonly Container[]): Container[] {
  const found: Container[] = []
  for (let owners = containers; owners.length > 0; ) {
    const next = others.filter((other) => !containers.some((container) => container.id === other.id) && !found.includes(other) && owners.some((owner) => sharedNamespaces(other, owner).length > 0))
    found.push(...next)
    owners = next
  }
  return found
}

async function projectsOf({ directory, containers, included, placeOf, lastExitOf }: Found): Promise<ProjectState[]> {
  const names = [...new Set(containers.map((container) => container.allLabels[label.project] ?? ''))].sort()
  return Promise.all(names.map(async (name) => {
    const own = containers.filter((container) => (container.allLabels[label.project] ?? '') === name).sort(byServiceAndNumber)
    // One-off containers and old ones may have been made from other files: what `up` made last tells how it is made.
    const teller = own.find((container) => !container.isOneOff && isAlive(container)) ?? own.find((container) => !container.isOneOff) ?? own[0]!
    const place = placeOf.get(teller.id)
    const here = (path: string): string => (place === undefined ? path : hereOf(place, path))
    const named = teller.allLabels[label.workingDirectory] ?? ''
    const workingDirectory = here(named)
    const others = [...new Set(own.map((container) => container.allLabels[label.workingDirectory] ?? ''))].filter((folder) => folder !== '' && folder !== workingDirectory)
    const environmentFiles = splitPaths(teller.allLabels[label.environmentFiles] ?? '', named).map((file) => here(isAbsolute(named) ? resolve(named, file) : file))
    // Compose names no file that it reads by itself, and it reads that of the folder it was called in too.
    const isCalledElsewhere = environmentFiles.length === 0 && workingDirectory !== directory && (await isOfFilesNamedIn(directory, originOf(teller.allLabels)))
    const part = included.find(({ project, containers: rows }) => project === name && rows.some(({ id }) => id === teller.id))
    return {
      name,
      workingDirectory,
      ...(others.length === 0 ? {} : { otherWorkingDirectories: others }),
      ...(part === undefined ? {} : { services: part.services }),
      configFiles: (await namedFiles(originOf(teller.allLabels))).map(here),
      environmentFiles: isCalledElsewhere ? await environmentFilesOf(directory, workingDirectory) : environmentFiles,
      containers: own.map((container) => toState(container, lastExitOf)),
    }
  }))
}

function byServiceAndNumber(one: Container, other: Container): number {
  return one.service.localeCompare(other.service) || Number(one.isOneOff) - Number(other.isOneOff) || one.number - other.number || one.name.localeCompare(other.name)
}

/** The real folders that each container of a project belongs to. Those of the same labels are looked for once. */
async function foldersOfAll(listed: readonly Listed[], places: ReadonlyMap<Listed, Place>): Promise<ReadonlyMap<Listed, readonly string[]>> {
  const known = new Map<string, Promise<readonly string[]>>()
  const found = (container: Listed): Promise<readonly string[]> => {
    const key = JSON.stringify([container.workingDirectory, container.configFiles])
    const folders = known.get(key) ?? foldersOf(container)
    known.set(key, folders)
    return folders
  }
  const entries = listed
    .filter((container) => container.project !== '')
    .map(async (container): Promise<[Listed, readonly string[]]> => {
      const place = places.get(container)
      return [container, place === undefined ? await found(container) : [place.here]]
    })
  return new Map(await Promise.all(entries))
}
