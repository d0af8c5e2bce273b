import { existsSync } from 'node:fs'
import { join } from 'node:path'

import type { Failure, Transport } from '@stackbk/contract'

import { errorFrom, exitCodes, problemFrom, StackbkError, type Problem } from '../errors.js'
import { openRepository, repositoryLock, type OpenRepository } from './repository.js'
import { rememberRepository } from './repository-memory.js'
import { concluded, type Outcome } from './result.js'
import { removeStaleLocks, replayJournal } from './resume.js'
import type { Run } from './run.js'
import { checkContents } from './restore/content-check.js'
import { planDeletion, type DeletionPlan } from './sync/deletion.js'
import { frozenList, groupFiles, type CopiedFile, type FileList } from './sync/file-list.js'
import { identifyRemote, type RemoteConfig } from './sync/remote-identity.js'
import { leftovers } from './sync/leftovers.js'
import type { SyncBody, SyncResult } from './sync/sync-result.js'
import { placeGroup } from './sync/placement.js'
import { asked, sharedLimit, type Tally } from './sync/transfer.js'
import { expiredTrash, moveToTrash } from './sync/trash.js'

/** A remote that does not answer by then is not there: rclone by itself would go on for minutes. */
export const probeLimitMs = 25_000

export interface SyncChoices {
  /** Connectivity only. */
  readonly test: boolean
  /** Passes the guards against deletion, this once. */
  readonly allowDelete: boolean
  /** A backup has come right before, which makes a missing repository; in a dry run it would have. */
  readonly isAfterBackup?: boolean
}

/**
 * Stage 2: the local repository to the cloud. Files go up in the engine's commit order from a frozen list; deletions come
 * last, proven and in reverse; at the end the remote is compared with the list. The copy is valid at every instant.
 *
 * Throws before anything moves: `usage`, `busy`, `remote-unreachable`, `repository-...`, `wrong-password`, `guard`.
 */
export async function sync(run: Run, choices: SyncChoices): Promise<Outcome<SyncResult>> {
  const [engine, transport] = [await run.engine(), await run.transport()]
  if (!choices.test) await run.lock(repositoryLock(engine))
  const replay = choices.test ? null : await replayJournal(run)
  const empty = { remote: transport.location, uploaded: { files: 0, bytes: 0 }, deleted: { files: 0, snapshots: 0, bytes: 0 }, attempts: 0, verified: false }

  const readyTransport = await transport.ready({ signal: run.signal })
  if (!readyTransport.ok) throw errorFrom(readyTransport.failure)
  if (choices.test) {
    await probe(run, transport)
    return concluded(run, empty, { status: 'ok', problems: [] })
  }
  const readyEngine = await engine.ready({ signal: run.signal })
  if (!readyEngine.ok) throw errorFrom(readyEngine.failure)
  const root = engine.location().path
  if (root === null) throw notLocal(engine.location().display)
  await probe(run, transport)
  const opened = await openRepository(run, { mayInit: run.dryRun && choices.isAfterBackup === true && run.configuration.backup.autoInit })
  if (opened === null) return concluded(run, empty, { status: 'ok', problems: [] })
  if (replay !== null) await removeStaleLocks(run, replay.leftovers)

  run.reporter.step('comparing with the remote')
  const [firstList, remote] = await Promise.all([localList(opened, root), remoteList(run, transport, opened)])
  const remoteConfig = await identifyRemote(run, transport, { ...opened, root, list: firstList }, remote)
  const work: Work = { run, transport, repository: opened, root, remote: remote.list, remoteConfig, limit: sharedLimit(run.configuration.cloud.syncTimeoutMs) }
  if (run.dryRun) return rehearsed(work, firstList, choices)

  const traits = await asked(run, () => transport.traits({ signal: run.signal }))
  if (!traits.ok) throw errorFrom(traits.failure)
  const tally: Tally = { files: 0, bytes: 0, attempts: 0 }
  const problems: Problem[] = [...(replay?.problems ?? [])]
  if (remoteConfig === 'damaged') problems.push(damagedConfig(transport))
  const sent = await sendWhileItHoldsStill(work, traits.value.appearsWhole, firstList, tally)
  const soFar = { ...empty, uploaded: { files: tally.files, bytes: tally.bytes }, attempts: attemptsOf(tally, sent.begun) }
  switch (sent.end) {
    case 'rotten':
      return rotten(run, soFar, sent.corrupt, problems)
    case 'failed': {
      const codes = [sent.failure.kind === 'cancelled' ? 1 : exitCodes.ofKind('transfer-failed')]
      return concluded(run, soFar, { status: 'failed', problems: [...problems, problemFrom(sent.failure, { code: 'transfer-failed' })], codes })
    }
    case 'sent':
      break
  }

  const { list } = sent
  const deletion = planDeletion(list, remote.list, opened.record, run.configuration.cloud.maxDeletePercent)
  // What a transport says to have sent is looked for before anything goes that could stand in for it.
  const isComplete = sent.begun === 0 || deletion.files.length === 0 || missingFrom((await remoteList(run, transport, opened)).list, list, 'same').every(({ files }) => files.length === 0)
  const removed = isComplete ? await removeExtra(run, transport, opened, deletion, choices.allowDelete) : nothingRemoved
  problems.push(...removed.problems, ...(await tidyUp(run, transport, opened, remote.strays)))
  const after = await remoteList(run, transport, opened)
  const lacking = missingFrom(after.list, list, 'same').flatMap((entry) => entry.files)
  if (lacking.length > 0) {
    problems.push({
      severity: 'error',
      code: 'remote-incomplete',
      message: `the remote lacks ${lacking.length} files after the transfer, or has them in another size: ${lacking.slice(0, 3).map((file) => file.path).join(', ')}`,
      fix: 'Run: stackbk sync',
    })
  }
  const verified = lacking.length === 0
  if (verified) rememberRepository(run.state.repositories, engine.location().display, opened.repository, { at: new Date().toISOString(), remote: transport.location, snapshots: opened.snapshots.length })
  const body: SyncBody = { remote: transport.location, uploaded: { files: tally.files, bytes: tally.bytes }, deleted: removed.deleted, attempts: soFar.attempts, verified }
  const codes = [verified ? 0 : exitCodes.ofKind('transfer-failed'), ...removed.codes]
  const status = !verified ? 'failed' : codes.some((code) => code !== 0) || problems.some((problem) => problem.severity === 'error') ? 'partial' : 'ok'
  return concluded(run, body, { status, problems, codes: [...codes, status === 'partial' ? 3 : 0] })
}

