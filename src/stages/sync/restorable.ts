import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import type { Engine, LayoutGroup, RepositoryLayout } from '@stackbk/contract'

import { StackbkError } from '../../errors.js'
import { belongsTo, isBelow, isIgnored, layoutOf } from '../layout.js'
import { markerName } from '../restore/target.js'
import type { Run } from '../run.js'
import type { FileList } from './file-list.js'
import { isHalfOfOne } from './leftovers.js'
import { waitingFolder } from './placement.js'
import { trashFolder } from './trash.js'

/** No more unassigned files than these are looked for: the first ones show what is wrong. */
const mostNamed = 20

/**
 * Proves before anything is sent that a copy of these files is one that a restore accepts: the engine has named all that it needs,
 * and every file of the repository's folder.
 *
 * Throws `configuration` (2).
 */
export async function assertRestorable(run: Pick<Run, 'configuration'>, engine: Engine, root: string, list: FileList): Promise<void> {
  const layout = layoutOf(run, engine)
  const name = run.configuration.backup.engine
  const undeclared = requiredRoles.filter((role) => !layout.groups.some((group) => group.role === role))
  if (undeclared.length > 0) {
    throw new StackbkError({
      kind: 'configuration',
      code: 'layout-incomplete',
      message: `the engine "${name}" does not name its ${undeclared.join(' and ')} files, so a copy could not be restored; nothing was sent`,
      fix: `Report it to the authors of the engine: its layout() lacks a group of the role ${undeclared.join(' and ')}`,
    })
  }
  const absent = absentRoles(list)
  if (absent.length > 0) {
    throw new StackbkError({
      kind: 'configuration',
      code: 'layout-incomplete',
      message: `the engine "${name}" names no ${absent.join(' and no ')} file of ${root} that is there, so a copy could not be restored; nothing was sent`,
      fix: 'Report it to the authors of the engine: its layout() does not fit its repository',
    })
  }
  const unassigned = await unassignedFiles(root, layout).catch((error: unknown) => {
    throw new StackbkError({ kind: 'failed', code: 'repository-not-listed', message: `the files of ${root} could not be listed`, detail: error instanceof Error ? error.message : String(error), fix: 'Check its disk and permissions' })
  })
  if (unassigned.length === 0) return
  throw new StackbkError({
    kind: 'configuration',
    code: 'file-not-in-layout',
    message: `the engine "${name}" does not say what to do with ${named(unassigned)} in ${root}, so a copy might not be complete; nothing was sent`,
    ...(unassigned.length > 3 ? { detail: unassigned.map(onOneLine).join(', ') } : {}),
    fix: 'If the engine made it, report it to the authors of the engine: its layout() has to name every file. If not, move it out of the folder of the repository',
  })
}

const requiredRoles: readonly LayoutGroup['role'][] = ['config', 'snapshot']

/** Returns the roles that a restore needs and of which the list has no file; keys only where the layout has such. */
export function absentRoles(list: FileList): readonly LayoutGroup['role'][] {
  const needed: readonly LayoutGroup['role'][] = list.some(({ group }) => group.role === 'key') ? ['config', 'key'] : ['config']
  return needed.filter((role) => !list.some(({ group, files }) => group.role === role && files.length > 0))
}

/** Returns files of the repository's folder that are in no group and not ignored, at most twenty. Throws where the folder cannot be read. */
export async function unassignedFiles(root: string, layout: RepositoryLayout): Promise<readonly string[]> {
  const found: string[] = []
  const search = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      if (found.length >= mostNamed) return
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (isOfSystem(entry.name) || isOurs(path) || isIgnored(layout, path)) continue
      const kind = entry.isSymbolicLink() ? await stat(join(root, path)).catch(() => entry) : entry
      if (kind.isDirectory()) {
        await search(path).catch((error: unknown) => {
          // Files that the engine needs were listed before; a folder of something else may be closed to this user.
          if (layout.groups.some((group) => path === group.path || isBelow(group, `${path}/`) || group.path.startsWith(`${path}/`))) throw error
          if (!isGone(error)) found.push(`${path}/`)
        })
      } else if (!layout.groups.some((group) => belongsTo(group, path)) && !isHalfOfOne(layout, path)) found.push(path)
    }
  }
  await search('')
  return found.toSorted()
}

/** Names that file systems, file servers and desktops put into any folder. */
const systemNames: readonly RegExp[] = [
  /^lost\+found$/,
  /^\.(?:snapshots|zfs|Trash-\d+|Trashes|Spotlight-V100|fseventsd|TemporaryItems|DS_Store|directory|nomedia|stfolder|stignore)$/,
  /^(?:@eaDir|@Recycle|#recycle|#snapshot|~snapshot|\$RECYCLE\.BIN|System Volume Information|Thumbs\.db|desktop\.ini)$/i,
  /^\._/,
  /^\.nfs[0-9a-f]+$/,
  /^\.fuse_hidden[0-9a-f]+$/,
]

function isOfSystem(name: string): boolean {
  return systemNames.some((pattern) => pattern.test(name))
}

/** Returns whether stackbk itself puts this there: marks of a restore, files that are still being written, and the trash in a copy that was downloaded as it was. */
function isOurs(path: string): boolean {
  return path === markerName || path === trashFolder || path === waitingFolder || /(?:^|\/)\.[^/]+\.[0-9a-f]{12}\.tmp$/.test(path)
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

function onOneLine(path: string): string {
  return /\p{Cc}/u.test(path) ? JSON.stringify(path) : path
}

function named(files: readonly string[]): string {
  const rest = files.length - 3
  return `${files.slice(0, 3).map(onOneLine).join(', ')}${rest > 0 ? ` and ${rest === mostNamed - 3 ? 'many' : rest} more` : ''}`
}
