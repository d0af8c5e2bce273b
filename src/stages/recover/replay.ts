import { shellWord, type Engine, type Runtime } from '@stackbk/contract'

import { problemFrom, type Problem } from '../../errors.js'
import { mountPointOf } from '../../host/mounts.js'
import type { Run } from '../run.js'
import { changeFolders, isThere, placeAll, undoAll } from './moves.js'
import { isCapsule } from './held-path.js'
import { listMoved } from './moved-entries.js'
import { areAllThere, cleanUp, finish, overwriteAndRebuild, rebuild, removeWrittenFiles, settle, startFromJournal, takeDown, undo, type Rebuilt } from './outcome.js'
import { Recovery } from './recovery.js'
import { RecoveryRecords, type RecoveryRecord } from './record.js'
import { extractFor } from './volume-extraction.js'

/** What became of one recovery that was cut short. */
export interface ReplayedRecovery {
  readonly key: string
  readonly name: string
  readonly servicesBefore: readonly string[]
  /** `null` where no container was to be started by this. */
  readonly action: 'started' | 'waiting' | 'discarded' | null
  readonly status: 'ok' | 'failed'
}

export interface RecoveryReplay {
  readonly stacks: readonly ReplayedRecovery[]
  readonly problems: readonly Problem[]
  /** Keys of stacks that must not be started from the journal, since their files are not as they were. */
  readonly held: readonly string[]
}

/**
 * Finishes or undoes what a killed recovery left: where nothing was touched yet, or all was confirmed, only our own folders go;
 * where something was there before, that comes back; on a bare host it goes on.
 */
export async function replayRecoveries(run: Run, runtime: Runtime, discard: string | undefined): Promise<RecoveryReplay> {
  const { records, damaged } = new RecoveryRecords(run.state.recoveries).content()
  const stacks: ReplayedRecovery[] = []
  const held: string[] = []
  const problems: Problem[] = damaged.map((key) => ({ severity: 'error', code: 'recovery-damaged', message: `the record of a recovery (${key}) cannot be read`, fix: `See what is there of the stack; what was kept of it is in a folder whose name begins with .stackbk-recover-${key}` }))
  for (const record of records) {
    const recovery = new Recovery(run, runtime, record)
    const isDiscarded = record.name === discard
    const stack = await replay(recovery, isDiscarded).catch((error: unknown): ReplayedRecovery => {
      recovery.complain('error', 'recovery-unfinished', `the recovery of ${record.name} could not be finished or undone: ${error instanceof Error ? error.message : String(error)}`, 'Mend that, then run: stackbk resume')
      return answer(record, 'waiting')
    })
    const isGivenUp = isDiscarded && stack.action === 'waiting'
    const left = isGivenUp ? leftAsItIs(recovery) : stack
    stacks.push(left)
    problems.push(...(isGivenUp ? recovery.problems.map((problem): Problem => ({ ...problem, severity: 'warning' })) : recovery.problems))
    if (left.action === 'waiting') held.push(record.key)
  }
  return { stacks, problems, held: [...held, ...damaged] }
}

async function replay(recovery: Recovery, isDiscarded: boolean): Promise<ReplayedRecovery> {
  const { record, run } = recovery
  run.log('warning', 'a recovery was cut short', { stack: record.name, phase: record.phase })
  switch (record.phase) {
    case 'stopping':
      // The journal alone would start containers anew whose anonymous volumes only the old ones could find.
      if (record.before !== null && !(await areAllThere(recovery))) return await putBack(recovery)
      return await untouched(recovery)
    case 'extracting':
      return await untouched(recovery)
    case 'confirmed':
      run.journal.remove(record.key)
      await cleanUp(recovery)
      return answer(record, null)
    case 'undone':
      if (record.before !== null) run.journal.remove(record.key)
      await cleanUp(recovery)
      return answer(record, null)
    case 'placing':
    case 'overwriting':
    case 'rebuilding':
    case 'undoing':
      break
  }
  const away = record.folders.filter(({ path, mountPoint }) => mountPointOf(path) !== mountPoint || !isThere(path))
  if (away.length > 0) {
    recovery.complain('error', 'disk-not-mounted', `the recovery of ${record.name} waits: ${away.map(({ path }) => path).join(', ')} is not there`, 'Mount its disk, then run: stackbk resume')
    return answer(record, 'waiting')
  }
  if (record.overwritten.length > 0 && record.phase !== 'undoing') return isDiscarded ? leftAsItIs(recovery) : await overwriteAgain(recovery)
  run.reporter.notice(`the recovery of ${record.name} was cut short: ${record.hadPresent ? 'putting back what was there' : 'going on with it'}`)
  if (record.hadPresent || record.phase === 'undoing') return await putBack(recovery)
  return isDiscarded ? await discarded(recovery) : await goOn(recovery)
}

/** Files and volumes are as they were. What has been stopped is in the journal. */
async function untouched(recovery: Recovery): Promise<ReplayedRecovery> {
  const { record } = recovery
  await cleanUp(recovery)
  recovery.complain('warning', 'recovery-undone', `the recovery of ${record.name} was cut short before anything of it was exchanged: nothing has changed`, `Run it again: stackbk recover ${record.name}`)
  return answer(record, null)
}

async function putBack(recovery: Recovery): Promise<ReplayedRecovery> {
  const { record, run } = recovery
  const ran = run.journal.entries().some(({ key }) => key === record.key)
  const isBack = await undo(recovery)
  if (!isBack) return answer(record, 'waiting')
  recovery.complain('warning', 'recovery-undone', `the recovery of ${record.name} was cut short: what was there before is back as it was`, `Run it again: stackbk recover ${record.name}`)
  return answer(record, ran ? 'started' : null)
}

