import type { ContainerState, Source } from '@stackbk/contract'

import { isInside, realPath } from './paths.js'

/**
 * Returns the names of the containers that have this very path, its volume or a path inside of it mounted and can write there. What
 * takes its place by a rename does not reach them: they go on with the old one. A mount of a folder above does show the new one.
 */
export async function usersInside({ path, volume }: Pick<Source, 'path' | 'volume'>, containers: readonly Pick<ContainerState, 'name' | 'mounts'>[], resolve = realPath): Promise<string[]> {
  const names: string[] = []
  for (const { name, mounts } of containers) {
    const sources = await Promise.all(
      mounts.filter((mount) => mount.writable).map(async (mount) => (mount.kind === 'volume' && volume !== '' && mount.name === volume ? path : mount.source === '' ? '' : await resolve(mount.source))),
    )
    if (sources.some((source) => source !== '' && isInside(source, path))) names.push(name)
  }
  return names
}
