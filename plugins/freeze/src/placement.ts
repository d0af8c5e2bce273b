import { answered, type Answer } from '@stackbk/contract'
import { files } from '@stackbk/tool-runner/files'

import { isWithin, type Mount, type MountTable } from './mounts.js'
import { unsupported, type Source } from './sources.js'

/** Sources whose copies lie together, at the root of one mount. */
export interface Share {
  /** The mount's root, in which the hidden folder is made. */
  readonly root: string
  readonly sources: readonly Source[]
  /** The source that is this very root, and so holds the hidden folder; `null` where none does. */
  readonly around: Source | null
}

/**
 * Where the copy of each source goes. Best at the root of the mount that it lies on; where that is in a source, at the root of
 * another mount of the same file system (`acrossMounts`: the copy can be made from one mount to another), else in the source itself.
 */
export function placementOf(sources: readonly Source[], mounts: MountTable, { acrossMounts }: { readonly acrossMounts: boolean }): Answer<readonly Share[]> {
  const shares = new Map<string, { sources: Source[]; around: Source | null }>()
  for (const source of sources) {
    const { mount } = source
    const others = acrossMounts ? mounts.visible.filter((other) => other !== mount && other.device === mount.device).toSorted((a, b) => a.root.length - b.root.length || a.point.length - b.point.length) : []
    const usable = [mount, ...others].filter(canHoldFolder)
    const outside = usable.find((place) => sourcesAround(place, sources).length === 0)
    const place = outside ?? usable.find((own) => own === mount)
    if (place === undefined) return unsupported(`${source.target} cannot be frozen: there is no folder to put the copy in at ${mount.point}, which is mounted read-only or is a file`)
    const around = outside === undefined ? sourcesAround(place, sources) : []
    const [only = null] = around
    if (around.length > 1 || (only !== null && only.path !== place.point)) {
      return unsupported(`${source.target} cannot be frozen: the only place for the copy, ${place.point}, lies in ${around.map(({ target }) => target).join(' and ')}`)
    }
    const share = shares.get(place.point) ?? { sources: [], around: only }
    share.sources.push(source)
    shares.set(place.point, share)
  }
  return answered([...shares].map(([root, share]) => ({ root, ...share })))
}

function canHoldFolder(mount: Mount): boolean {
  try {
    return mount.isWritable && files.statNow(mount.point, { limitMs: 5_000 }).kind === 'directory'
  } catch {
    return false
  }
}

/** The sources that hold this mount's root, by whatever mount they are seen. */
function sourcesAround(place: Mount, sources: readonly Source[]): readonly Source[] {
  return sources.filter(({ mount, pathOnFileSystem }) => mount.device === place.device && isWithin(place.root, pathOnFileSystem))
}
