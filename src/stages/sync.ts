import type { Engine, ToolCommands, Transport } from '@stackbk/contract'

import { counted } from '../counted.js'
import { errorFrom, exitCodes, problemFrom, StackbkError, type Problem } from '../errors.js'
import { forgottenByOthers, publishForgotten } from './forgotten-ledger.js'
import { adviseTool, repositoryKey, toolCommands } from './advice.js'
import { layoutOf } from './layout.js'
import { beginLook, openRepository, repositoryLock, type OpenRepository, type RepositoryLook } from './repository.js'
import { rememberRepository } from './repository-memory.js'
import { concluded, type Outcome } from './result.js'
import { removeStaleLocks, replayJournal } from './resume.js'
import type { Run } from './run.js'
import { CheckedFiles } from './sync/checked-files.js'
import { planDeletion, unprovenSnapshots, type DeletionPlan } from './sync/deletion.js'
import type { FileList, RemoteLook } from './sync/file-list.js'
import { CopyIdentity, KnownRemotes, refuseVanishedRemote } from './sync/known-remotes.js'
import { localList, lookAtRemote, missingFrom, remoteList } from './sync/listing.js'
import { identifyRemote } from './sync/remote-identity.js'
import { assertRestorable } from './sync/restorable.js'
import { testRemote } from './sync/remote-test.js'
import { nothingRemoved, removeExtra, tidyUp } from './sync/removal.js'
import { sendWhileItHoldsStill, type Sent, type Work } from './sync/sending.js'
import type { SyncBody, SyncResult } from './sync/sync-result.js'
import { sharedLimit, type Tally } from './sync/transfer.js'

export { probe } from './sync/probe.js'

export interface SyncChoices {
  /** Connectivity only. */
  readonly test: boolean
  /** Passes the guards against deletion, this once. */
  readonly allowDelete: boolean
  /** Starts a new copy on a remote that is empty, or goes on with an older one, although a newer copy should be there. Absent: both are refused. */
  readonly allowNewRemote?: boolean
  /** Takes the repository that is at its place, whatever was known of it before. Absent: another one is refused. */
  readonly acceptRepository?: boolean
  /** A backup has come right before, which makes a missing repository; in a dry run it would have. */
  readonly isAfterBackup?: boolean
}

/**
 * Stage 2: the local repository to the cloud. Files go up in the engine's commit order from a frozen list; deletions come
 * last, proven and in reverse; at the end the remote is compared with the list. The copy is valid at every instant.
 *
 * Throws before anything moves: `usage`, `busy`, `remote-unreachable`, `repository-...`, `wrong-password`, `guard` (the remote
 * holds something else, or held a copy and is empty or older now).
 */
