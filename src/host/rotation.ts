import { renameSync, rmSync, statSync } from 'node:fs'

/** Rotated at this size, so that a year of nights stays readable by ordinary tools. */
const rotateAtBytes = 8 * 1024 * 1024
const keptFiles = 4

/** Puts a file that has grown large aside as FILE.1, the one before as FILE.2, and so on; the oldest goes. Throws the system's error. */
export function rotate(path: string): void {
  if (sizeOf(path) < rotateAtBytes) return
  rmSync(`${path}.${keptFiles}`, { force: true })
  for (let number = keptFiles - 1; number >= 1; number--) {
    if (sizeOf(`${path}.${number}`) >= 0) renameSync(`${path}.${number}`, `${path}.${number + 1}`)
  }
  renameSync(path, `${path}.1`)
}

/** Bytes; -1 for a file that is not there. */
function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return -1
  }
}
