import type { StackState } from '@stackbk/contract'
import { files, isUnknown } from '@stackbk/tool-runner/files'

import { isAlive } from './container.js'
import { type Mount, readMounts, unescaped } from './mount-table.js'
import { isInside, realPath } from './paths.js'

/** What is mounted on this host, as far as it concerns a stack. */
export class StackMounts {
  readonly #mounts: readonly Mount[]
  /** Real paths of binds whose container's own mounts show on the host. */
  readonly #shared: readonly string[]
  /** Mount points that the administrator has configured. */
  readonly #configured: ReadonlySet<string>

  private constructor(mounts: readonly Mount[], shared: readonly string[], configured: ReadonlySet<string>) {
    this.#mounts = mounts
    this.#shared = shared
    this.#configured = configured
  }

  static async of(state: StackState): Promise<StackMounts> {
    const containers = [...state.projects.flatMap((project) => project.containers), ...state.dependents].filter(isAlive)
    const binds = containers.flatMap((container) => container.mounts.filter((mount) => mount.kind === 'bind' && mount.isShared === true))
    const [shared, mountinfo, fstab] = await Promise.all([Promise.all(binds.map((mount) => realPath(mount.source))), readText('/proc/self/mountinfo'), binds.length === 0 ? '' : readText('/etc/fstab')])
    return new StackMounts(readMounts(mountinfo), shared, new Set(fstab.split('\n').map((line) => unescaped(line.trim().split(/\s+/)[1] ?? ''))))
  }

  /**
   * Whether what lies at this real path is mounted by a container of the stack on a bind of its own, as programs do that show a
   * cloud as a folder. It goes with the container. A disk, and what is configured in fstab(5), is the host's.
   */
  isMadeByStack(path: string): boolean {
    const mount = this.#mounts.filter(({ point }) => isInside(path, point)).reduce<Mount | null>((inner, one) => (inner === null || one.point.length >= inner.point.length ? one : inner), null)
    if (mount === null || mount.source.startsWith('/dev/') || this.#configured.has(mount.point)) return false
    return this.#shared.some((bind) => isInside(mount.point, bind))
  }

  /** Mount points at or below these real paths whose file system does not answer, each once. */
  async hangingWithin(paths: readonly string[]): Promise<readonly string[]> {
    const points = [...new Set(this.#mounts.map(({ point }) => point))].filter((point) => files.slowMountOf(point) !== null && paths.some((path) => isInside(point, path)))
    const verdicts = await Promise.all(points.map((point) => files.readFolder(point).then(() => false, isUnknown)))
    return points.filter((_, index) => verdicts[index])
  }
}

async function readText(path: string): Promise<string> {
  return files.readText(path).catch(() => '')
}
