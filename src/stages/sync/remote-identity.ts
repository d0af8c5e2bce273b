import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import type { RepositoryLayout, Transport } from '@stackbk/contract'

import { errorFrom, StackbkError } from '../../errors.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import type { CopiedFile, FileList } from './file-list.js'
import { waitingFolder } from './placement.js'
import { trashFolder } from './trash.js'

/** How the remote's `config` compares with the local one. */
export type RemoteConfig = 'same' | 'absent' | 'older'

/**
 * Makes sure that the remote is a copy of this repository, or nothing yet, before a byte goes there. No flag passes this:
 * a sync into another repository would destroy both.
 *
 * Throws `guard` (7) for another repository or a folder that holds something else.
 */
export async function identifyRemote(
  run: Run,
  transport: Transport,
  local: OpenRepository & { readonly root: string },
  remote: { readonly list: FileList; readonly strays: readonly CopiedFile[] },
): Promise<RemoteConfig> {
  const layout = local.engine.layout()
  const files = remote.list.flatMap((entry) => entry.files)
  const configPath = layout.groups.find((group) => group.role === 'config')?.path
  const hasConfig = files.some((file) => file.path === configPath)
  if (configPath === undefined || !hasConfig) {
    const foreign = remote.strays.filter((file) => !isOurs(layout, file.path))
    if (foreign.length > 0 && files.length === 0) throw notARepository(transport.location, foreign)
    return 'absent'
  }
  const read = await transport.read(configPath, { signal: run.signal })
  if (!read.ok) throw errorFrom(read.failure)
  if (Buffer.from(read.value).equals(readFileSync(join(local.root, configPath)))) return 'same'
  const id = await idOfCopy(run, transport, local, layout, remote.list)
  if (id !== local.repository.id) throw anotherRepository(transport.location, id, local.repository.id)
  return 'older'
}

/** Half files of an upload that was cut short, those that waited beside their place, and the trash. */
function isOurs(layout: RepositoryLayout, path: string): boolean {
  return path.startsWith(`${waitingFolder}/`) || path.startsWith(`${trashFolder}/`) || layout.groups.some((group) => (group.isFile ? path.startsWith(`${group.path}.`) : path.startsWith(`${group.path}/`)))
}

/** A changed format gives another `config` for the same repository: only opening it tells. Its keys and config suffice for that. */
async function idOfCopy(run: Run, transport: Transport, local: OpenRepository, layout: RepositoryLayout, list: FileList): Promise<string | null> {
  const folder = mkdtempSync(join(tmpdir(), 'stackbk-remote-'))
  try {
    for (const { group, files } of list) {
      if (group.role !== 'key' && group.role !== 'config') continue
      for (const file of files) {
        const read = await transport.read(file.path, { signal: run.signal })
        if (!read.ok) throw errorFrom(read.failure)
        mkdirSync(dirname(join(folder, file.path)), { recursive: true })
        writeFileSync(join(folder, file.path), read.value, { mode: 0o600 })
      }
    }
    for (const group of layout.groups) if (!group.isFile) mkdirSync(join(folder, group.path), { recursive: true })
    const opened = await local.engine.at(folder).repositoryId({ signal: run.signal })
    return opened.ok ? opened.value : null
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function notARepository(location: string, strays: readonly CopiedFile[]): StackbkError {
  return new StackbkError({
    kind: 'guard',
    code: 'remote-not-a-repository',
    message: `${location} holds something that is no repository`,
    detail: `for example ${strays.slice(0, 3).map((file) => file.path).join(', ')}`,
    fix: 'Point RCLONE_PATH at a folder of its own. No flag overrides this',
  })
}

function anotherRepository(location: string, found: string | null, wanted: string): StackbkError {
  return new StackbkError({
    kind: 'guard',
    code: 'another-repository',
    message: `${location} holds another repository`,
    detail: found === null ? 'it does not open with this password' : `its ID is ${found.slice(0, 10)}, that of the local one ${wanted.slice(0, 10)}`,
    fix: 'Point RCLONE_PATH at a folder of its own. No flag overrides this',
  })
}
