import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import type { LayoutGroup, RepositoryLayout } from '@stackbk/contract'

import { groupOf, isIgnored } from '../layout.js'

/** How often a list is taken anew because the repository changed under it. */
const listAttempts = 5

/** One file of a repository or of its copy. Paths are relative to its root. */
export interface CopiedFile {
  readonly path: string
  readonly size: number
  /** ISO 8601; only of files of a remote that keeps times. */
  readonly modifiedAt?: string | null
}

/** The files of each group of the layout, in commit order. */
export type FileList = readonly { readonly group: LayoutGroup; readonly files: readonly CopiedFile[] }[]

/** What a look at the remote has found. */
export interface RemoteLook {
  readonly list: FileList
  /** What is not of the layout. */
  readonly strays: readonly CopiedFile[]
  /** What is in its `config`; `null` where it has none. */
  readonly config: Uint8Array | null
}

/**
 * The repository's files at one moment. Taken anew when what decides over validity (all groups but the data) changed while
 * it was made, or a file vanished: a prune between two looks would give an index without its packs.
 *
 * Throws when a folder cannot be read, or the repository never holds still.
 */
export async function frozenList(root: string, layout: RepositoryLayout): Promise<FileList> {
  for (let attempt = 1; attempt <= listAttempts; attempt++) {
    const before = await listGroups(root, layout, decides)
    const all = await listGroups(root, layout, () => true)
    const after = await listGroups(root, layout, decides)
    if (before !== null && all !== null && after !== null && namesOf(before) === namesOf(after) && namesOf(after) === namesOf(all.filter(({ group }) => decides(group)))) return all
  }
  throw new Error(`${root} is being changed by another program: its list of files differed at each of ${listAttempts} looks`)
}

/** Sorts files by the layout. `strays` are names that are not of the layout. */
export function groupFiles(layout: RepositoryLayout, files: readonly CopiedFile[]): { list: FileList; strays: readonly CopiedFile[] } {
  const groups = layout.groups.map((group) => ({ group, files: [] as CopiedFile[] }))
  const strays: CopiedFile[] = []
  for (const file of files) {
    const home = groupOf(layout, file.path)
    if (home !== null) groups.find(({ group }) => group === home)?.files.push(file)
    else if (!isIgnored(layout, file.path)) strays.push(file)
  }
  return { list: groups, strays }
}

function decides(group: LayoutGroup): boolean {
  return group.role !== 'data'
}

function namesOf(list: FileList): string {
  return list.map(({ group, files }) => `${group.name}:${files.map((file) => `${file.path} ${file.size}`).sort().join(',')}`).join('\n')
}

/** `null` when a file vanished between its folder's listing and the look at it. */
async function listGroups(root: string, layout: RepositoryLayout, wanted: (group: LayoutGroup) => boolean): Promise<FileList | null> {
  const list: { group: LayoutGroup; files: readonly CopiedFile[] }[] = []
  for (const group of layout.groups) {
    if (!wanted(group)) {
      continue
    }
    const files = group.isFile ? await statAll(root, [group.path]) : await listFolder(root, group.path, group.path !== '')
    if (files === null) return null
    list.push({ group, files: files.filter((file) => groupOf(layout, file.path) === group) })
  }
  return list
}

async function listFolder(root: string, folder: string, isDeep = true): Promise<readonly CopiedFile[] | null> {
  const entries = await readdir(join(root, folder), { withFileTypes: true })
  const [files, folders]: [string[], string[]] = [[], []]
  for (const entry of entries) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    // A part of a repository may lie on another disk behind a link. What is passed over here would go from the copy.
    const kind = entry.isSymbolicLink() ? await stat(join(root, path)) : entry
    if (kind.isFile()) files.push(path)
    else if (isDeep && kind.isDirectory()) folders.push(path)
  }
  const all = await statAll(root, files)
  if (all === null) return null
  const found = [...all]
  for (const path of folders) {
    const below = await listFolder(root, path)
    if (below === null) return null
    found.push(...below)
  }
  return found
}

/** So many looks at once: more would only wait for each other. */
const looksAtOnce = 64

async function statAll(root: string, paths: readonly string[]): Promise<readonly CopiedFile[] | null> {
  const files: CopiedFile[] = []
  for (let start = 0; start < paths.length; start += looksAtOnce) {
    try {
      const some = paths.slice(start, start + looksAtOnce)
      files.push(...(await Promise.all(some.map(async (path) => ({ path, size: (await stat(join(root, path))).size })))))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }
  return files
}
