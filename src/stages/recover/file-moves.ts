import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'

import type { Problem } from '../../errors.js'
import { asidePath, stagedPath } from './extraction.js'
import { isMountPoint, shareOf } from './file-systems.js'
import { isThere, type Move } from './moves.js'
import type { RecoveryPlan } from './plan.js'

/**
 * What goes where, but for the data of volumes: the folder; other folders that the snapshot holds; and files of elsewhere,
 * which may belong to others too: one that is there and differs stays, and is named.
 */
export function fileMoves(plan: Pick<RecoveryPlan, 'name' | 'directory' | 'held' | 'volumePaths' | 'shares' | 'capsule' | 'part'>, problems: Problem[]): readonly Move[] {
  const moves: Move[] = []
  for (const path of plan.part?.paths ?? plan.held) {
    if (plan.part === null && plan.volumePaths.includes(path)) continue
    const folder = shareOf(plan.shares, path)?.folder
    if (folder === undefined) continue
    const staged = stagedPath(folder, path)
    if (!isThere(staged)) continue
    const isFile = !lstatSync(staged).isDirectory()
    if (plan.part === null && path !== plan.directory && plan.capsule === null && !isFile) {
      problems.push({ severity: 'warning', code: 'not-brought-back', message: `${path} is in the snapshot of ${plan.name}, and nothing says what it is to the stack: it is left out`, fix: `Extract it: stackbk recover ${plan.name} --path ${path} --target DIR`, stack: plan.name })
      continue
    }
    if (plan.part === null && path !== plan.directory && isFile && isThere(path)) {
      const difference = differenceOf(staged, path)
      if (difference !== null) problems.push({ severity: 'warning', code: 'file-differs', message: `${path}, which ${plan.name} reads, ${difference}: what is there now stays`, fix: `To have it as it was, run: stackbk recover ${plan.name} --path ${path}`, stack: plan.name })
      continue
    }
    for (const [from, to] of isMountPoint(path) ? contentsOf(staged, path, basename(folder.path)) : [[staged, path] as const]) {
      moves.push({ place: to, staged: from, aside: asidePath(folder, moves.length), hadPresent: isThere(to), ...(isThere(from) ? {} : { isRemoval: true }) })
    }
  }
  return moves
}

/** For a place that cannot be renamed, since a file system is mounted there: each thing in it, also what only is there now. */
function contentsOf(staged: string, place: string, own: string): readonly (readonly [string, string])[] {
  const names = new Set([...readdirSync(staged), ...readdirSync(place)].filter((name) => name !== own && name !== 'lost+found'))
  return [...names].sort().map((name) => [join(staged, name), join(place, name)] as const)
}

/** In words, or `null` for none: content, mode and owner count. */
function differenceOf(staged: string, present: string): string | null {
  const [one, other] = [lstatSync(staged), lstatSync(present)]
  if (one.isSymbolicLink() && other.isSymbolicLink()) return readlinkSync(staged) === readlinkSync(present) ? null : 'is a link to elsewhere than in the snapshot'
  if (one.isFile() !== other.isFile()) return 'is of another kind than in the snapshot'
  if (one.isFile() && (one.size !== other.size || !readFileSync(staged).equals(readFileSync(present)))) return 'has another content than in the snapshot'
  if (one.mode !== other.mode || one.uid !== other.uid || one.gid !== other.gid) return 'has another mode or owner than in the snapshot'
  return null
}
