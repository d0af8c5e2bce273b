import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'

import { answered, failed } from '@stackbk/contract'
import type { Answer, Capsule, CapsuleProject, MovedFolder, ProjectState } from '@stackbk/contract'

import { isInside } from './paths.js'

/** One project of a capsule, as far as it is to be made again. */
export interface ProjectScope {
  readonly recorded: CapsuleProject
  /** Where it is now, without containers. */
  readonly project: ProjectState
  /** From an original path to the one it has now: the same, but for what lies in the stack's folder, if that has moved. */
  readonly moved: (path: string) => string
  /** Services that ran, with the number of their containers. */
  readonly running: ReadonlyMap<string, number>
  /** Services that the user had stopped. */
  readonly stopped: readonly string[]
}

/** Which services of a capsule are to be made again, in the projects of the folder as it is now. */
export function scopeOf(capsule: Capsule, request: { readonly directory: string; readonly services: readonly string[]; readonly moved?: readonly MovedFolder[] }): Answer<readonly ProjectScope[]> {
  const known = new Set(capsule.projects.flatMap((project) => [...Object.keys(project.replicas), ...project.stoppedServices]))
  const unknown = request.services.find((service) => !known.has(service))
  if (unknown !== undefined) {
    return failed({
      kind: 'not-found',
      message: `The snapshot's record of ${capsule.stack} knows no container of service ${unknown}`,
      fix: known.size === 0 ? 'Leave out the name of the service' : `It knows ${[...known].sort().join(', ')}`,
    })
  }
  const isWanted = (service: string): boolean => request.services.length === 0 || request.services.includes(service)
  return answered(
    capsule.projects.map((recorded) => {
      const moved = movedPath([{ from: capsule.directory, to: request.directory }, ...(request.moved ?? [])])
      return {
        recorded,
        project: projectNow(recorded, moved, request.directory),
        moved,
        running: new Map(Object.entries(recorded.replicas).filter(([service, count]) => isWanted(service) && count > 0)),
        stopped: recorded.stoppedServices.filter(isWanted),
      }
    }),
  )
}

/** All services to be made, those that stay stopped too. */
export function servicesOf(scope: ProjectScope): string[] {
  return [...scope.running.keys(), ...scope.stopped]
}

/** The deepest folder that a path lies in counts. */
function movedPath(folders: readonly MovedFolder[]): (path: string) => string {
  const moved = folders.filter(({ from, to }) => from !== to).sort((one, other) => other.from.length - one.from.length)
  return (path) => {
    const found = moved.find(({ from }) => isInside(path, from))
    return found === undefined ? path : join(found.to, relative(found.from, path))
  }
}

/**
 * A project may have been started by way of a link to its folder, and that link may not be here: then the folder itself stands
 * for it, since Compose has to work somewhere and the stack is found again by that folder.
 */
function projectNow(recorded: CapsuleProject, moved: (path: string) => string, directory: string): ProjectState {
  const workingDirectory = moved(recorded.workingDirectory)
  const isThere = workingDirectory !== '' && existsSync(workingDirectory)
  const place = (path: string): string => (!isThere && workingDirectory !== '' && isInside(moved(path), workingDirectory) ? join(directory, relative(workingDirectory, moved(path))) : moved(path))
  return {
    name: recorded.name,
    workingDirectory: isThere ? workingDirectory : directory,
    configFiles: recorded.configFiles.filter((file) => file.startsWith('/')).map(place),
    environmentFiles: recorded.environmentFiles.filter((file) => file.startsWith('/')).map(place),
    containers: [],
  }
}
