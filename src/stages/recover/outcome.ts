import { lstatSync, rmSync } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { shellWord, type Answer, type Engine, type Failure, type RebuildReport, type RestoreResult, type Runtime } from '@stackbk/contract'

import { problemFrom } from '../../errors.js'
import { fsPath, readNames } from '../../host/file-names.js'
import { settleFiles } from '../../host/file-times.js'
import { mountPointOf } from '../../host/mounts.js'
import { removeTree, type NotRemoved } from '../../host/remove-tree.js'
import type { Journal, JournalEntry } from '../../stacks/journal.js'
import { startAndConfirm } from '../backup/stack-window.js'
import { holdsKept, keepNotInSnapshot, keptFolder } from './kept-aside.js'
import { changeFolders, isThere, placeAll, undoAll, type Move } from './moves.js'
import { overwriteFiles, overwriteVolumes } from './overwriting.js'
import type { RecoveryFolder } from './record.js'
import type { Recovery } from './recovery.js'
import { placeOf } from './relocation.js'
import { tellWhoNeedsRestart } from './restarts.js'
import { fillVolumes, type FillContext } from './volumes.js'

/** What a rebuild came to: up; or why not, and whether the volumes were filled before that. */
export interface Rebuilt {
  readonly failure: Failure | null
  readonly report: RebuildReport | null
  readonly isFilled: boolean
  /** What was written over, where that was asked for. */
  readonly overwritten?: RestoreResult
}

/** Makes containers from the capsule, its volumes filled with what waits. Never throws. */
export async function rebuild(recovery: Recovery, fill: Pick<FillContext, 'extractFor'> | { readonly inPlace: RebuildFill }, signal: AbortSignal): Promise<Rebuilt> {
  const { record, run, runtime } = recovery
  if (record.capsule === null) return { failure: null, report: null, isFilled: true }
  let isFilled = false
  try {
    run.reporter.stackPhase(record.name, 'filling volumes')
    const answer = await runtime.rebuild(record.capsule, {
      directory: record.directory,
      services: record.services,
      images: 'tag',
      noStart: record.noStart,
      allowHostVolumes: record.allowHostVolumes,
      createExternal: record.createExternal ?? false,
      moved: record.relocations ?? [],
      onWriteFile: (path) => void recovery.note({ writtenFiles: [...new Set([...(recovery.record.writtenFiles ?? []), path])] }),
      healthTimeoutMs: record.healthTimeoutMs,
      fillVolumes: async (volumes) => {
        const filled = 'extractFor' in fill
          ? await fillVolumes(volumes, { note: (change) => recovery.note(change), record: () => recovery.record, extractFor: fill.extractFor, onProblem: (problem) => recovery.problems.push(problem), kept: () => recovery.kept(), onPlanned: (planned) => recovery.planned.push(planned) })
          : await fill.inPlace(volumes)
        isFilled = filled.ok
        if (filled.ok) run.reporter.stackPhase(record.name, record.noStart ? 'placing' : 'starting')
        return filled
      },
      signal,
    })
    if (!answer.ok) return { failure: answer.failure, report: null, isFilled }
    return { failure: null, report: answer.value, isFilled }
  } catch (error) {
    return { failure: { kind: 'failed', message: `${record.name} could not be rebuilt`, toolOutput: String(error) }, report: null, isFilled }
  }
}

/** Files and volumes written over by the engine, then rebuilt. Right also where an earlier try was cut short. Never throws. */
export async function overwriteAndRebuild(recovery: Recovery, { engine, held }: { readonly engine: Engine; readonly held: readonly string[] }, signal: AbortSignal): Promise<Rebuilt> {
  const { run } = recovery
  recovery.note({ phase: 'overwriting' })
  // From here on there is nothing to go back to: a part's containers are started from the journal, a whole stack is made anew.
  if (recovery.record.scope === 'stack') run.journal.remove(recovery.record.key)
  const files = await overwriteFiles(recovery, engine, signal)
  if (!files.ok) return { failure: files.failure, report: null, isFilled: false }
  if (recovery.record.scope === 'files') return { ...(await startFromJournal(recovery)), overwritten: files.value }
  const rebuilt = await rebuild(recovery, { inPlace: (volumes) => overwriteVolumes(recovery, engine, held, volumes, signal) }, signal)
  return { ...rebuilt, overwritten: files.value }
}

