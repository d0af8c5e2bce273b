import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** One line of proc(5), mountinfo: a file system, or a part of one, at a place of the tree. */
export interface Mount {
  readonly id: string
  readonly parent: string
  /** The same for all mounts of one file system, unlike the device that stat shows of a btrfs subvolume. */
  readonly device: string
  /** The folder of the file system that shows here. */
  readonly root: string
  readonly point: string
  readonly isWritable: boolean
  readonly type: string
}

/** What is mounted where, at one instant. */
export class MountTable {
  /** Those that a path leads to: what was mounted over others hides them. */
  readonly visible: readonly Mount[]
  readonly #root: Mount | null
  readonly #children: ReadonlyMap<string, readonly Mount[]>

  constructor(mountinfo: string) {
    const mounts = mountinfo.split('\n').flatMap(parseLine)
    const ids = new Set(mounts.map(({ id }) => id))
    this.#root = mounts.find(({ parent, id, point }) => point === '/' && (parent === id || !ids.has(parent))) ?? null
    const children = new Map<string, Mount[]>()
    for (const mount of mounts) {
      if (mount.id !== mount.parent) children.set(mount.parent, [...(children.get(mount.parent) ?? []), mount])
    }
    this.#children = children
    this.visible = mounts.filter((mount) => this.of(mount.point) === mount)
  }

  static now(): MountTable {
    return new MountTable(readFileSync('/proc/self/mountinfo', 'utf8'))
  }

  /** The mount that a real path lies on, found as the kernel finds it. */
  of(path: string): Mount | null {
    let current = this.#root
    for (let next = current; next !== null; next = this.#firstOnTheWay(next, path)) current = next
    return current
  }

  #firstOnTheWay(from: Mount, path: string): Mount | null {
    const onTheWay = (this.#children.get(from.id) ?? []).filter(({ point }) => isWithin(path, point))
    return onTheWay.reduce<Mount | null>((first, mount) => (first === null || mount.point.length < first.point.length ? mount : first), null)
  }
}

/** Where a path lies on its file system, whatever part of that is mounted where. */
export function pathOnFileSystem(path: string, mount: Mount): string {
  return join(mount.root, relative(mount.point, path))
}

/** Whether one path is the other or lies below it. Both absolute. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`)
}

function parseLine(line: string): Mount[] {
  const [before = '', after = ''] = line.split(' - ')
  const [id, parent, device, root, point, options] = before.split(' ')
  const [type, , superOptions] = after.split(' ')
  if (id === undefined || parent === undefined || device === undefined || root === undefined || point === undefined || type === undefined) return []
  return [{ id, parent, device, root: unescaped(root), point: unescaped(point), isWritable: isWritable(options) && isWritable(superOptions), type }]
}

function isWritable(options: string | undefined): boolean {
  return options !== undefined && options.split(',').includes('rw')
}

/** Blanks and the like are written as octal numbers in the kernel's lists. */
export function unescaped(text: string): string {
  return text.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