/** On a bare host there is nothing to go back to, and all that is needed lies here. */
async function goOn(recovery: Recovery): Promise<ReplayedRecovery> {
  const { record, run } = recovery
  if (!(await takeDown(recovery))) return answer(record, 'waiting')
  placeAll(record.moves)
  changeFolders(record.folderChanges ?? [], 'after')
  // The volumes made now need not be those of the first try: their data waits where it was.
  undoAll(record.volumeMoves)
  await recovery.runtime.removeVolumes(record.newVolumes)
  recovery.note({ phase: 'rebuilding', volumeMoves: [], newVolumes: [] })
  const fill = { extractFor: async (path: string, place: string) => await extractFor(recovery, await engineOf(recovery), { path, place }) }
  return await concluded(recovery, record.scope === 'stack' ? await rebuild(recovery, fill, run.signal) : await startFromJournal(recovery))
}

/** Returns the engine with the repository that the recovery reads from. */
async function engineOf({ run, record }: Recovery): Promise<Engine> {
  const configured = await run.engine()
  return record.repository === null ? configured : configured.at(record.repository)
}

async function concluded(recovery: Recovery, rebuilt: Rebuilt): Promise<ReplayedRecovery> {
  const { record } = recovery
  const isUp = rebuilt.failure === null && (rebuilt.report === null || rebuilt.report.isUp || record.noStart)
  if (!isUp) {
    const why = rebuilt.failure === null ? (rebuilt.report?.missing ?? []).map(({ service, reason }) => `${service}: ${reason}`).join('; ') : problemFrom(rebuilt.failure).message
    recovery.complain('error', 'not-recovered', `${record.name} could not be recovered: ${why}`, rebuilt.isFilled ? `Its files and volumes are in place. See: docker compose logs, in ${record.directory}; to start it: docker compose up -d` : `Mend that, then run: stackbk resume, or resume --discard ${record.name}`)
  }
  if (isUp || rebuilt.isFilled) {
    await settle(recovery)
    await finish(recovery)
  }
  if (isUp && record.origin !== undefined) recovery.problems.push(...(await listMoved(recovery.run, [{ name: record.name, directory: record.directory, movedFrom: record.origin, status: 'ok' }])))
  for (const { code, message, fix } of rebuilt.report?.warnings ?? []) recovery.complain('warning', code, message, fix)
  return answer(record, !isUp ? 'waiting' : record.noStart ? null : 'started')
}

/** There is nothing to go back to, and the snapshot has all. */
async function overwriteAgain(recovery: Recovery): Promise<ReplayedRecovery> {
  const { record, run } = recovery
  run.reporter.notice(`the recovery of ${record.name} was cut short while it wrote over what was there: going on with it`)
  const engine = await engineOf(recovery)
  const found = await engine.snapshots({}, { signal: run.signal })
  const snapshot = found.ok ? found.value.find(({ id }) => id === record.snapshotId) : undefined
  if (snapshot === undefined) {
    recovery.problems.push(problemFrom(found.ok ? { kind: 'not-found', message: `the snapshot ${record.snapshotId.slice(0, 8)}, by which ${record.name} was being written over, is gone`, fix: `Choose another: stackbk resume --discard ${record.name}, then stackbk recover ${record.name}` } : found.failure, { stack: record.name }))
    return answer(record, 'waiting')
  }
  if (record.scope === 'stack' && !(await takeDown(recovery))) return answer(record, 'waiting')
  return await concluded(recovery, await overwriteAndRebuild(recovery, { engine, held: snapshot.paths.filter((path) => !isCapsule(path)) }, run.signal))
}

/** What is there stays as it is, and nothing is removed: what waits and what was kept is named. */
function leftAsItIs(recovery: Recovery): ReplayedRecovery {
  const { record, run } = recovery
  const folders = record.folders.filter(({ path }) => isThere(path))
  if (folders.length > 0) recovery.complain('warning', 'recovery-discarded', `the recovery of ${record.name} is given up, and what is there stays as it is: what was there before is in ${folders.map(({ path }) => `${path}/before`).join(', ')}, what came out of the snapshot in ${folders.map(({ path }) => `${path}/new`).join(', ')}`, `When you do not need them, remove them: rm -rf --one-file-system ${folders.map(({ path }) => shellWord(path)).join(' ')}`)
  run.journal.remove(record.key)
  recovery.forget()
  return answer(record, 'discarded')
}

/** What has come so far is taken away again. */
async function discarded(recovery: Recovery): Promise<ReplayedRecovery> {
  const { record } = recovery
  if (!(await takeDown(recovery))) return answer(record, 'waiting')
  removeWrittenFiles(recovery)
  undoAll(record.volumeMoves)
  undoAll(record.moves)
  recovery.note({ phase: 'undone' })
  await recovery.runtime.removeVolumes(record.newVolumes)
  await cleanUp(recovery)
  return answer(record, 'discarded')
}

function answer(record: RecoveryRecord, action: ReplayedRecovery['action']): ReplayedRecovery {
  const services = Object.keys(Object.assign({}, ...(record.capsule?.projects ?? []).map(({ replicas }) => replicas)) as Record<string, number>).sort()
  return { key: record.key, name: record.name, servicesBefore: services, action, status: action === 'waiting' ? 'failed' : 'ok' }
}
