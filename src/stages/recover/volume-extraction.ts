import type { Answer, Engine } from '@stackbk/contract'

import { ownFolderPrefix } from './own-folder.js'
import { extractShares } from './extraction.js'
import { sharesOf } from './file-systems.js'
import type { Recovery } from './recovery.js'
import type { RecoveryFolder } from './record.js'

/**
 * Extracts the data of a volume once more, next to the volume: it is on another file system than the folder in which its data
 * waits, and only within one file system can data be exchanged at once. Throws where no folder can be made for it.
 */
export async function extractFor(recovery: Recovery, engine: Engine, { path, place }: { readonly path: string; readonly place: string }): Promise<Answer<RecoveryFolder>> {
  const { record, run } = recovery
  const [share] = sharesOf([place], `${ownFolderPrefix}${record.key}-${run.id.slice(-6)}`)
  if (share === undefined) throw new Error(`no file system for ${place}`)
  const { folders } = record
  const present = folders.find((folder) => folder.path === share.folder.path)
  const folder: RecoveryFolder = { ...share.folder, paths: [...(present?.paths ?? []), path] }
  recovery.note({ folders: [...folders.filter((one) => one !== present), folder] })
  const came = await extractShares(engine, record.snapshotId, [{ ...share, paths: [path] }], { isPart: true, signal: run.signal })
  return came.ok ? { ok: true, value: folder } : came
}