/** The containers as they were, where only files have been exchanged. */
export async function startFromJournal(recovery: Recovery): Promise<Rebuilt> {
  const { record, run, runtime } = recovery
  const entry = run.journal.entries().find(({ key }) => key === record.key)
  if (entry === undefined || record.noStart) return { failure: null, report: null, isFilled: true }
  const { start, up } = await startAndConfirm(entry, new Date(entry.writtenAt), { runtime, journal: staying, log: run.log, onPhase: (phase, progress) => run.reporter.stackPhase(record.name, phase, progress), onStarting: () => {} })
  if (up.ok) return { failure: !up.value.isUp && !start.ok ? start.failure : null, report: { ...up.value, unprovenImages: [], losses: [] }, isFilled: true }
  return { failure: up.failure, report: null, isFilled: true }
}

/** The entry stays until the recovery is confirmed: what is put back has to be started too. */
const staying: Pick<Journal, 'remove'> = { remove: () => {} }

type RebuildFill = Parameters<Runtime['rebuild']>[1]['fillVolumes']

/** The recovered stack stands: what was kept aside goes, and the record last. */
export async function finish(recovery: Recovery): Promise<void> {
  recovery.note({ phase: 'confirmed' })
  // Before the record goes, which alone knows that what the journal says is no longer wanted.
  recovery.run.journal.remove(recovery.record.key)
  tellWhoNeedsRestart(recovery)
  await cleanUp(recovery)
}

/**
 * Brings back what was there before: takes away what was made, moves files and volumes back, starts what the journal says ran.
 * Right also where an earlier try was cut short anywhere. Takes no signal.
 *
 * @returns whether it is all back; if not, the record stays, and `resume` tries again
 */
export async function undo(recovery: Recovery): Promise<boolean> {
  const { run } = recovery
  const { name, directory, key } = recovery.record
  run.reporter.stackPhase(name, 'putting back')
  try {
    recovery.note({ phase: 'undoing' })
    if (!(await takeDown(recovery))) return false
    removeWrittenFiles(recovery)
    undoAll(recovery.record.returned)
    undoAll(recovery.record.volumeMoves)
    undoAll(recovery.record.moves)
    changeFolders(recovery.record.folderChanges ?? [], 'before')
    await recovery.runtime.removeVolumes(recovery.record.newVolumes)
    const entry = run.journal.entries().find((one) => one.key === key)
    if (recovery.record.before !== null && !(await makeAgain(recovery, entry !== undefined))) return false
    // Noted first: without the entry, an undoing that is taken up again would not know that it ran.
    recovery.note({ phase: 'undone' })
    if (recovery.record.before !== null) run.journal.remove(key)
    await cleanUp(recovery)
    // From here on the journal alone knows what ran.
    return recovery.record.before !== null || entry === undefined || (await startAgain(recovery, entry))
  } catch (error) {
    recovery.complain('error', 'not-put-back', `what was there of ${name} could not be put back: ${error instanceof Error ? error.message : String(error)}`, `Mend that, then run: stackbk resume. Nothing is lost: ${directory} and what was kept are on the disk`)
    return false
  }
}

/** Removes what the runtime has written into the folder. It is noted before the folder is moved back: then a file of that name is the user's. */
export function removeWrittenFiles(recovery: Recovery): void {
  const { writtenFiles = [] } = recovery.record
  if (writtenFiles.length === 0) return
  for (const path of writtenFiles) rmSync(path, { force: true })
  recovery.note({ writtenFiles: [] })
}

/**
 * Starts what ran where nothing has been exchanged yet: a stop that failed, or was cut short, has left some of it stopped.
 *
 * @returns whether it runs as before; if not, `resume` tries again
 */
export async function giveBack(recovery: Recovery): Promise<boolean> {
  const { record, run } = recovery
  run.reporter.stackPhase(record.name, 'putting back')
  const entry = run.journal.entries().find(({ key }) => key === record.key)
  // Containers that only a rebuild gives back are gone, some of them or all.
  if (record.before !== null && !(await areAllThere(recovery))) return await undo(recovery)
  try {
    recovery.note({ phase: 'undone', before: null })
    await cleanUp(recovery)
  } catch (error) {
    // The record says that nothing was exchanged, which is right: what ran is started all the same.
    run.log('warning', 'the record of a recovery could not be written', { stack: record.name, reason: String(error) })
  }
  return entry === undefined || (await startAgain(recovery, entry))
}

