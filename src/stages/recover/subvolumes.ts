import { statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { fsPath, readEntries } from '../../host/file-names.js'
import { statusOf } from './moves.js'

/** File systems whose subvolumes are folders that no mount tells of (statfs(2), f_type): btrfs and bcachefs. */
const withSubvolumes = [0x9123683e, 0xca451a4e]

/**
 * Returns the subvolumes at and below a place. Between two of them no rename is possible (EXDEV), and one that is moved aside would
 * take its snapshots and quotas with it: so, as with a mount point, what is in it is exchanged, and it stays. `isLeft` says which
 * folders stay as they are anyway; they are not looked into. Throws the system's error.
 */
export function subvolumesAt(place: string, isLeft: (path: string) => boolean): readonly string[] {
  const found = statusOf(place)
  if (found?.isDirectory() !== true || !withSubvolumes.includes(statfsSync(fsPath(place)).type)) return []
  const subvolumes: string[] = []
  const visit = (folder: string, device: number, above: number | undefined): void => {
    if (device !== above) subvolumes.push(folder)
    for (const entry of readEntries(folder)) {
      const path = join(folder, entry.name)
      if (entry.isDirectory() && !isLeft(path)) visit(path, statusOf(path)?.dev ?? device, device)
    }
  }
  visit(place, found.dev, statusOf(dirname(place))?.dev)
  return subvolumes
}

/** Returns whether a folder is on another device than the folder it lies in. */
export function isOnOwnDevice(path: string): boolean {
  const found = statusOf(path)
  return found?.isDirectory() === true && found.dev !== statusOf(dirname(path))?.dev
}
