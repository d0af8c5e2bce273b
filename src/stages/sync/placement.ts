import type { Answer, LayoutGroup, Progress, TransferResult, Transport, TransportTraits } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { problemFrom } from '../../errors.js'
import { compareRemote } from '../remote-contents.js'
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
  /** Send them although the remote has them in the same size: they are rotten there. */
  readonly replaces?: boolean
  readonly onProgress?: (progress: Progress) => void
  /** What is left of SYNC_TIMEOUT, which is one for all groups. */
  readonly limit: () => { readonly timeoutMs?: number }
}

type Traits = Pick<TransportTraits, 'appearsWhole' | 'movesWhole'>

/**
 * Sends one group up. Where half a file could stand under its final name and would count (an index, a snapshot), it goes to
 * a folder beside, is looked at there, and is then moved. Where it cannot be moved either, it is read back.
 */
export async function placeGroup(run: Run, transport: Transport, { appearsWhole, movesWhole }: Traits, placement: Placement, tally: Tally): Promise<Answer<void>> {
  const { group, files } = placement
  if (appearsWhole || !group.decidesValidity) return withRetries(run, tally, () => send(run, transport, placement))
  if (!movesWhole) return sendAndReadBack(run, transport, placement, tally)
  const sent = await withRetries(run, tally, () => send(run, transport, placement, waitingFolder))
  if (!sent.ok) return sent
  const waiting = await asked(run, () => transport.list(waitingFolder, { signal: run.signal }))
  if (!waiting.ok) return waiting
  const sizes = new Map(waiting.value.map((file) => [file.path, file.size]))
  const broken = files.filter((file) => sizes.get(`${waitingFolder}/${file.path}`) !== file.size)
  if (broken.length > 0) return notWhole(broken)
  return moveIntoPlace(run, transport, files.map((file) => file.path))
}

/** So often a file is sent again that did not arrive as it was sent. */
const mostReadings = 3

async function sendAndReadBack(run: Run, transport: Transport, placement: Placement, tally: Tally): Promise<Answer<void>> {
  let left = placement.files
  for (let reading = 1; ; reading++) {
    const again = { ...placement, files: left, replaces: placement.replaces === true || reading > 1 }
    const sent = await withRetries(run, tally, () => send(run, transport, again))
    if (!sent.ok || placement.group.nameIs === 'none') return sent
    const back = await compareRemote(run, transport, left.map((file) => ({ group: placement.group, file })))
    if (!back.ok) return back
    left = back.value.rotten.map(({ file }) => file)
    if (left.length === 0) return { ok: true, value: undefined }
    run.log('warning', 'files did not arrive as they were sent, and are sent again', { files: left.map(({ path }) => path) })
    if (reading === mostReadings) return notWhole(left)
  }
}

function notWhole(files: readonly CopiedFile[]): Answer<never> {
  return { ok: false, failure: { kind: 'transfer-failed', message: `${counted(files.length, 'file')} did not arrive completely: ${files[0]?.path ?? ''}`, transient: true, fix: 'Run: stackbk sync' } }
}

function send(run: Run, transport: Transport, { group, files, root, limit, replaces, onProgress }: Placement, remoteFolder?: string): Promise<Answer<TransferResult>> {
  return transport.upload({
    files: files.map((file) => file.path),
    localRoot: root,
    ...(remoteFolder === undefined ? {} : { remoteFolder }),
    whenSameSize: group.nameIs === 'none' || replaces === true ? 'replace' : 'keep',
    stallTimeoutMs: run.configuration.backup.stallTimeoutMs,
    ...limit(),
    signal: run.signal,
    ...(onProgress === undefined ? {} : { onProgress }),
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
