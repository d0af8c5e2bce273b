import type { Answer, LayoutGroup, TransferResult, Transport } from '@stackbk/contract'

import { problemFrom } from '../../errors.js'
import type { Run } from '../run.js'
import type { CopiedFile } from './file-list.js'
import { asked, withRetries, type Tally } from './transfer.js'

/** Where deciding files wait on remotes that show half a file under its final name. Never taken for part of a repository. */
export const waitingFolder = '.stackbk-upload'

/** One group's files on their way up. */
export interface Placement {
  readonly group: LayoutGroup
  readonly files: readonly CopiedFile[]
  /** The repository's folder. */
  readonly root: string
  readonly title: string
  /** What is left of SYNC_TIMEOUT, which is one for all groups. */
  readonly limit: () => { readonly timeoutMs?: number }
}

/**
 * Sends one group up. Where half a file could stand under its final name and would count (an index, a snapshot), it goes to
 * a folder beside, is looked at there, and is then moved.
 */
export async function placeGroup(run: Run, transport: Transport, appearsWhole: boolean, placement: Placement, tally: Tally): Promise<Answer<void>> {
  const { group, files } = placement
  if (appearsWhole || !group.decidesValidity) return withRetries(run, tally, () => send(run, transport, placement))
  const sent = await withRetries(run, tally, () => send(run, transport, placement, waitingFolder))
  if (!sent.ok) return sent
  const waiting = await asked(run, () => transport.list(waitingFolder, { signal: run.signal }))
  if (!waiting.ok) return waiting
  const sizes = new Map(waiting.value.map((file) => [file.path, file.size]))
  const broken = files.filter((file) => sizes.get(`${waitingFolder}/${file.path}`) !== file.size)
  if (broken.length > 0) {
    return { ok: false, failure: { kind: 'transfer-failed', message: `${broken.length} files did not arrive whole, and were not put in place: ${broken[0]?.path ?? ''}`, transient: true, fix: 'Run: stackbk sync' } }
  }
  return moveIntoPlace(run, transport, files.map((file) => file.path))
}

function send(run: Run, transport: Transport, { group, files, root, title, limit }: Placement, remoteFolder?: string): Promise<Answer<TransferResult>> {
  return transport.upload({
    files: files.map((file) => file.path),
    localRoot: root,
    ...(remoteFolder === undefined ? {} : { remoteFolder }),
    whenSameSize: group.nameIs === 'none' ? 'replace' : 'keep',
    stallTimeoutMs: run.configuration.backup.stallTimeoutMs,
    ...limit(),
    signal: run.signal,
    onProgress: (progress) => run.reporter.step(title, progress),
  })
}

async function moveIntoPlace(run: Run, transport: Transport, paths: readonly string[]): Promise<Answer<void>> {
  const moveAll = transport.moveAll?.bind(transport)
  if (moveAll !== undefined) return asked(run, () => moveAll(paths, { from: waitingFolder, to: '', signal: run.signal }))
  for (const path of paths) {
    const moved = await asked(run, () => transport.move(`${waitingFolder}/${path}`, path, { signal: run.signal }))
    if (!moved.ok) {
      run.log('error', problemFrom(moved.failure).message, { path })
      return moved
    }
  }
  return { ok: true, value: undefined }
}
