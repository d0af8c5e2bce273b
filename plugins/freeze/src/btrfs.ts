import { lstatSync, readdirSync, rmdirSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

import { answered, done, failed, frozenFolderName, type Answer, type BindMount } from '@stackbk/contract'

import type { Method, Work } from './method.js'
import { isWithin, type MountTable } from './mounts.js'
import { unsupported, type Source } from './sources.js'
import { swapFiles } from './swap-files.js'
import { questionLimitMs } from './tools.js'

/** One read-only snapshot a subvolume: it takes as long whatever the subvolume holds. */
export const btrfsMethod: Method = {
  id: 'btrfs',
  fileSystems: ['btrfs'],
  tool: { file: 'btrfs', version: /^btrfs-progs v\S+/m, needed: 'btrfs-progs', fix: 'Install btrfs-progs' },
  keepsChangeTimes: true,
  acrossMounts: true,

  async check(sources, work) {
    const subvolumes = subvolumesOf(sources, work.mounts)
    if (!subvolumes.ok) return subvolumes
    const swapFile = subvolumes.value.map(activeSwapFile).find((file) => file !== null)
    // https://btrfs.readthedocs.io/en/latest/Swapfile.html: the kernel answers "Text file busy"
    if (swapFile !== undefined) return unsupported(`the subvolume of the swap file ${swapFile} cannot be snapshotted while it is in use`, 'Move the swap file to a subvolume of its own')
    return nothingNested(subvolumes.value, work)
  },

  async copy({ sources }, folder, work) {
    const subvolumes = subvolumesOf(sources, work.mounts)
    if (!subvolumes.ok) return subvolumes
    // A subvolume may have been made since `check`; to look costs no time beside the snapshot.
    const answers = await Promise.all([
      nothingNested(subvolumes.value, work),
      ...subvolumes.value.map(({ root }, index) =>
        work.tools.run({ file: 'btrfs', args: ['subvolume', 'snapshot', '-r', '--', root, join(folder, String(index))], what: `making a snapshot of ${root}`, signal: work.signal }),
      ),
    ])
    const failure = answers.find((answer) => !answer.ok)
    if (failure !== undefined && !failure.ok) return failure
    return answered(
      subvolumes.value.flatMap(({ root, members }, index) => members.map(({ target, path }): BindMount => ({ source: join(folder, String(index), relative(root, path)), target }))),
    )
  },

  async empty(folder, { tools, signal }) {
    try {
      const entries = readdirSync(folder).map((name) => join(folder, name))
      const subvolumes = entries.filter((path) => isSubvolume(path))
      if (subvolumes.length > 0) {
        // Without the commit a snapshot would be back after a power cut.
        const deleted = await tools.run({ file: 'btrfs', args: ['subvolume', 'delete', '--commit-after', '--', ...subvolumes], what: `removing the snapshots in ${folder}`, signal })
        if (!deleted.ok) return deleted
      }
      for (const path of entries.filter((path) => !subvolumes.includes(path))) rmdirSync(path)
      return done
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return done
      return failed({ kind: 'failed', message: `removing the snapshots in ${folder} failed: ${(error as Error).message}` })
    }
  },
}

interface Subvolume {
  /** Its root, by whatever mount it can be seen. */
  readonly root: string
  /** With their paths by that same mount. */
  readonly members: readonly Source[]
}

/** The root folder of each subvolume has this inode number (btrfs(5)); no other file has it. */
const subvolumeInode = 256n

function isSubvolume(path: string): boolean {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return stats?.isDirectory() === true && stats.ino === subvolumeInode
}

function subvolumesOf(sources: readonly Source[], mounts: MountTable): Answer<readonly Subvolume[]> {
  const subvolumes = new Map<string, { root: string; members: Source[] }>()
  for (const source of sources) {
    const seen = seenWithRoot(source, mounts)
    if (seen === null) return unsupported(`${source.target} cannot be frozen: the root of its btrfs subvolume is mounted nowhere`, 'Mount the subvolume as a whole, anywhere')
    const subvolume = subvolumes.get(seen.root) ?? { root: seen.root, members: [] }
    subvolume.members.push({ ...source, path: seen.path })
    subvolumes.set(seen.root, subvolume)
  }
  return answered([...subvolumes.values()])
}

/** The source's path under a mount that shows the whole subvolume: a bind mount may show but a part of it. */
function seenWithRoot(source: Source, mounts: MountTable): { readonly root: string; readonly path: string } | null {
  const { dev, ino } = statSync(source.path, { bigint: true })
  const others = mounts.visible.filter((mount) => mount !== source.mount && mount.device === source.mount.device && isWithin(source.pathOnFileSystem, mount.root))
  for (const mount of [source.mount, ...others]) {
    const path = join(mount.point, relative(mount.root, source.pathOnFileSystem))
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
    if (stats === undefined || stats.dev !== dev || stats.ino !== ino) continue
    for (let folder = path; isWithin(folder, mount.point); folder = dirname(folder)) {
      if (isSubvolume(folder)) return { root: folder, path }
      if (folder === '/') break
    }
  }
  return null
}

/** A snapshot does not hold the subvolumes below: they are empty folders there. */
async function nothingNested(subvolumes: readonly Subvolume[], { tools, signal }: Work): Promise<Answer<void>> {
  const answers = await Promise.all(
    subvolumes.map(async ({ root, members }) => {
      const listed = await tools.run({ file: 'btrfs', args: ['subvolume', 'list', '-o', '--', root], what: `listing the subvolumes of ${root}`, signal, timeoutMs: questionLimitMs })
      if (!listed.ok) return listed
      for (const nested of listed.value.split('\n').flatMap(pathInList)) {
        const above = members.find(({ pathOnFileSystem }) => isWithin(nested, pathOnFileSystem) && nested !== pathOnFileSystem)
        if (above !== undefined && !nested.split('/').includes(frozenFolderName)) return unsupported(`${above.target} cannot be frozen: another btrfs subvolume lies below it, ${nested}`)
      }
      return done
    }),
  )
  return answers.find((answer) => !answer.ok) ?? done
}

/** `ID 262 gen 14 top level 256 path sub/stack/nest`: from the file system's own root, however it is mounted. */
function pathInList(line: string): string[] {
  const found = /^ID \d+ .*? path (.*)$/.exec(line)?.[1]
  return found === undefined ? [] : [`/${found}`]
}

function activeSwapFile({ root }: Subvolume): string | null {
  const { dev } = statSync(root)
  return swapFiles().find((file) => statSync(file, { throwIfNoEntry: false })?.dev === dev) ?? null
}
