import { mkdirSync } from 'node:fs'

import type { Engine, Snapshot } from '@stackbk/contract'

import { StackbkError } from '../../errors.js'
import { fetchFromCloud, valueOf } from '../cloud-files.js'
import { layoutOf } from '../layout.js'
import { withPendingMarks } from '../pending-marks.js'
import { freeBytes } from '../recover/file-systems.js'
import { assertFits } from '../recover/room.js'
import { withinSilence } from '../repository.js'
import type { Run } from '../run.js'
import { probe } from '../sync.js'
import { groupFiles, type FileList } from '../sync/file-list.js'
import { absentRoles } from '../sync/restorable.js'
import { asked } from '../sync/transfer.js'

/** What a drill takes its snapshots from. */
export interface DrillSource {
  /** For people. */
  readonly source: string
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[]
  /** Bytes that `fetch` brings here; the others have come already. */
  readonly bytes: number
  /** Brings the rest: only now does it cost time and traffic. The engine works on what came. */
  readonly fetch: () => Promise<Engine>
}

/** The repository of this host. Throws as the engine fails to open it. */
export async function localSource(run: Run): Promise<DrillSource> {
  const engine = await run.engine()
  valueOf(await engine.ready({ signal: run.signal }))
  const snapshots = withPendingMarks(valueOf(await withinSilence(run, engine, (signal) => engine.snapshots({}, { signal }))), run.state.marks)
  return { source: engine.location().display, snapshots, bytes: 0, fetch: () => Promise.resolve(engine) }
}

/**
 * The copy in the cloud: at first its keys and lists alone, so that what is asked for wrongly is answered soon. The whole of it is
 * fetched, because that is what the worst day takes.
 *
 * Throws `remote-unreachable` (5), `repository-missing` (10), `wrong-password` (12), `corrupt` (6).
 */
export async function cloudSource(run: Run, folder: string): Promise<DrillSource> {
  const [engine, transport] = [await run.engine(), await run.transport()]
  const layout = layoutOf(run, engine)
  valueOf(await engine.ready({ signal: run.signal }))
  valueOf(await transport.ready({ signal: run.signal }))
  await probe(run, transport)
  const { list } = groupFiles(layout, valueOf(await asked(run, () => transport.list('', { signal: run.signal }))))
  if (absentRoles(list).length > 0) {
    throw new StackbkError({ kind: 'repository-missing', message: `${transport.location} holds no repository`, fix: 'Run: stackbk sync' })
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const isLater = ({ group }: FileList[number]): boolean => layout.listsWithoutData === true && group.role === 'data'
  const early = list.filter((part) => !isLater(part))
  const needed = early.flatMap(({ files }) => files).reduce((sum, { size }) => sum + size, 0)
  assertFits([{ path: folder, needed, free: freeBytes(folder) }], 'Free space there, or drill the repository of this host: stackbk drill --local')
  await fetchFromCloud(run, transport, folder, early, (progress) => run.reporter.step('fetching the copy', progress))
  if (engine.completeCopy !== undefined) valueOf(await engine.completeCopy(folder))
  const copy = engine.at(folder)
  const snapshots = withPendingMarks(valueOf(await copy.snapshots({}, { signal: run.signal })), run.state.marks)
  const data = list.filter(isLater)
  return {
    source: transport.location,
    snapshots,
    bytes: data.flatMap(({ files }) => files).reduce((sum, { size }) => sum + size, 0),
    fetch: async () => {
      await fetchFromCloud(run, transport, folder, data, (progress) => run.reporter.step('fetching the copy', progress))
      return copy
    },
  }
}
