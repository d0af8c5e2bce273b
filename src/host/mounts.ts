import { readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

/** The file system's device number; `null` when nothing is there. */
export function deviceOf(path: string): number | null {
  try {
    return statSync(path).dev
  } catch {
    return null
  }
}

/** The path with symbolic links resolved as far as it exists, so that a folder has one name before and after it is made. */
export function realPathSoFar(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPathSoFar(parent), basename(path))
  }
}

/** The nearest folder above (or the path itself) that exists. */
export function nearestExisting(path: string): string {
  try {
    statSync(path)
    return path
  } catch {
    const parent = dirname(path)
    return parent === path ? path : nearestExisting(parent)
  }
}

/** Whether one path is the other or lies below it. Both absolute. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way === '' || (way !== '..' && !way.startsWith('../') && !way.startsWith('/'))
}

/** The mount point of the file system that this path, or the nearest folder above that exists, lies on. */
export function mountPointOf(path: string): string {
  const real = realPathSoFar(path)
  return mountPoints().filter((point) => isWithin(real, point)).reduce((longest, point) => (point.length > longest.length ? point : longest), '/')
}

/** Every mount point of this machine, as the kernel lists them (proc(5), mountinfo, field 5). */
export function mountPoints(): string[] {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4])
      .filter((path): path is string => path !== undefined)
      .map((path) => path.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
  } catch {
    return []
  }
}
