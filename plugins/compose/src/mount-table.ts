import { isInside } from './paths.js'

/** One line of proc(5), mountinfo. */
export interface Mount {
  readonly id: string
  /** The mount that this one lies on. */
  readonly parent: string
  /** Major and minor number of the file system. */
  readonly device: string
  /** The folder of the file system that is mounted; the kernel adds `//deleted` to one that is deleted. */
  readonly root: string
  readonly point: string
  readonly type: string
  /** The device or the name of what is mounted, as whoever mounted it gave it. */
  readonly source: string
}

/** Reads all lines of a mountinfo file, in the order in which they were mounted. */
export function readMounts(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const [id, parent, device, root, point] = before.split(' ')
    const [type, source] = after.split(' ')
    if (id === undefined || parent === undefined || device === undefined || root === undefined || point === undefined || type === undefined || source === undefined) return []
    return [{ id, parent, device, root: unescaped(root), point: unescaped(point), type, source: unescaped(source) }]
  })
}

/** Returns the mount that a path without links lies on; `null` without a root. What lies below another mount is hidden by it. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | null {
  let current = mounts.find(({ point }) => point === '/') ?? null
  for (let depth = 0; current !== null && depth < mounts.length; depth += 1) {
    const on: Mount = current
    const next = mounts.filter((mount) => mount.parent === on.id && mount !== on && isInside(path, mount.point)).reduce<Mount | null>((first, one) => (first === null || one.point.length < first.point.length ? one : first), null)
    if (next === null) break
    current = next
  }
  return current
}

/** Blanks and the like are written as octal numbers. */
export function unescaped(text: string): string {
  return text.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
