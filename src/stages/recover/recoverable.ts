import { errorFrom } from '../../errors.js'
import { isGood, marks, stackOf } from '../backup/stack-snapshots.js'
import { withPendingMarks } from '../pending-marks.js'
import { withinSilence } from '../repository.js'
import type { Run } from '../run.js'
import { chosenHost } from './choice.js'

/** A snapshot that a stack can be brought back from. */
export interface RecoverableSnapshot {
  readonly id: string
  readonly time: string
  readonly bytes: number | null
  /** What is wrong with it; empty for a whole one. */
  readonly marks: readonly string[]
}

export interface RecoverableStack {
  readonly name: string
  readonly host: string
  /** Newest first. */
  readonly snapshots: readonly RecoverableSnapshot[]
}

/**
 * What a repository could bring back, of the host that `recover` would take, by name. Changes nothing. Throws as the
 * repository does, and as the choice of the host does.
 */
export async function recoverableStacks(run: Run, { repository, host }: { readonly repository: string | undefined; readonly host: string | undefined }): Promise<readonly RecoverableStack[]> {
  const configured = await run.engine()
  const engine = repository === undefined ? configured : configured.at(repository)
  const ready = await engine.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  const found = await withinSilence(run, engine, (signal) => engine.snapshots({}, { signal }))
  if (!found.ok) throw errorFrom(found.failure)
  const own = withPendingMarks(found.value, run.state.marks).filter((snapshot) => stackOf(snapshot) !== null)
  const chosen = chosenHost({ host, ownHost: run.configuration.backup.hostname }, own)
  const ofHost = own.filter((snapshot) => snapshot.host === chosen.host).toReversed()
  const names = [...new Set(ofHost.flatMap((snapshot) => stackOf(snapshot) ?? []))].sort()
  return names.map((name) => ({
    name,
    host: chosen.host,
    snapshots: ofHost
      .filter((snapshot) => stackOf(snapshot) === name)
      .map((snapshot) => ({ id: snapshot.id, time: snapshot.time, bytes: snapshot.bytes, marks: isGood(snapshot) ? [] : marks.filter((mark) => snapshot.tags.includes(mark)) })),
  }))
}