export async function sync(run: Run, choices: SyncChoices): Promise<Outcome<SyncResult>> {
  const engine = await run.engine()
  layoutOf(run, engine)
  const transport = await run.transport()
  if (!choices.test) await run.lock(repositoryLock(engine))
  const replay = choices.test ? null : await replayJournal(run)
  const empty = { remote: transport.location, uploaded: { files: 0, bytes: 0 }, deleted: { files: 0, snapshots: 0, bytes: 0 }, attempts: 0, verified: false }
  if (choices.test) {
    return concluded(run, empty, { status: 'ok', problems: await testRemote(run, transport) })
  }
  const root = engine.location().path
  if (root === null) throw notLocal(run, engine.location().display)
  const { opened, remote, firstList } = await openWhileLooking(run, transport, root, choices)
  if (opened === null) return concluded(run, empty, { status: 'ok', problems: [] })
  if (replay !== null) await removeStaleLocks(run, replay.leftovers)

  await assertRestorable(run, engine, root, firstList)
  const remotes = new KnownRemotes(run.state.repositories, opened.repository.id, engine.location().display)
  run.reporter.step('comparing with the remote')
  const remoteConfig = await identifyRemote(run, transport, { ...opened, root, list: firstList }, remote)
  const identity = new CopyIdentity(remotes.of(transport.location), remote, opened.snapshots)
  if (choices.allowNewRemote !== true) {
    refuseVanishedRemote(transport.location, remote, remotes)
    identity.assertKnown()
  }
  const checked = new CheckedFiles(run.state.repositories, opened.repository.id)
  const work: Work = { run, transport, repository: opened, root, remote: remote.list, remoteConfig, checked, limit: sharedLimit(run.configuration.cloud.syncTimeoutMs) }
  if (run.dryRun) return rehearsed(work, firstList, choices)

  const tally: Tally = { files: 0, bytes: 0, attempts: 0 }
  const problems: Problem[] = [...(replay?.problems ?? [])]
  if (remoteConfig === 'damaged') problems.push(damagedConfig(transport))
  const sent = await sendWhileItHoldsStill(work, firstList, tally)
  const soFar = { ...empty, uploaded: { files: tally.files, bytes: tally.bytes }, attempts: attemptsOf(tally, sent.begun) }
  switch (sent.end) {
    case 'rotten':
      return rotten(run, toolCommands(engine, null), soFar, sent, problems)
    case 'failed': {
      const { kind } = sent.failure
      const codes = [kind === 'cancelled' || kind === 'failed' ? 1 : exitCodes.ofKind('transfer-failed')]
      return concluded(run, soFar, { status: 'failed', problems: [...problems, problemFrom(sent.failure, { code: 'transfer-failed' })], codes })
    }
    case 'sent':
      break
  }

  const { list, spared } = sent
  if (spared.length > 0) problems.push(rottenHere(spared))
  const lackingIn = (there: FileList): readonly string[] => missingFrom(there, list, 'same').flatMap(({ files }) => files.map(({ path }) => path)).filter((path) => !spared.includes(path))
  const deletion = await planProvenDeletion(work, list)
  // What a transport says to have sent is looked for before anything goes that could stand in for it.
  let there = sent.begun === 0 ? remote.list : (await remoteList(run, transport, engine)).list
  const isComplete = lackingIn(there).length === 0
  const copy = identity.after(list, remote.list, opened.snapshots)
  const known = remotes.of(transport.location)
  // Before anything goes by which the copy was to be known again.
  if (isComplete && known !== null) remotes.record({ ...known, ...copy })
  const removed = isComplete ? await removeExtra(run, transport, opened, deletion, choices.allowDelete) : nothingRemoved
  problems.push(...removed.problems, ...(await tidyUp(run, transport, opened, remote.strays)))
  if (removed.deleted.files > 0) there = (await remoteList(run, transport, engine)).list
  const lacking = lackingIn(there)
  if (lacking.length > 0) {
    problems.push({
      severity: 'error',
      code: 'remote-incomplete',
      message: `the remote lacks ${counted(lacking.length, 'file')} after the transfer, or has ${lacking.length === 1 ? 'it' : 'them'} in another size: ${lacking.slice(0, 3).join(', ')}`,
      fix: 'Run: stackbk sync',
    })
  }
  const verified = lacking.length === 0
  if (verified) {
    const done = { at: new Date().toISOString(), remote: transport.location, snapshots: opened.snapshots.length }
    rememberRepository(run.state.repositories, engine.location().display, opened.repository, { lastSync: done })
    remotes.record({ ...done, ...copy })
    checked.clear()
  }
  problems.push(...(await publishForgotten(run, opened)))
  const body: SyncBody = { remote: transport.location, uploaded: { files: tally.files, bytes: tally.bytes }, deleted: removed.deleted, attempts: soFar.attempts, verified }
  const codes = [verified ? 0 : exitCodes.ofKind('transfer-failed'), spared.length === 0 ? 0 : exitCodes.ofKind('corrupt'), ...removed.codes]
  const status = !verified ? 'failed' : codes.some((code) => code !== 0) || problems.some((problem) => problem.severity === 'error') ? 'partial' : 'ok'
  return concluded(run, body, { status, problems, codes: [...codes, status === 'partial' ? 3 : 0] })
}

/**
 * Opening the repository and looking at what is here and there take their time, and none needs the others. What is wrong with
 * the tools counts first, then what is wrong with the repository.
 */
