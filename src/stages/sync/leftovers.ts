import type { RepositoryLayout } from '@stackbk/contract'

import { isBelow } from '../layout.js'
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

/** What transports write a file under until it is whole: rclone `NAME.XXXXXXXX.partial`, others `NAME.....partial` too; rsync `.NAME.XXXXXX`. */
const halves = [/^([^.]+)\.[^/]*\bpartial$/, /^\.([^.]+)\.[A-Za-z0-9]{6}$/]

/** A transport may write under a name of its own until a file is whole: that file's, with something around it. */
export function isHalfOfOne(layout: RepositoryLayout, path: string): boolean {
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const name = halves.flatMap((half) => half.exec(path.slice(folder.length))?.[1] ?? [])[0] ?? ''
  return layout.groups.some((group) => (group.isFile ? `${folder}${name}` === group.path : isBelow(group, path) && group.namePattern.test(name)))
}
