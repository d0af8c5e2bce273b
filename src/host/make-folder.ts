import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * A folder and those above it, mode 0700 where they are new. Not `recursive`: Node (20 to 24) goes round for ever where the
 * folder above is there and none can be made in it, as in /proc or under an automounter. `asOnDisk`: the path as Node's functions take it.
 */
export function makeFolder(folder: string, asOnDisk: (path: string) => string | Buffer = (path) => path): void {
  if (statSync(asOnDisk(folder), { throwIfNoEntry: false })?.isDirectory() === true) return
  const above = dirname(folder)
  if (above !== folder) makeFolder(above, asOnDisk)
  try {
    mkdirSync(asOnDisk(folder), { mode: 0o700 })
  } catch (error) {
    // Another process may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || statSync(asOnDisk(folder), { throwIfNoEntry: false })?.isDirectory() !== true) throw error
  }
}