/** What was to be taken down is still there, running or not. */
export async function areAllThere({ record, runtime }: Recovery): Promise<boolean> {
  const look = await runtime.inspect([record.directory])
  const present = look.ok ? look.value.flatMap(({ projects }) => projects).flatMap(({ containers }) => containers.map(({ id }) => id)) : []
  return record.oldContainers.every((id) => present.includes(id))
}

async function startAgain({ record, run, runtime, problems }: Recovery, entry: JournalEntry): Promise<boolean> {
  const { name } = record
  const { start, up } = await startAndConfirm(entry, new Date(entry.writtenAt), { runtime, journal: run.journal, log: run.log, onPhase: (phase, progress) => run.reporter.stackPhase(name, phase, progress), onStarting: () => {} })
  if (up.ok && up.value.isUp) return true
  const reason = !start.ok ? problemFrom(start.failure).message : up.ok ? up.value.missing.map(({ service, reason }) => `${service}: ${reason}`).join('; ') : up.failure.message
  problems.push({ severity: 'error', code: 'not-up', message: `${name} is back where it was, and could not be started again: ${reason}`, fix: 'Run: stackbk resume', stack: name })
  return false
}

/** Whatever containers the stack has now; those of a part are only stopped. */
export async function takeDown({ record, run, runtime, problems }: Recovery): Promise<boolean> {
  const look = await runtime.inspect([record.directory])
  const state = look.ok ? look.value[0] : undefined
  if (state === undefined || state.condition === 'unknown') {
    problems.push(look.ok && state?.failure ? problemFrom(state.failure, { code: 'state-unknown', stack: record.name }) : problemFrom(look.ok ? { kind: 'failed', message: `the state of ${record.name} could not be read`, fix: 'Run: stackbk resume' } : look.failure, { stack: record.name }))
    return false
  }
  if (state.projects.every(({ containers }) => containers.length === 0)) return true
  const stopped = await runtime.stop(state, { mode: record.scope === 'files' ? 'stop' : 'down', graceSeconds: run.configuration.stack(record.name).graceSeconds })
  if (!stopped.ok) {
    problems.push(problemFrom(stopped.failure, { stack: record.name }))
    return false
  }
  if (stopped.value.stillRunning.length > 0) {
    problems.push({ severity: 'error', code: 'still-running', message: `${stopped.value.stillRunning.join(', ')} could not be stopped`, fix: 'Stop it by hand, then run: stackbk resume', stack: record.name })
    return false
  }
  // The removal of what is stopped may go on: what comes next must not meet it.
  const gone = await runtime.inspect([record.directory])
  return gone.ok
}

/** Containers that no start gives back, made anew, with the data that their anonymous volumes had. */
async function makeAgain(recovery: Recovery, ran: boolean): Promise<boolean> {
  const { record, runtime, problems } = recovery
  if (record.before === null) return true
  recovery.note({ returned: [] })
  const answer = await runtime.rebuild(record.before, {
    directory: record.directory,
    services: [],
    images: 'local',
    noStart: !ran,
    allowHostVolumes: true,
    healthTimeoutMs: record.healthTimeoutMs,
    fillVolumes: async (volumes): Promise<Answer<void>> => {
      recovery.note({ newVolumes: [] })
      // What the engine has put into the new one is kept in the old one's folder, which goes as a whole.
      const moves = volumes.filter(({ recorded }) => recorded.isAnonymous && isThere(recorded.path)).map(({ recorded, path }): Move => ({
        place: path, staged: recorded.path, aside: join(dirname(recorded.path), 'stackbk-before'), hadPresent: isThere(path),
      }))
      recovery.note({ returned: moves })
      placeAll(moves)
      return { ok: true, value: undefined }
    },
  })
  if (answer.ok && (answer.value.isUp || !ran)) return true
  const reason = answer.ok ? answer.value.missing.map(({ service, reason }) => `${service}: ${reason}`).join('; ') : problemFrom(answer.failure).message
  problems.push({ severity: 'error', code: 'not-up', message: `${record.name} is back where it was, and its containers could not be made again: ${reason}`, fix: 'Run: stackbk resume', stack: record.name })
  return false
}

