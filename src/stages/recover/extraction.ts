import { chmodSync } from 'node:fs'
import { join } from 'node:path'

import type { Answer, CallOptions, Engine, RestoreResult } from '@stackbk/contract'

import { makeFolder } from '../../host/make-folder.js'
import { isWithin } from '../../host/mounts.js'
import type { FileSystemShare } from './file-systems.js'
import type { RecoveryFolder } from './record.js'

/** Where a path of the snapshot waits in a folder of our own. */
export function stagedPath(folder: RecoveryFolder, path: string): string {
  return join(folder.path, 'new', path)
}

/** Where what was in a place is kept, by a number of its own. */
export function asidePath(folder: RecoveryFolder, number: number): string {
  return join(folder.path, 'before', String(number))
}

export interface Extraction extends CallOptions {
  /** The shares are not all of the snapshot. */
  readonly isPart?: boolean
  /** What the snapshot holds. */
  readonly held?: readonly string[]
  /** Where other file systems are mounted below: what the snapshot holds there goes to a share of its own, or stays as it is. */
  readonly mountPoints?: readonly string[]
}

/** Brings all that the shares hold out of the snapshot into their folders. Throws the system's error where a folder cannot be made. */
export async function extractShares(engine: Engine, snapshot: string, shares: readonly FileSystemShare[], options: Extraction): Promise<Answer<RestoreResult>> {
  const { isPart = false, held = [], mountPoints = [], ...call } = options
  let sum: RestoreResult = { files: 0, bytes: 0 }
  for (const share of shares) {
    const { folder, paths } = share
    const elsewhere = isPart ? null : elsewhereThan(share, { shares, held, mountPoints })
    makeFolder(join(folder.path, 'new'))
    chmodSync(folder.path, 0o700)
    const came = await engine.restore({
      snapshot,
      target: join(folder.path, 'new'),
      // All of it but what goes elsewhere: a disk that is mounted below must not come out onto this one.
      include: elsewhere === null ? paths : [],
      ...(elsewhere === null || elsewhere.length === 0 ? {} : { exclude: elsewhere }),
      subfolder: '',
      deleteExtra: false,
      sparse: true,
      verify: false,
      ...call,
    })
    if (!came.ok) return came
    sum = { files: sum.files + came.value.files, bytes: sum.bytes + came.value.bytes }
  }
  return { ok: true, value: sum }
}

/** What of the snapshot does not belong to a share; `null` where that cannot be said by leaving paths out, since the share lies in another's path. */
function elsewhereThan({ paths }: FileSystemShare, { shares, held, mountPoints }: { readonly shares: readonly FileSystemShare[]; readonly held: readonly string[]; readonly mountPoints: readonly string[] }): readonly string[] | null {
  const others = [...shares.flatMap((share) => share.paths), ...held].filter((path) => !paths.includes(path))
  if (others.some((other) => paths.some((path) => isWithin(path, other)))) return null
  const mounted = mountPoints.filter((point) => !paths.includes(point) && paths.some((path) => isWithin(point, path)))
  return [...new Set([...others, ...mounted])]
}
