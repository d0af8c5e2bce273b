import { mkdirSync } from 'node:fs'

import type { Engine, Snapshot } from '@stackbk/contract'

import { StackbkError } from '../../errors.js'
import { fetchFromCloud, valueOf } from '../cloud-files.js'
import { withPendingMarks } from '../pending-marks.js'
import { withinSilence } from '../repository.js'
import type { Run } from '../run.js'
import { probe } from '../sync.js'
import { groupFiles, type FileList } from '../sync/file-list.js'
import { asked } from '../sync/transfer.js'

/** What a drill takes its snapshots from. */
export interface DrillSource {
  /** For people. */
  readonly source: string
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[]
  /** Bytes that `fetch` brings here. */
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
  valueOf(await engine.ready({ signal: run.signal }))
  valueOf(await transport.ready({ signal: run.signal }))
  await probe(run, transport)
  const { list } = groupFiles(engine.layout(), valueOf(await asked(run, () => transport.list('', { signal: run.signal }))))
  if (!list.some(({ group, files }) => group.role === 'config' && files.length > 0)) {
    throw new StackbkError({ kind: 'repository-missing', message: `${transport.location} holds no repository`, fix: 'Run: stackbk sync' })
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  await fetchFromCloud(run, transport, folder, part(list, false))
  valueOf(await engine.completeCopy(folder))
  const copy = engine.at(folder)
  const snapshots = withPendingMarks(valueOf(await copy.snapshots({}, { signal: run.signal })), run.state.marks)
  const data = part(list, true)
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

function part(list: FileList, isData: boolean): FileList {
  return list.filter(({ group }) => (group.role === 'data') === isData)
}
