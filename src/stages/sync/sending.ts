import { existsSync } from 'node:fs'
import { join } from 'node:path'

import type { Failure, Transport } from '@stackbk/contract'

import type { OpenRepository } from '../repository.js'
import { checkContents } from '../restore/content-check.js'
import type { Run } from '../run.js'
import type { FileList } from './file-list.js'
import { localList, missingFrom } from './listing.js'
import { placeGroup } from './placement.js'
import type { RemoteConfig } from './remote-identity.js'
import type { Tally } from './transfer.js'

/** What one sync works with. */
export interface Work {
  readonly run: Run
  readonly transport: Transport
  readonly repository: OpenRepository
  readonly root: string
  /** As it was before anything was sent. */
  readonly remote: FileList
  readonly remoteConfig: RemoteConfig
  readonly limit: () => { readonly timeoutMs?: number }
}

/** How the sending ended. `begun`: groups for which there was something to send. */
export type Sent =
  | { readonly end: 'sent'; readonly begun: number; readonly list: FileList }
  | { readonly end: 'rotten'; readonly begun: number; readonly corrupt: readonly string[] }
  | { readonly end: 'failed'; readonly begun: number; readonly failure: Failure }

/** So often the list is taken anew because a file of it has gone, as by another program's prune. */
const mostLists = 5

/** Sends what is missing in commit order. A file that vanishes meanwhile makes the list a thing of the past: it is taken anew. */
export async function sendWhileItHoldsStill(work: Work, appearsWhole: boolean, firstList: FileList, tally: Tally): Promise<Sent> {
  const { run, repository, root } = work
  let list = firstList
  for (let begun = 0, lists = 1; ; lists++) {
    const sent = await sendOnce(work, appearsWhole, list, tally, begun)
    begun = sent.begun
    const vanished = sent.end !== 'sent' && lists < mostLists && list.some(({ files }) => files.some(({ path }) => !existsSync(join(root, path))))
    if (!vanished || run.signal.aborted) return sent
    run.log('warning', 'the repository was changed by another program, and its list of files is taken anew')
    list = await localList(repository, root)
  }
}

async function sendOnce({ run, transport, root, remote, remoteConfig, limit }: Work, appearsWhole: boolean, list: FileList, tally: Tally, begunBefore: number): Promise<Sent> {
  let begun = begunBefore
  const missing = missingFrom(remote, list, remoteConfig)
  const title = 'comparing what goes up with its names'
  run.reporter.step(title)
  const { corrupt } = await checkContents(root, missing, { signal: run.signal, onFile: (filesDone, filesTotal) => run.reporter.step(title, { phase: 'check', filesDone, filesTotal }) })
  if (corrupt.length > 0) return { end: 'rotten', begun, corrupt }
  for (const { group, files } of missing) {
    if (files.length === 0) continue
    const title = `uploading ${group.name}: ${files.length} ${files.length === 1 ? 'file' : 'files'}`
    run.reporter.step(title)
    begun++
    const placed = await placeGroup(run, transport, appearsWhole, { group, files, root, title, limit }, tally)
    if (!placed.ok) return { end: 'failed', begun, failure: placed.failure }
  }
  return { end: 'sent', begun, list }
}
