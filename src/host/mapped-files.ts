import { readdir, readFile, stat } from 'node:fs/promises'

import { filesWithInodes } from './file-times.js'
import { isWithin, mountPoints } from './mounts.js'

/** btrfs gives each subvolume a device number of its own, which the kernel does not show for a map. */
const btrfs = 'btrfs'

interface SharedMap {
  /** `MAJOR:MINOR`, hexadecimal, as the kernel shows it. */
  readonly device: string
  readonly inode: number
  readonly container: string
}

/** A file that a process can write to through its memory, which leaves no event and often no new time. */
export interface MappedFile {
  readonly path: string
  /** The ID of the container that the process belongs to. */
  readonly container: string
}

/**
 * Returns the files at or below these paths that processes of these containers have mapped into memory, shared and writable.
 * Processes that this user may not look into are passed over. Never throws.
 */
export async function filesMappedBy(containerIds: readonly string[], paths: readonly string[]): Promise<readonly MappedFile[]> {
  const maps = (await Promise.all((await processesOf(containerIds)).map(({ pid, container }) => sharedMaps(pid, container)))).flat()
  if (maps.length === 0) return []
  const mounted = mountPoints().filter((point) => paths.some((path) => isWithin(point, path)))
  const devices = new Set((await Promise.all([...paths, ...mounted].map(async (path) => deviceOf((await stat(path).catch(() => null))?.dev)))).filter((device) => device !== null))
  const isOnBtrfs = await anyBtrfs()
  const candidates = isOnBtrfs ? maps : maps.filter(({ device }) => devices.has(device))
  if (candidates.length === 0) return []
  const found = await filesWithInodes(paths, new Set(candidates.map(({ inode }) => inode)))
  return found.flatMap(({ path, inode, device }) => {
    const map = candidates.find((one) => one.inode === inode && (isOnBtrfs || one.device === deviceOf(device)))
    return map === undefined ? [] : [{ path, container: map.container }]
  })
}

/** Returns the processes of these containers. A process belongs to a container if its control group names the container's ID. */
export async function processesOf(containerIds: readonly string[]): Promise<readonly { readonly pid: string; readonly container: string }[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
      const container = containerIds.find((id) => id !== '' && groups.includes(id))
      return container === undefined ? [] : [{ pid, container }]
    }),
  )
  return found.flat()
}

async function sharedMaps(pid: string, container: string): Promise<readonly SharedMap[]> {
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '')
  return maps.split('\n').flatMap((line) => {
    const [, device, inode] = /^\S+ .w.s \S+ ([0-9a-f]+:[0-9a-f]+) (\d+) +\//.exec(line) ?? []
    return device === undefined || inode === undefined || inode === '0' ? [] : [{ device, inode: Number(inode), container }]
  })
}

/** `null` for a path that is not there. As the kernel writes it: two hexadecimal digits at least. */
function deviceOf(device: number | undefined): string | null {
  if (device === undefined) return null
  const number = BigInt(device)
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn)
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn)
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`
}

async function anyBtrfs(): Promise<boolean> {
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '')
  return mounts.split('\n').some((line) => line.split(' ')[2] === btrfs)
}