/**
 * Removes our own folders, and the record last. What the snapshot does not hold is kept in them, and named; what cannot be removed is
 * named with the command that removes it, and is no failure: the stack is up, or back. A disk that is away keeps its part until it is
 * there again. Throws only where the record cannot be written.
 */
export async function cleanUp(recovery: Recovery): Promise<void> {
  const { record } = recovery
  const away = record.folders.filter(({ path, mountPoint }) => mountPointOf(path) !== mountPoint)
  for (const folder of record.folders) if (!away.includes(folder)) await removeFolder(recovery, folder)
  // Their data is in the containers made anew, or has been exchanged.
  const isOver = record.phase === 'confirmed' || (record.phase === 'undone' && record.returned.length > 0)
  const kept = record.phase === 'confirmed' ? (record.keptVolumes ?? []) : []
  if (kept.length > 0) recovery.complain('warning', 'volume-kept', `anonymous volumes of ${record.name} hold files that the snapshot does not hold, and are kept: ${kept.join(', ')}`, `When you do not need them: docker volume rm ${kept.join(' ')}`)
  const superfluous = record.oldVolumes.filter((name) => !kept.includes(name))
  if (isOver && superfluous.length > 0) await recovery.runtime.removeVolumes(superfluous)
  if (away.length === 0) return recovery.forget()
  recovery.complain('warning', 'leftovers', `${away.map(({ path }) => path).join(', ')} could not be removed: its disk is not mounted`, 'Mount it, then run: stackbk resume')
}

async function removeFolder(recovery: Recovery, folder: RecoveryFolder): Promise<void> {
  const { record } = recovery
  const { path } = folder
  if (!isThere(path)) return
  const notKept = record.phase === 'confirmed' ? keepNotInSnapshot(folder) : null
  const before = join(path, 'before')
  const remaining: NotRemoved[] = [...(await removeTree(join(path, 'new')))]
  // Nothing of the user's is removed of which it is not known that the snapshot holds it.
  const mayRemove = record.phase === 'confirmed' ? notKept === null : record.phase === 'extracting' || record.phase === 'stopping' || isEmptyOrGone(before)
  if (mayRemove) {
    remaining.push(...(await removeTree(before)))
    if (remaining.length === 0) remaining.push(...(await removeTree(join(path, 'not-in-snapshot.jsonl'))))
  } else {
    recovery.keptAside.push(before)
    recovery.complain('warning', 'kept-aside', `what was there of ${record.name} is kept in ${before}${notKept === null ? '' : `, because not all that the snapshot does not hold could be taken out of it: ${notKept}`}`, `When you do not need it, remove it: ${removalOf(path)}`)
  }
  const [first] = remaining
  if (first !== undefined) recovery.complain('warning', 'leftovers', `what was replaced of ${record.name} could not be removed from ${path}: ${first.reason}`, `Remove it: chattr -R -i -a ${shellWord(path)}; ${removalOf(path)}`)
  if (holdsKept(folder)) {
    recovery.keptAside.push(keptFolder(folder))
    recovery.complain('warning', 'kept-aside', `files of ${record.name} that the snapshot does not hold are kept in ${keptFolder(folder)}`, `When you do not need them, remove them: ${removalOf(path)}`)
  } else if (mayRemove && first === undefined) await rmdir(path).catch(() => {})
}

function isEmptyOrGone(folder: string): boolean {
  return !isThere(folder) || readNames(folder).every((name) => isEmptyTree(join(folder, name)))
}

/** Folders that were made to hold something, and hold nothing any more. */
function isEmptyTree(path: string): boolean {
  return lstatSync(fsPath(path)).isDirectory() && readNames(path).every((name) => isEmptyTree(join(path, name)))
}

function removalOf(path: string): string {
  return `rm -rf --one-file-system ${shellWord(path)}`
}

/** All that was written is on the disk before what it replaces goes. */
export async function settle(recovery: Recovery): Promise<void> {
  const { folders, overwritten, relocations = [] } = recovery.record
  const paths = [...folders.map(({ path }) => path), ...overwritten.map((path) => placeOf(relocations, path))].filter((path) => isThere(path))
  if (paths.length === 0) return
  try {
    await settleFiles(paths, recovery.run.exec, new AbortController().signal)
  } catch (error) {
    // A disk that is slow to write must not undo what is up.
    recovery.run.log('warning', 'not all that was recovered is known to be on the disk', { stack: recovery.record.name, reason: String(error) })
  }
}

