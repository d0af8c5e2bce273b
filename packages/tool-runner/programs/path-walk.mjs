import { lstatSync, readlinkSync } from 'node:fs'
import { dirname } from 'node:path'

/** File systems of the kernel's own memory: nothing outside of this machine's kernel has to answer for them. */
const inMemory = new Set(['tmpfs', 'ramfs', 'devtmpfs', 'proc', 'sysfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2', 'securityfs', 'debugfs', 'tracefs', 'bpf', 'pstore', 'hugetlbfs', 'configfs', 'efivarfs', 'nsfs', 'fusectl', 'binfmt_misc'])

/** As the kernel does (path_resolution(7)). */
const mostLinks = 40

/**
 * The mounts that may not answer, from proc(5), mountinfo: all but those in memory and those of the root file system's own
 * device, without which not even this program could go on.
 */
export class SlowMounts {
  #points

  /** @param {string} mountinfo */
  constructor(mountinfo) {
    const mounts = mountinfo.split('\n').flatMap(parseLine)
    const root = mounts.findLast(({ point }) => point === '/')
    this.#points = mounts.filter(({ type, device }) => !inMemory.has(type) && device !== root?.device).map(({ point }) => point)
  }

  /**
   * The innermost of them that is on the way to this path; `null` where none is.
   *
   * @param {string} path absolute, without links
   * @returns {string | null}
   */
  on(path) {
    let found = null
    for (const point of this.#points) {
      if ((path === point || path.startsWith(`${point}/`)) && point.length >= (found ?? '').length) found = point
    }
    return found
  }
}

/**
 * Follows a path as the kernel does, links included, and calls before each step onto a mount that may not answer. Stops where
 * the call returns false, and at what is not there.
 *
 * @param {string} path
 * @param {SlowMounts} mounts
 * @param {(mountPoint: string) => boolean} enter
 */
export function walk(path, mounts, enter) {
  const waiting = partsOf(path.startsWith('/') ? path : `${process.cwd()}/${path}`)
  let current = '/'
  let links = 0
  for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
    if (part === '..') {
      current = dirname(current)
      continue
    }
    const next = current === '/' ? `/${part}` : `${current}/${part}`
    const slow = mounts.on(next)
    if (slow !== null && !enter(slow)) return
    try {
      if (!lstatSync(next).isSymbolicLink()) {
        current = next
        continue
      }
      links += 1
      if (links > mostLinks) return
      const target = readlinkSync(next)
      if (target.startsWith('/')) current = '/'
      waiting.unshift(...partsOf(target))
    } catch {
      return
    }
  }
}

/** @param {string} path */
function partsOf(path) {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

/** @param {string} line */
function parseLine(line) {
  const [before = '', after = ''] = line.split(' - ')
  const [, , device, , point] = before.split(' ')
  const [type] = after.split(' ')
  if (device === undefined || point === undefined || type === undefined) return []
  return [{ device, point: point.replaceAll(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))), type }]
}
