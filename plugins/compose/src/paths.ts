import { existsSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'

/** Symbolic links resolved; the path itself, tidied, when it is not there. */
export async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    return resolve(path)
  }
}

/** The same or below it. Both real. */
export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

/** The device number of its file system; `null` when it is not there. */
export async function deviceOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).dev
  } catch {
    return null
  }
}

/**
 * Compose joins paths with commas in its labels and escapes nothing, so a comma in a folder's name has to be told from one
 * between two paths: parts are joined again as long as that gives a file, else as long as the next is no absolute path.
 *
 * @param folder where relative paths start; without it they are taken for no file
 */
export function splitPaths(joined: string, folder = ''): string[] {
  const parts = joined.split(',')
  // A look at a disk that does not answer takes for ever: only where it decides something.
  if (parts.length === 1) return joined === '' ? [] : [joined]
  const paths: string[] = []
  for (let start = 0; start < parts.length; ) {
    let end = start + 1
    for (let length = parts.length; length > start; length -= 1) {
      const candidate = parts.slice(start, length).join(',')
      if ((isAbsolute(candidate) || isAbsolute(folder)) && existsSync(resolve(folder, candidate))) {
        end = length
        break
      }
      if (length === start + 1) {
        while (end < parts.length && !parts[end]!.startsWith('/')) end += 1
      }
    }
    const path = parts.slice(start, end).join(',')
    if (path !== '') paths.push(path)
    start = end
  }
  return paths
}
