import { lstat, opendir, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'

import { pathFromBytes } from '@stackbk/contract'

import { fsPath } from './file-names.js'
import { isWithin, mountPoints, realPathSoFar } from './mounts.js'

/** Something that could not be removed, and why, in the system's words. */
export interface NotRemoved {
  readonly path: string
  readonly reason: string
}

/** So many are named. */
const mostNamed = 10

/**
 * Removes a file or a folder with all that is in it, as far as that can be: one thing that stays keeps only the folders above it.
 * Never follows a symbolic link and never goes into a file system that is mounted below. Does not throw.
 */
export async function removeTree(path: string): Promise<readonly NotRemoved[]> {
  const mounted = mountPoints().filter((point) => isWithin(point, realPathSoFar(path)))
  const remaining: NotRemoved[] = []
  const root = await lstat(fsPath(path)).catch(() => null)
  if (root !== null) await remove(path, { device: root.dev, mounted: new Set(mounted), remaining })
  return remaining
}

interface Removal {
  readonly device: number
  readonly mounted: ReadonlySet<string>
  readonly remaining: NotRemoved[]
}

/** @returns whether it is gone */
async function remove(path: string, removal: Removal): Promise<boolean> {
  try {
    const found = await lstat(fsPath(path))
    if (removal.mounted.has(path) || found.dev !== removal.device) return stays(path, 'another file system is mounted there', removal)
    if (!found.isDirectory()) {
      await unlink(fsPath(path))
      return true
    }
    let isEmpty = true
    for await (const { name } of await opendir(fsPath(path), { encoding: 'buffer' as BufferEncoding })) isEmpty = (await remove(join(path, pathFromBytes(name as unknown as Buffer)), removal)) && isEmpty
    if (isEmpty) await rmdir(fsPath(path))
    return isEmpty
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    return stays(path, error instanceof Error ? error.message : String(error), removal)
  }
}

function stays(path: string, reason: string, { remaining }: Removal): false {
  if (remaining.length < mostNamed) remaining.push({ path, reason })
  return false
}
