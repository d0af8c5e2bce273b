import type { LayoutGroup } from '@stackbk/contract'

import { counted } from '../../counted.js'
import type { Problem } from '../../errors.js'
import type { SnapshotRecord } from '../repository-memory.js'
import type { CopiedFile, FileList } from './file-list.js'

/** So many snapshots, or bytes, may always go: a share of a small remote means nothing. */
const freeSnapshots = 10
const freeBytes = 1024 ** 3

export interface DeletionPlan {
  /** In the order in which they go: the reverse of the commit order. */
  readonly files: readonly CopiedFile[]
  readonly snapshots: number
  readonly bytes: number
  /** Why nothing may be deleted, with the flag that passes it; empty when all is proven. */
  readonly guards: readonly Problem[]
}

/**
 * What the remote has and the local repository has not, and whether that may go. A snapshot only where this host's records
 * show that it was here and was forgotten by stackbk, or where the host that made it says so in the repository (`byOthers`); as
 * long as one is unproven nothing goes, since its packs are needed.
 */
export function planDeletion(local: FileList, remote: FileList, record: SnapshotRecord, maxPercent: number, byOthers: ReadonlyMap<string, string> = new Map()): DeletionPlan {
  const localPaths = new Set(local.flatMap(({ files }) => files.map((file) => file.path)))
  const extra = remote.map(({ group, files }) => ({ group, files: files.filter((file) => !localPaths.has(file.path)) }))
  const files = extra
    .filter(({ group }) => group.role !== 'config')
    .toReversed()
    .flatMap((entry) => entry.files)
  const gone = snapshotsIn(extra)
  const bytes = sumOf(files)

  const guards: Problem[] = []
  const localSnapshots = snapshotsIn(local)
  const unproven = record.unreadable === null ? gone.filter((id) => !record.wasForgotten(id) && !byOthers.has(id)) : []
  if (record.unreadable !== null) {
    const { message, detail, fix, code } = record.unreadableError()
    if (files.length > 0) guards.push({ severity: 'error', code, message: `${message}, so nothing was deleted from the remote: ${detail}`, fix })
  } else if (unproven.length > 0) {
    const fate = unproven.every((id) => record.wasSeen(id)) ? 'went otherwise than by stackbk forgetting them' : 'this host never held'
    guards.push(guard('unproven-deletion', `the remote has ${counted(unproven.length, 'snapshot')} that ${fate} (${unproven.slice(0, 3).map((id) => id.slice(0, 8)).join(', ')}${madeBy(unproven, record)}): nothing was deleted there`))
  } else if (localSnapshots.length === 0 && gone.length > 0) {
    guards.push(guard('no-snapshots-here', `there is no snapshot here while the remote has ${gone.length}: nothing was deleted there`))
  } else {
    const remoteSnapshots = snapshotsIn(remote).length
    const remoteBytes = sumOf(remote.flatMap((entry) => entry.files))
    const tooMany = gone.length > freeSnapshots && gone.length * 100 > remoteSnapshots * maxPercent
    const tooMuch = bytes > freeBytes && bytes * 100 > remoteBytes * maxPercent
    if (tooMany || tooMuch) {
      guards.push(guard('max-delete', `${gone.length} of ${counted(remoteSnapshots, 'snapshot')} and ${bytes} of ${remoteBytes} bytes would go from the remote, more than MAX_DELETE=${maxPercent} %: nothing was deleted there`))
    }
  }
  return { files, snapshots: gone.length, bytes, guards }
}

/** Returns the snapshots that the remote has and the local repository has not, and whose deletion this host cannot prove by itself. */
export function unprovenSnapshots(local: FileList, remote: FileList, record: SnapshotRecord): readonly string[] {
  if (record.unreadable !== null) return []
  const here = new Set(snapshotsIn(local))
  return snapshotsIn(remote).filter((id) => !here.has(id) && !record.wasForgotten(id))
}

function guard(code: string, message: string): Problem {
  return { severity: 'error', code, message, fix: 'If that is right, run once: stackbk sync --allow-delete' }
}

function madeBy(ids: readonly string[], record: SnapshotRecord): string {
  const hosts = [...new Set(ids.flatMap((id) => record.ownerOf(id) ?? []))]
  return hosts.length === 0 ? '' : `; made by ${hosts.join(', ')}, whose next stackbk backup records what it has forgotten`
}

function snapshotsIn(list: readonly { readonly group: LayoutGroup; readonly files: readonly CopiedFile[] }[]): readonly string[] {
  return list.filter(({ group }) => group.role === 'snapshot').flatMap(({ files }) => files.map((file) => file.path.slice(file.path.lastIndexOf('/') + 1)))
}

function sumOf(files: readonly CopiedFile[]): number {
  return files.reduce((sum, file) => sum + file.size, 0)
}
