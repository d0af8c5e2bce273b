import type { RepositoryLayout } from '@stackbk/contract'

import type { CopiedFile } from './file-list.js'
import { waitingFolder } from './placement.js'

/** What is younger may be on its way up at this moment, from another host. */
const leastAgeMs = 24 * 60 * 60 * 1000

/** Of the remote's files that are none of the repository: those that a cut upload left behind, and that no later one takes up. */
export function leftovers(layout: RepositoryLayout, strays: readonly CopiedFile[], now: Date): readonly string[] {
  return strays
    .filter(({ modifiedAt }) => typeof modifiedAt === 'string' && now.getTime() - Date.parse(modifiedAt) > leastAgeMs)
    .map(({ path }) => path)
    .filter((path) => path.startsWith(`${waitingFolder}/`) || isHalfOfOne(layout, path))
}

/** A transport may write under a name of its own until a file is whole: that file's, with something behind it. */
function isHalfOfOne(layout: RepositoryLayout, path: string): boolean {
  const [, name = ''] = /^([^.]+)\.[^/]*\bpartial$/.exec(path.slice(path.lastIndexOf('/') + 1)) ?? []
  return layout.groups.some((group) => (group.isFile ? path.startsWith(`${group.path}.`) && name === group.path : path.startsWith(`${group.path}/`) && group.namePattern.test(name)))
}