/** One for a transfer that went through at once, whatever it was made of; one more for each try again. */
function attemptsOf(tally: Tally, begun: number): number {
  return begun === 0 ? 0 : 1 + tally.attempts - begun
}

/** What one sync works with. */
interface Work {
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
type Sent =
  | { readonly end: 'sent'; readonly begun: number; readonly list: FileList }
  | { readonly end: 'rotten'; readonly begun: number; readonly corrupt: readonly string[] }
  | { readonly end: 'failed'; readonly begun: number; readonly failure: Failure }

/** So often the list is taken anew because a file of it has gone, as by another program's prune. */
const mostLists = 5

/** Sends what is missing in commit order. A file that vanishes meanwhile makes the list a thing of the past: it is taken anew. */
async function sendWhileItHoldsStill(work: Work, appearsWhole: boolean, firstList: FileList, tally: Tally): Promise<Sent> {
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

function damagedConfig(transport: Transport): Problem {
  return { severity: 'warning', code: 'remote-config-damaged', message: `the config on ${transport.location} could not be opened, and was sent again`, fix: 'See whether other files there are rotten too: stackbk verify --cloud' }
}

/** A rotten file never goes up, and nothing that would need it: the copy stays as it is. */
function rotten(run: Run, body: SyncBody, corrupt: readonly string[], problems: readonly Problem[]): Outcome<SyncResult> {
  const problem: Problem = {
    severity: 'error',
    code: 'rotten-file',
    message: `${corrupt.length} ${corrupt.length === 1 ? 'file does' : 'files do'} not hold what the name says, so nothing was sent and nothing deleted: ${corrupt.slice(0, 3).join(', ')}`,
    fix: 'The remote has no sound copy to mend it from. See what is lost with: restic check --read-data, and mend the repository with: restic repair',
  }
  return concluded(run, body, { status: 'failed', problems: [...problems, problem], codes: [exitCodes.ofKind('corrupt')] })
}

/** Can the remote be reached? Throws `remote-unreachable` (5) within half a minute. */
export async function probe(run: Run, transport: Transport): Promise<void> {
  run.reporter.step(`reaching ${transport.location}`)
  const reached = await transport.probe({ timeoutMs: probeLimitMs, signal: run.signal })
  if (!reached.ok) throw errorFrom(reached.failure)
  run.log('info', 'remote reached', { remote: transport.location })
}

async function localList({ engine, repository }: OpenRepository, root: string): Promise<FileList> {
  try {
    return await frozenList(root, engine.layout())
  } catch (error) {
    throw new StackbkError({
      kind: 'failed',
      code: 'repository-not-listed',
      message: `the files of ${repository.location} could not be listed`,
      detail: error instanceof Error ? error.message : String(error),
      fix: 'Check its disk and permissions',
    })
  }
}

async function remoteList(run: Run, transport: Transport, { engine }: OpenRepository): Promise<{ list: FileList; strays: readonly CopiedFile[] }> {
  const listed = await asked(run, () => transport.list('', { signal: run.signal }))
  if (!listed.ok) throw errorFrom(listed.failure)
  return groupFiles(engine.layout(), listed.value)
}

/** What has to go up, in commit order. A file of another size is there only by half. */
function missingFrom(remote: FileList, local: FileList, config: RemoteConfig): FileList {
  const sizes = new Map(remote.flatMap(({ files }) => files.map((file) => [file.path, file.size])))
  return local.map(({ group, files }) => ({
    group,
    files: files.filter((file) => sizes.get(file.path) !== file.size || (group.role === 'config' && (config === 'older' || config === 'damaged'))),
  }))
}

interface Removal {
  readonly deleted: SyncBody['deleted']
  readonly problems: readonly Problem[]
  readonly codes: readonly number[]
}

const nothingRemoved: Removal = { deleted: { files: 0, snapshots: 0, bytes: 0 }, problems: [], codes: [] }

/** Deletes what is proven gone, if the local repository passes its check: a broken one is no reason to delete anything. */
async function removeExtra(run: Run, transport: Transport, { engine }: OpenRepository, plan: DeletionPlan, allowed: boolean): Promise<Removal> {
  if (plan.guards.length > 0 && !allowed) return { ...nothingRemoved, problems: plan.guards, codes: [exitCodes.ofKind('guard')] }
  if (plan.files.length === 0 || run.signal.aborted) return nothingRemoved
  run.reporter.step('checking the repository before anything is deleted from the remote')
  const check = await engine.check({ readDataPercent: 0, signal: run.signal })
  if (!check.ok) return { ...nothingRemoved, problems: [problemFrom(check.failure, { code: 'check-failed' })], codes: [exitCodes.ofKind(check.failure.kind)] }
  if (!check.value.isSound) {
    const problem: Problem = {
      severity: 'error',
      code: 'repository-damaged',
      message: `the local repository does not pass its check, so nothing was deleted from the remote: ${check.value.errors.at(-1) ?? ''}`,
      fix: 'Run: stackbk verify',
    }
    return { ...nothingRemoved, problems: [problem], codes: [exitCodes.ofKind('corrupt')] }
  }
  run.reporter.step(`deleting ${plan.files.length} files from the remote`)
  const layout = engine.layout()
  const deleted = { files: 0, snapshots: 0, bytes: 0 }
  for (const group of layout.groups.toReversed()) {
    const files = groupFiles({ groups: [group], ignored: [] }, plan.files).list[0]?.files ?? []
    if (files.length === 0) continue
    const paths = files.map((file) => file.path)
    const isKept = run.configuration.cloud.trashDays > 0
    const removed = isKept ? await moveToTrash(run, transport, paths) : await asked(run, () => transport.remove(paths, { signal: run.signal }))
    if (!removed.ok) return { deleted, problems: [problemFrom(removed.failure, { code: 'deletion-failed' })], codes: [exitCodes.ofKind('transfer-failed')] }
    deleted.files += files.length
    deleted.bytes += files.reduce((sum, file) => sum + file.size, 0)
    if (group.role === 'snapshot') deleted.snapshots += files.length
  }
  return { deleted, problems: [], codes: [] }
}

/** What has lain in the trash for long enough, and halves of files from uploads that were cut. That they cannot be removed now is no more than a warning. */
async function tidyUp(run: Run, transport: Transport, { engine }: OpenRepository, strays: readonly CopiedFile[]): Promise<readonly Problem[]> {
  const unwanted = [...expiredTrash(strays, run.configuration.cloud.trashDays, run.startedAt), ...leftovers(engine.layout(), strays, run.startedAt)]
  if (unwanted.length === 0 || run.signal.aborted) return []
  const removed = await transport.remove(unwanted, { signal: run.signal })
  return removed.ok ? [] : [problemFrom(removed.failure, { severity: 'warning', code: 'trash-not-emptied' })]
}

function rehearsed({ run, transport, repository, remote, remoteConfig }: Work, list: FileList, choices: SyncChoices): Outcome<SyncResult> {
  const files = missingFrom(remote, list, remoteConfig).flatMap((entry) => entry.files)
  const deletion = planDeletion(list, remote, repository.record, run.configuration.cloud.maxDeletePercent)
  const refused = deletion.guards.length > 0 && !choices.allowDelete
  const body: SyncBody = {
    remote: transport.location,
    uploaded: { files: files.length, bytes: files.reduce((sum, file) => sum + file.size, 0) },
    deleted: refused ? { files: 0, snapshots: 0, bytes: 0 } : { files: deletion.files.length, snapshots: deletion.snapshots, bytes: deletion.bytes },
    attempts: 0,
    verified: false,
  }
  return concluded(run, body, { status: refused ? 'partial' : 'ok', problems: refused ? deletion.guards : [], codes: [refused ? exitCodes.ofKind('guard') : 0] })
}

function notLocal(location: string): StackbkError {
  return new StackbkError({
    kind: 'configuration',
    code: 'repository-not-local',
    message: `${location} is no folder of this host, and only such a repository can be copied to the cloud`,
    fix: 'Set RESTIC_REPOSITORY to a local folder, or leave out the sync',
  })
}
