import { readFileSync } from 'node:fs'

import { unescaped } from './mounts.js'

/** The swap files that are in use (proc(5), swaps): the kernel neither snapshots their subvolume nor clones them. */
export function swapFiles(): readonly string[] {
  try {
    const lines = readFileSync('/proc/swaps', 'utf8').split('\n')
    return lines.flatMap((line) => /^(\S+)\s+file\s/.exec(line)?.[1] ?? []).map(unescaped)
  } catch {
    return []
  }
}
