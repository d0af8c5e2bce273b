import { join, relative } from 'node:path'

import { answered } from '@stackbk/contract'
import type { Answer, CallOptions } from '@stackbk/contract'
import { files as fileSystem } from '@stackbk/tool-runner/files'

import type { Container } from './container.js'
import type { Docker } from './docker.js'
import { isAbsent } from './engine-host.js'
import { hasComposeFile } from './folder.js'
import { describeListed, type Listed } from './look.js'
import { namedFiles, namedFolders, type Origin } from './ownership.js'
import { isInside, realPath } from './paths.js'

/** The folder that a container's project was started from. */
export interface Place {
  /** As the labels name it. */
  readonly named: string
  /** As this host knows it, links resolved. */
  readonly here: string
}

type Named = Pick<Origin, 'workingDirectory' | 'configFiles'>

/**
 * Returns where on this host the folders lie that labels name as a manager in a container sees them: Portainer keeps its stacks
 * in a volume, and names them `/data/compose/5`. Folders that are on this host by the name in the label are left out.
 */
export async function placesByManagers(docker: Docker, listed: readonly Listed[], options: CallOptions): Promise<Answer<ReadonlyMap<Listed, Place>>> {
  const ofProjects = listed.filter((container) => container.project !== '')
  const folders = [...new Set(ofProjects.flatMap((container) => namedFolders(container)[0] ?? []))]
  const absent = new Set((await Promise.all(folders.map(async (folder) => ((await isAbsent(folder)) ? [folder] : [])))).flat())
  const unplaced = ofProjects.filter((container) => absent.has(namedFolders(container)[0] ?? ''))
  if (unplaced.length === 0) return answered(new Map())
  const described = await describeListed(docker, listed, options)
  if (!described.ok) return described
  const known = new Map<string, Promise<Place | null>>()
  const placed = await Promise.all(unplaced.map(async (container): Promise<[Listed, Place][]> => {
    const key = JSON.stringify([container.workingDirectory, container.configFiles])
    const place = known.get(key) ?? placeByManager(container, described.value)
    known.set(key, place)
    const found = await place
    return found === null ? [] : [[container, found]]
  }))
  return answered(new Map(placed.flat()))
}

/** The mounts of all containers are tried, and what counts is a folder that has the compose file; `null` where nothing or more than one fits. */
async function placeByManager(origin: Named, containers: readonly Container[]): Promise<Place | null> {
  const [named = ''] = namedFolders(origin)
  const mounts = containers.flatMap((container) => container.mounts.filter(({ kind, source, target }) => (kind === 'bind' || kind === 'volume') && source !== '' && target !== '/' && isInside(named, target)))
  const found = new Set<string>()
  for (const here of new Set(mounts.map(({ source, target }) => join(source, relative(target, named))))) {
    if (await isMadeOf(origin, { named, here })) found.add(await realPath(here))
  }
  const [here] = found
  return here === undefined || found.size > 1 ? null : { named, here }
}

/** Returns the path on this host of what the labels name. */
export function hereOf({ named, here }: Place, path: string): string {
  return isInside(path, named) ? join(here, relative(named, path)) : path
}

async function isMadeOf(origin: Named, place: Place): Promise<boolean> {
  const [file] = await namedFiles(origin)
  if (file === undefined || !isInside(file, place.named)) return hasComposeFile(place.here)
  return fileSystem.isThere(hereOf(place, file))
}
