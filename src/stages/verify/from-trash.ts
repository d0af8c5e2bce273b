import type { RepositoryLayout, Transport } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { problemFrom, type Problem } from '../../errors.js'
import { compareRemote, type NamedFile } from '../remote-contents.js'
import type { SnapshotRecord } from '../repository-memory.js'
import type { Run } from '../run.js'
import { groupFiles, type CopiedFile, type FileList } from '../sync/file-list.js'
import { asked } from '../sync/transfer.js'
import { trashFolder } from '../sync/trash.js'

export interface BringingBack {
  readonly layout: RepositoryLayout
  /** The remote's files, and what is there besides: the trash. */
  readonly list: FileList
  readonly strays: readonly CopiedFile[]
  /** Files of the copy that are rotten and that nothing else has mended. */
  readonly rotten: readonly string[]
  /** What the local repository holds; empty where there is none. */
  readonly local: FileList
  /** What was forgotten here on purpose; `null` where nothing is known. */
  readonly record: SnapshotRecord | null
}

export interface BroughtBack {
  readonly files: readonly string[]
  readonly problems: readonly Problem[]
}

/**
 * Out of the trash on the remote comes what the copy should have: sound ones of its rotten files, what the local repository
 * has and the copy has not, and snapshots that went there without proof that they were forgotten (`--allow-delete`), with all
 * data and indexes that may belong to them. Never a key: one that was revoked stays so. In commit order, each compared before.
 */
export async function bringBack(run: Run, transport: Transport, request: BringingBack): Promise<BroughtBack> {
  const { layout, list, rotten, local, record } = request
  const there = new Set(list.flatMap(({ files }) => files.map(({ path }) => path)))
  const mayGo = new Set(rotten)
  const lacking = new Set(local.flatMap(({ files }) => files.map(({ path }) => path)).filter((path) => !there.has(path)))
  const trash = trashOf(layout, request.strays).filter(({ group }) => group.nameIs === 'sha256' && group.role !== 'key')
  const unproven = trash.filter(({ group, file }) => group.role === 'snapshot' && !there.has(file.path) && record?.wasForgotten(file.path.slice(file.path.lastIndexOf('/') + 1)) !== true)
  const belongs = ({ group, file }: NamedFile): boolean => unproven.length > 0 && !there.has(file.path) && (group.role === 'data' || group.role === 'index')
  const wanted = trash.filter((entry) => mayGo.has(entry.file.path) || lacking.has(entry.file.path) || unproven.includes(entry) || belongs(entry))

  const files: string[] = []
  // A snapshot of which a part is rotten even there would make the copy worse, and so would an index that names what is not there.
  let isWhole = true
  const mayCome = (entry: TrashedFile): boolean => isWhole || entry.group.role === 'data' || mayGo.has(entry.file.path) || lacking.has(entry.file.path)
  for (const group of layout.groups) {
    const ofGroup = wanted.filter((entry) => entry.group.name === group.name && mayCome(entry))
    for (const folder of new Set(ofGroup.map((entry) => entry.folder))) {
      const some = ofGroup.filter((entry) => entry.folder === folder && !files.includes(entry.file.path))
      const compared = await compareRemote(run, transport, some, { remoteFolder: folder })
      if (!compared.ok) return { files, problems: [problemFrom(compared.failure, { code: 'not-brought-back' })] }
      const bad = new Set(compared.value.rotten.map(({ file }) => file.path))
      if (some.some((entry) => belongs(entry) && bad.has(entry.file.path))) isWhole = false
      const sound = some.map(({ file }) => file.path).filter((path) => !bad.has(path))
      const moved = await moveBack(run, transport, sound, folder)
      if (!moved.ok) return { files, problems: [problemFrom(moved.failure, { code: 'not-brought-back' })] }
      files.push(...sound)
    }
  }
  if (files.length === 0) return { files, problems: [] }
  const snapshots = unproven.filter(({ file }) => files.includes(file.path)).length
  const fix = snapshots === 0 ? '' : 'If they were to go: stackbk sync --allow-delete'
  return { files, problems: [{ severity: 'warning', code: 'brought-back', message: `${counted(files.length, 'file')} came back from the trash of ${transport.location}, ${snapshots} of them ${snapshots === 1 ? 'a snapshot' : 'snapshots'}`, fix }] }
}

interface TrashedFile extends NamedFile {
  readonly folder: string
}

/** Newest first. */
function trashOf(layout: RepositoryLayout, strays: readonly CopiedFile[]): readonly TrashedFile[] {
  return strays
    .flatMap((stray) => {
      const [, date, path] = /^[^/]+\/([^/]+)\/(.+)$/.exec(stray.path) ?? []
      if (!stray.path.startsWith(`${trashFolder}/`) || date === undefined || path === undefined) return []
      const file = { ...stray, path }
      const group = groupFiles(layout, [file]).list.find(({ files }) => files.length > 0)?.group
      return group === undefined ? [] : [{ group, file, folder: `${trashFolder}/${date}` }]
    })
    .toSorted((one, other) => (one.folder < other.folder ? 1 : one.folder > other.folder ? -1 : 0))
}

async function moveBack(run: Run, transport: Transport, paths: readonly string[], folder: string): ReturnType<Transport['move']> {
  if (paths.length === 0) return { ok: true, value: undefined }
  const moveAll = transport.moveAll?.bind(transport)
  if (moveAll !== undefined) return asked(run, () => moveAll(paths, { from: folder, to: '', signal: run.signal }))
  for (const path of paths) {
    const moved = await asked(run, () => transport.move(`${folder}/${path}`, path, { signal: run.signal }))
    if (!moved.ok) return moved
  }
  return { ok: true, value: undefined }
}
