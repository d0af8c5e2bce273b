import type { Snapshot } from '@stackbk/contract'

import { nearestName } from '../config/nearest-name.js'
import { errorFrom, problemFrom, StackbkError } from '../errors.js'
import { readDirlist } from '../stacks/dirlist.js'
import { ownTag, stackOf } from './backup/stack-snapshots.js'
import { datedInFutureProblem, isDatedInFuture } from './dated-in-future.js'
import { publishForgotten } from './forgotten-ledger.js'
import { withPendingMarks } from './pending-marks.js'
import { openRepository, repositoryLock, withinSilence } from './repository.js'
import { concluded, type Outcome, type ResultHeader } from './result.js'
import { replayJournal } from './resume.js'
import type { Run } from './run.js'

export interface SnapshotReport {
  readonly id: string
  readonly time: string
  /** `null` for one that stackbk did not make. */
  readonly stack: string | null
  readonly host: string
  readonly paths: readonly string[]
  readonly tags: readonly string[]
  readonly bytes: number | null
  /** Its time is still to come: a clock was wrong when it was made, or is wrong now. Absent for all others. */
  readonly datedInFuture?: true
}

export interface SnapshotsBody {
  readonly snapshots: readonly SnapshotReport[]
}

export type SnapshotsResult = ResultHeader & SnapshotsBody

export interface ForgetBody {
  readonly removed: readonly string[]
}

export type ForgetResult = ResultHeader & ForgetBody

/** The snapshots of stackbk, oldest first, of one stack or of all, of every host. */
export async function listSnapshots(run: Run, name: string | undefined): Promise<Outcome<SnapshotsResult>> {
  const engine = await run.engine()
  const ready = await engine.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  const found = await withinSilence(run, engine, (signal) => engine.snapshots({ tags: [ownTag] }, { signal }))
  if (!found.ok) throw errorFrom(found.failure)
  const all = withPendingMarks(found.value, run.state.marks).map(reportOf)
  if (name !== undefined && !all.some(({ stack }) => stack === name)) assertKnown(run, name, all)
  const snapshots = name === undefined ? all : all.filter(({ stack }) => stack === name)
  return concluded(run, { snapshots }, { status: 'ok', problems: snapshots.filter(({ datedInFuture }) => datedInFuture === true).map(datedInFutureProblem) })
}

/** The snapshots that these IDs, or beginnings of IDs, mean. Throws `usage` when one means none or several. */
export async function findSnapshots(run: Run, ids: readonly string[]): Promise<readonly SnapshotReport[]> {
  const engine = await run.engine()
  const ready = await engine.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  const found = await withinSilence(run, engine, (signal) => engine.snapshots({}, { signal }))
  if (!found.ok) throw errorFrom(found.failure)
  const listed = withPendingMarks(found.value, run.state.marks)
  const named = ids.map((id) => {
    const matches = listed.filter((snapshot) => id !== '' && snapshot.id.startsWith(id.toLowerCase()))
    const [match] = matches
    if (match !== undefined && matches.length === 1) return reportOf(match)
    throw new StackbkError({
      kind: 'usage',
      code: 'unknown-snapshot',
      message: matches.length === 0 ? `there is no snapshot ${id}` : `${id} is the beginning of ${matches.length} snapshot IDs`,
      fix: 'See: stackbk snapshots',
    })
  })
  return named.filter(({ id }, index) => named.findIndex((other) => other.id === id) === index)
}

/** Forgets these snapshots and notes that it was us, so that the cloud copy may follow. `prune`: what only they used is removed at once. */
export async function forgetSnapshots(run: Run, ids: readonly string[], { prune }: { readonly prune: boolean }): Promise<Outcome<ForgetResult>> {
  await run.lock(repositoryLock(await run.engine()))
  const replay = await replayJournal(run)
  const repository = await openRepository(run, { mayInit: false })
  if (repository === null || run.dryRun) return concluded(run, { removed: ids }, { status: 'ok', problems: replay.problems })
  const noted = repository.record.willForget(ids)
  if (!noted.ok) throw errorFrom(noted.failure)
  const removed = await repository.engine.forget(ids, { prune, signal: run.signal })
  if (!removed.ok) {
    const present = await repository.engine.snapshots()
    if (present.ok) repository.record.settle(present.value.map((snapshot) => snapshot.id))
    throw errorFrom(removed.failure)
  }
  repository.record.didForget(removed.value.removed)
  const published = await publishForgotten(run, repository)
  const left = ids.filter((id) => !removed.value.removed.includes(id))
  const problems = left.length === 0 ? [] : [problemFrom({ kind: 'failed', message: `not forgotten: ${left.join(', ')}` })]
  return concluded(run, { removed: removed.value.removed }, { status: left.length === 0 ? 'ok' : 'partial', problems: [...replay.problems, ...published, ...problems] })
}

function reportOf(snapshot: Snapshot): SnapshotReport {
  const { id, time, host, paths, tags, bytes } = snapshot
  return { id, time, stack: stackOf(snapshot), host, paths, tags, bytes, ...(isDatedInFuture(snapshot) ? { datedInFuture: true } : {}) }
}

/** A stack without snapshots gives an empty list; a name that nobody knows is a mistake. */
function assertKnown(run: Run, name: string, all: readonly SnapshotReport[]): void {
  const { dirlist: file, stacksDirectory } = run.configuration.docker
  const known = [...readDirlist({ file, stacksDirectory }).stacks.map((stack) => stack.name), ...all.flatMap(({ stack }) => stack ?? [])]
  if (known.includes(name)) return
  const nearest = nearestName(name, known)
  throw new StackbkError({
    kind: 'usage',
    code: 'unknown-stack',
    message: `there is no stack "${name}"`,
    fix: nearest === null ? 'See: stackbk dirlist list' : `Did you mean "${nearest}"?`,
  })
}
