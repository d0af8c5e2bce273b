import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Engine, RepositoryLayout, Transport } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { errorFrom, StackbkError, type Problem } from '../../errors.js'
import { SnapshotRecord } from '../repository-memory.js'
import { withinSilence } from '../repository.js'
import type { Run } from '../run.js'
import type { FileList } from '../sync/file-list.js'
import { asked } from '../sync/transfer.js'

export interface Merge {
  /** What comes, in commit order. */
  readonly wanted: FileList
  readonly problems: readonly Problem[]
}

/** Whether a repository of this layout is in the folder: nothing else has such a file. */
export function holdsRepository(layout: RepositoryLayout, path: string): boolean {
  return layout.groups.some(({ role, path: file }) => role === 'config' && existsSync(join(path, file)))
}

/**
 * What of the remote goes into a repository that is there already: data and indexes that it lacks, and snapshots that it lost.
 * No key, since one that is missing here was revoked here; no snapshot that was forgotten here, so that nothing comes back that
 * somebody has let go.
 *
 * Throws `guard` (7) for another repository, and as the engine does where this one does not open.
 */
export async function planMerge(run: Run, { engine, transport, root, remote }: { readonly engine: Engine; readonly transport: Transport; readonly root: string; readonly remote: FileList }): Promise<Merge> {
  const opened = await withinSilence(run, engine, (signal) => engine.open({ signal }))
  if (!opened.ok) throw errorFrom(opened.failure)
  await assertSame(run, transport, root, remote)
  const record = new SnapshotRecord(run.state.repositories, opened.value.id)
  const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
  const snapshots = remote.filter(({ group }) => group.role === 'snapshot').flatMap(({ files }) => files)
  const forgotten = snapshots.filter(({ path }) => record.wasForgotten(nameOf(path)) && !existsSync(join(root, path)))
  const revoked = remote.filter(({ group }) => group.role === 'key').flatMap(({ files }) => files).filter(({ path }) => !existsSync(join(root, path)))
  const wanted = remote.flatMap(({ group, files }) => {
    switch (group.role) {
      case 'key':
      case 'config':
        return []
      case 'data':
      case 'index':
        return [{ group, files }]
      case 'snapshot':
        return [{ group, files: files.filter((file) => !forgotten.includes(file)) }]
    }
  })
  const problems: Problem[] = []
  if (forgotten.length > 0) problems.push({ severity: 'warning', code: 'not-resurrected', message: `${counted(forgotten.length, 'snapshot')} of the remote ${forgotten.length === 1 ? 'was forgotten here and does' : 'were forgotten here and do'} not come back`, fix: 'To have them, restore to a new folder: stackbk restore PATH' })
  if (revoked.length > 0) problems.push({ severity: 'warning', code: 'keys-left-out', message: `${revoked.length} keys of the remote are not here and do not come: they may have been revoked`, fix: '' })
  return { wanted, problems }
}

/** By the very bytes: a file that says whose the repository is differs between any two, and a new version of it belongs here, not there. */
async function assertSame(run: Run, transport: Transport, root: string, remote: FileList): Promise<void> {
  const config = remote.find(({ group }) => group.role === 'config')?.files[0]
  if (config === undefined) return
  const there = await asked(run, () => transport.read(config.path, { signal: run.signal }))
  if (!there.ok) throw errorFrom(there.failure)
  if (Buffer.from(there.value).equals(await readFile(join(root, config.path)))) return
  throw new StackbkError({
    kind: 'guard',
    code: 'another-repository',
    message: `${root} holds another repository than ${transport.location}, or another version of it`,
    detail: 'two repositories are never mixed',
    fix: 'Restore to a new folder: stackbk restore PATH. No flag overrides this',
  })
}
