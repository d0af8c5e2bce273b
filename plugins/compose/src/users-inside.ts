import type { ContainerState, PlaceReader, Source } from '@stackbk/contract'

import { isInside, realPath } from './paths.js'

type Place = Pick<Source, 'path' | 'volume'>
type Mounting = Pick<ContainerState, 'name' | 'mounts'>

/**
 * Returns the names of the containers that have this very path, its volume or a path inside of it mounted and can write there. What
 * takes its place by a rename does not reach them: they go on with the old one. A mount of a folder above does show the new one.
 */
export async function usersInside(place: Place, containers: readonly Mounting[], resolve = realPath): Promise<string[]> {
  const found = await Promise.all(containers.map(async (container) => ({ name: container.name, paths: await pathsInside(place, container, true, resolve) })))
  return found.filter(({ paths }) => paths.length > 0).map(({ name }) => name)
}

/** Returns the containers that have the same mounted, cannot write to any of it, and so go on reading the old one until they are restarted. */
export async function readersInside(place: Place, containers: readonly Mounting[], resolve = realPath): Promise<PlaceReader[]> {
  const readers = await Promise.all(
    containers.map(async (container): Promise<PlaceReader[]> => {
      const [written, read] = await Promise.all([pathsInside(place, container, true, resolve), pathsInside(place, container, false, resolve)])
      return written.length > 0 || read.length === 0 ? [] : [{ name: container.name, paths: read }]
    }),
  )
  return readers.flat()
}

async function pathsInside({ path, volume }: Place, { mounts }: Mounting, writable: boolean, resolve: typeof realPath): Promise<string[]> {
  const sources = await Promise.all(
    mounts.filter((mount) => mount.writable === writable).map(async (mount) => (mount.kind === 'volume' && volume !== '' && mount.name === volume ? path : mount.source === '' ? '' : await resolve(mount.source))),
  )
  return [...new Set(sources.filter((source) => source !== '' && isInside(source, path)))]
}