async function openWhileLooking(run: Run, transport: Transport, root: string, choices: SyncChoices): Promise<{ opened: OpenRepository | null; remote: RemoteLook; firstList: FileList }> {
  const engine = await run.engine()
  const given = new AbortController()
  const looking = lookAtRemote({ ...run, signal: AbortSignal.any([run.signal, given.signal]) }, transport, engine)
  const listing = localList(run, engine, root)
  const lookingInto = lookOnceReady(run, engine)
  // Their turn comes below.
  for (const one of [looking, listing, lookingInto]) one.catch(() => {})
  try {
    const ready = await transport.ready({ signal: run.signal })
    // Whatever it comes to, nothing of it goes on behind a refusal.
    await Promise.allSettled([lookingInto])
    if (!ready.ok) throw errorFrom(ready.failure)
    const opened = await openRepository(run, { mayInit: run.dryRun && choices.isAfterBackup === true && run.configuration.backup.autoInit, accept: choices.acceptRepository === true, look: lookingInto })
    const remote = await looking
    return { opened, remote, firstList: opened === null ? [] : await listing }
  } finally {
    given.abort()
  }
}

/** Notes nothing: what is wrong with the transport leaves all as it was. */
async function lookOnceReady(run: Run, engine: Engine): Promise<RepositoryLook> {
  const ready = await engine.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  return beginLook(run, engine)
}

/** Plans what may be deleted from the remote. What this host cannot prove, another host's ledger in the repository may. */
async function planProvenDeletion({ run, remote, repository }: Work, list: FileList): Promise<DeletionPlan> {
  const { record } = repository
  const byOthers = await forgottenByOthers(run, repository, unprovenSnapshots(list, remote, record))
  if (!run.dryRun) for (const host of new Set(byOthers.values())) record.noteForgottenBy(host, [...byOthers.keys()].filter((id) => byOthers.get(id) === host))
  return planDeletion(list, remote, record, run.configuration.cloud.maxDeletePercent, byOthers)
}

/** One for a transfer that went through at once, whatever it was made of; one more for each try again. */
function attemptsOf(tally: Tally, begun: number): number {
  return begun === 0 ? 0 : 1 + tally.attempts - begun
}

function damagedConfig(transport: Transport): Problem {
  return { severity: 'warning', code: 'remote-config-damaged', message: `the config on ${transport.location} did not open; it was uploaded again`, fix: 'Check whether other files there are corrupt too: stackbk verify --cloud' }
}

/** A rotten file never goes up, nor an index or a snapshot, which may need it: the copy stays valid. */
function rotten(run: Run, commands: ToolCommands, body: SyncBody, { corrupt, spared }: Extract<Sent, { end: 'rotten' }>, problems: readonly Problem[]): Outcome<SyncResult> {
  const problem: Problem = {
    severity: 'error',
    code: 'rotten-file',
    message: `${counted(corrupt.length, 'file')} ${corrupt.length === 1 ? 'does not match its checksum' : 'do not match their checksums'}, or cannot be read, so no index and no snapshot was sent and nothing deleted: ${corrupt.slice(0, 3).join(', ')}`,
    fix: `The remote has no intact copy to repair it from.${adviseTool(' See what is lost: ', commands.checkData, '')}${adviseTool('. Repair the repository: ', commands.repair, '')}`,
  }
  return concluded(run, body, { status: 'failed', problems: [...problems, problem, ...(spared.length === 0 ? [] : [rottenHere(spared)])], codes: [exitCodes.ofKind('corrupt')] })
}

function rottenHere(files: readonly string[]): Problem {
  return {
    severity: 'error',
    code: 'rotten-here',
    message: `${counted(files.length, 'local file')} ${files.length === 1 ? 'does not match its checksum' : 'do not match their checksums'}; the remote has the intact one, which was left alone: ${files.slice(0, 3).join(', ')}`,
    fix: 'Bring it back from there: stackbk verify --repair',
  }
}

async function rehearsed(work: Work, list: FileList, choices: SyncChoices): Promise<Outcome<SyncResult>> {
  const { run, transport, remote, remoteConfig } = work
  const files = missingFrom(remote, list, remoteConfig).flatMap((entry) => entry.files)
  const deletion = await planProvenDeletion(work, list)
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

function notLocal(run: Run, location: string): StackbkError {
  return new StackbkError({
    kind: 'configuration',
    code: 'repository-not-local',
    message: `${location} is no folder of this host, and only such a repository can be copied to the cloud`,
    fix: `Set ${repositoryKey(run)} to a local folder, or leave out the sync`,
  })
}
