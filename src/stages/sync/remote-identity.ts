import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import type { FailureKind, LayoutGroup, RepositoryLayout, Transport } from '@stackbk/contract'

import { errorFrom, StackbkError } from '../../errors.js'
import { remoteKeys } from '../advice.js'
import { layoutOf } from '../layout.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import type { CopiedFile, FileList, RemoteLook } from './file-list.js'
import { isHalfOfOne } from './leftovers.js'
import { waitingFolder } from './placement.js'
import { trashFolder } from './trash.js'

/** How the remote's `config` compares with the local one. `damaged`: the copy is ours, and its `config` is of no use. */
export type RemoteConfig = 'same' | 'absent' | 'older' | 'damaged'

/**
 * Makes sure that the remote is a copy of this repository, or nothing yet, before a byte goes there. No flag passes this:
 * a sync into another repository would destroy both.
 *
 * Throws `guard` (7) for another repository, for what may be a part of one, or for a folder that holds something else.
 */
export async function identifyRemote(
  run: Run,
  transport: Transport,
  local: OpenRepository & { readonly root: string; readonly list: FileList },
  remote: RemoteLook,
): Promise<RemoteConfig> {
  const layout = layoutOf(run, local.engine)
  const files = remote.list.flatMap((entry) => entry.files)
  const configPath = layout.groups.find((group) => group.role === 'config')?.path
  if (configPath === undefined || remote.config === null) {
    const foreign = remote.strays.filter((file) => !isOurs(layout, file.path))
    if (foreign.length > 0 && files.length === 0) throw notARepository(run, transport.location, foreign)
    if (files.length > 0 && !sharesContent(local.list, remote.list)) throw partOfAnother(run, transport.location, files)
    return 'absent'
  }
  if (Buffer.from(remote.config).equals(readFileSync(join(local.root, configPath)))) return 'same'
  const id = await idOf(run, local, layout, { path: configPath, content: remote.config })
  if (id === local.repository.id) return 'older'
  if (id === null && hasOnlyOurKeys(local.list, remote.list)) return 'damaged'
  throw anotherRepository(run, transport.location, id, local.repository.id)
}

/** Names are hashes of what is in the files: one in common is a part of this very repository. Another one has none of them. */
function sharesContent(local: FileList, remote: FileList): boolean {
  const names = namesIn(local)
  return [...namesIn(remote)].some((path) => names.has(path))
}

function namesIn(list: FileList, role?: LayoutGroup['role']): ReadonlySet<string> {
  return new Set(list.filter(({ group }) => group.nameIs !== 'none' && (role === undefined || group.role === role)).flatMap(({ files }) => files.map((file) => file.path)))
}

/** Then nothing on the remote can be opened by anything else than what is here, and nobody loses a repository by a new `config`. */
function hasOnlyOurKeys(local: FileList, remote: FileList): boolean {
  const [ours, theirs] = [namesIn(local, 'key'), namesIn(remote, 'key')]
  return theirs.size > 0 && [...theirs].every((path) => ours.has(path))
}

/** Half files of an upload that was cut short, those that waited beside their place, and the trash. */
function isOurs(layout: RepositoryLayout, path: string): boolean {
  return path.startsWith(`${waitingFolder}/`) || path.startsWith(`${trashFolder}/`) || layout.groups.some((group) => (group.isFile ? path.startsWith(`${group.path}.`) : path.startsWith(`${group.path}/`))) || isHalfOfOne(layout, path)
}

/**
 * A changed format gives another `config` for the same repository: only opening it tells. The keys of the local one do that,
 * whatever was changed about passwords since the last sync. `null`: they do not open it.
 */
async function idOf(run: Run, local: OpenRepository & { readonly root: string; readonly list: FileList }, layout: RepositoryLayout, config: { readonly path: string; readonly content: Uint8Array }): Promise<string | null> {
  const folder = mkdtempSync(join(tmpdir(), 'stackbk-remote-'))
  try {
    for (const group of layout.groups) if (!group.isFile) mkdirSync(join(folder, group.path), { recursive: true })
    for (const path of namesIn(local.list, 'key')) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      copyFileSync(join(local.root, path), join(folder, path))
    }
    writeFileSync(join(folder, config.path), config.content, { mode: 0o600 })
    const opened = await local.engine.at(folder).repositoryId({ signal: run.signal })
    if (opened.ok) return opened.value
    if (saysNothing.includes(opened.failure.kind)) throw errorFrom(opened.failure)
    return null
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Failures to look, which are no answer. */
const saysNothing: readonly FailureKind[] = ['cancelled', 'timed-out', 'stalled', 'configuration', 'tool-missing', 'tool-too-old', 'tool-not-answering']

function partOfAnother(run: Run, location: string, files: readonly CopiedFile[]): StackbkError {
  return new StackbkError({
    kind: 'guard',
    code: 'another-repository',
    message: `${location} holds a part of a repository, and no file of it is also in the local one`,
    detail: `its config is missing, so nobody can tell whose it is; for example ${files[0]?.path ?? ''}`,
    fix: `Choose a folder of its own for the copy (${remoteKeys(run)}), or empty that folder if nobody needs it. No flag overrides this`,
  })
}

function notARepository(run: Run, location: string, strays: readonly CopiedFile[]): StackbkError {
  return new StackbkError({
    kind: 'guard',
    code: 'remote-not-a-repository',
    message: `${location} holds something that is no repository`,
    detail: `for example ${strays.slice(0, 3).map((file) => file.path).join(', ')}`,
    fix: `Choose a folder of its own for the copy (${remoteKeys(run)}). No flag overrides this`,
  })
}

function anotherRepository(run: Run, location: string, found: string | null, wanted: string): StackbkError {
  return new StackbkError({
    kind: 'guard',
    code: 'another-repository',
    message: `${location} holds another repository`,
    detail: found === null ? 'the keys of the local one do not open it' : `its ID is ${found.slice(0, 10)}, that of the local one ${wanted.slice(0, 10)}`,
    fix: `Choose a folder of its own for the copy (${remoteKeys(run)}). No flag overrides this`,
  })
}
