import { basename, dirname, join } from 'node:path'

import { shellWord } from '@stackbk/contract'

import { isWithin, realPathSoFar } from '../../host/mounts.js'
import type { Recovery } from './recovery.js'

/**
 * Names the containers of elsewhere that still read what was there before: what they have mounted was exchanged, or lies in what
 * was. Where a folder stayed and only what is in it was exchanged, its readers see the new files.
 */
export function tellWhoNeedsRestart(recovery: Recovery): void {
  const { moves, volumeMoves, readers = [] } = recovery.record
  if (readers.length === 0) return
  const exchanged = [...[...moves, ...volumeMoves].filter(({ hadPresent }) => hadPresent).map(({ place }) => place), ...recovery.movedAside].map(realPlace)
  for (const { name, paths } of readers) {
    const old = paths.filter((path) => exchanged.some((place) => isWithin(path, place)))
    if (old.length > 0) recovery.complain('warning', 'needs-restart', `${name}, which is not of this stack, has ${old.join(', ')} mounted and only reads it: it sees the old files until it is restarted`, `Run: docker restart ${shellWord(name)}`)
  }
}

/** A link itself is exchanged, and not what it leads to. */
function realPlace(path: string): string {
  return join(realPathSoFar(dirname(path)), basename(path))
}
