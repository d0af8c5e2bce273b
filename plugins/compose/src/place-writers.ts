import { answered } from '@stackbk/contract'
import type { Answer, CallOptions, PlaceInQuestion, PlaceWriters, PossibleWriter } from '@stackbk/contract'

import { type Container, isAlive } from './container.js'
import type { Docker } from './docker.js'
import { isAbsent } from './engine-host.js'
import { describeListed, lookAtHost } from './look.js'
import { realPath } from './paths.js'
import { readersInside, usersInside } from './users-inside.js'
import { existingVolumes, isInMemory, volumePlace } from './volumes.js'
import { reachOf } from './watch.js'

/** Returns the containers of this engine that run, but for these by their IDs. */
export async function runningStrangers(docker: Docker, own: ReadonlySet<string>, options: CallOptions): Promise<Answer<Container[]>> {
  const listed = await lookAtHost(docker, options)
  if (!listed.ok) return listed
  const described = await describeListed(docker, listed.value.filter((container) => isAlive(container) && !own.has(container.id)), options)
  return described.ok ? answered(described.value.filter(isAlive)) : described
}

/** Returns what resolves paths and asks for each of them once: many places are compared with the same mounts. */
export function resolvingOnce(): typeof realPath {
  const known = new Map<string, Promise<string>>()
  return (path) => {
    const real = known.get(path) ?? realPath(path)
    known.set(path, real)
    return real
  }
}

/** Returns those of these containers that can write to a place, which is named by its real path and, if it is a volume, by its name. */
export async function writersTo({ path, volume }: PlaceInQuestion, containers: readonly Container[], resolve: typeof realPath): Promise<readonly PossibleWriter[]> {
  const places = { paths: path === '' ? [] : [path], volumes: volume === '' ? [] : [volume] }
  const writers = await Promise.all(
    containers.map(async (container): Promise<PossibleWriter[]> => {
      const reach = await reachOf(container, places, resolve)
      if (reach.paths.length === 0 && reach.volumes.length === 0) return []
      const { id, name, image, labels } = container
      return [{ id, name, image: image.reference, labels, paths: reach.volumes.length > 0 ? [path] : reach.paths }]
    }),
  )
  return writers.flat()
}

/**
 * Returns which running containers can write to these places, and which only read them, in the order of the places. A volume is looked for by its name and by
 * where its data lies now, whatever any model says. What is not there, and a volume in memory, has no writers.
 */
export async function writersAt(docker: Docker, places: readonly PlaceInQuestion[], own: readonly string[], options: CallOptions = {}): Promise<Answer<readonly PlaceWriters[]>> {
  const names = places.flatMap(({ volume }) => (volume === '' ? [] : [volume]))
  const [strangers, volumes] = await Promise.all([runningStrangers(docker, new Set(own), options), existingVolumes(docker, names, options)])
  if (!strangers.ok) return strangers
  if (!volumes.ok) return volumes
  const resolve = resolvingOnce()
  return answered(
    await Promise.all(
      places.map(async ({ path: asked, volume }): Promise<PlaceWriters> => {
        const none = { volume, otherUsers: [], usersInside: [], possibleWriters: [] }
        const found = volumes.value.get(volume)
        if (volume !== '' && (found === undefined || isInMemory(found))) return { ...none, path: '' }
        const named = found === undefined ? asked : volumePlace(found).path
        const path = named === '' ? '' : await resolve(named)
        if (volume === '' && (await isAbsent(path))) return { ...none, path }
        const possibleWriters = await writersTo({ path, volume }, strangers.value, resolve)
        const otherUsers = possibleWriters.map(({ name }) => name)
        const inside = otherUsers.length === 0 ? [] : await usersInside({ path, volume }, strangers.value, resolve)
        return { path, volume, otherUsers, usersInside: inside, readersInside: await readersInside({ path, volume }, strangers.value, resolve), possibleWriters }
      }),
    ),
  )
}
