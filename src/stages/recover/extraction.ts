import { chmodSync } from 'node:fs'
import { join } from 'node:path'

import type { Answer, CallOptions, Engine, RestoreResult } from '@stackbk/contract'

import { makeFolder } from '../../host/make-folder.js'
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

/** Brings all that the shares hold out of the snapshot into their folders; `isPart`: they are not all of it. Throws the system's error where a folder cannot be made. */
export async function extractShares(engine: Engine, snapshot: string, shares: readonly FileSystemShare[], options: CallOptions & { readonly isPart?: boolean }): Promise<Answer<RestoreResult>> {
  const { isPart = false, ...call } = options
  let sum: RestoreResult = { files: 0, bytes: 0 }
  for (const { folder, paths } of shares) {
    makeFolder(join(folder.path, 'new'))
    chmodSync(folder.path, 0o700)
    const came = await engine.restore({
      snapshot,
      target: join(folder.path, 'new'),
      // All of it where there is only one: a filter costs the engine a look at each path.
      include: shares.length === 1 && !isPart ? [] : paths,
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
