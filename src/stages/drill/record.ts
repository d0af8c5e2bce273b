import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { problemFrom, type Problem } from '../../errors.js'
import { writeFileAtomically } from '../../host/atomic-write.js'
import { readRecords } from '../../host/record-files.js'
import { removeTree } from '../../host/remove-tree.js'
import { ensureFolder } from '../../host/state-folder.js'
import type { Run } from '../run.js'
import type { DrillStackReport } from './drill-result.js'

/** That something of a drill may be there: on disk before the first folder or container of it is made, gone after the last. */
export interface DrillRecord {
  readonly schemaVersion: 1
  /** Of its containers, networks and volumes. */
  readonly label: string
  /** All its files are below it. */
  readonly folder: string
  /** Asked for with `--keep`: it stays until the next drill. */
  readonly kept: boolean
}

/** What is recorded of the last drill. */
export interface LastDrill {
  /** ISO 8601 UTC. */
  readonly at: string
  readonly source: string
  readonly status: 'ok' | 'partial' | 'failed'
  readonly stacks: readonly DrillStackReport[]
}

/** The last drill of one stack. */
export interface StackDrill extends DrillStackReport {
  /** ISO 8601 UTC: when that drill began. */
  readonly at: string
  readonly source: string
}

/** The file of the last drill: a drill of one stack keeps what is known of the others. */
interface DrillFile extends LastDrill {
  /** Of the stacks that were not in the last drill. Absent in files of older versions. */
  readonly earlier?: readonly StackDrill[]
}

/** Throws when it cannot be written: then nothing may be made. */
export function noteDrill(folder: string, record: DrillRecord): void {
  ensureFolder(folder)
  writeFileAtomically(join(folder, `${record.label}.json`), JSON.stringify(record), { mode: 0o600 })
}

/** All that are noted. One that cannot be read is passed over: the write is atomic, so it is none of ours. */
export function notedDrills(folder: string): readonly DrillRecord[] {
  return readRecords<DrillRecord>(folder, ({ schemaVersion, label, folder: own }) => schemaVersion === 1 && typeof label === 'string' && typeof own === 'string')
}

/**
 * Removes what drills have left: those of killed runs, with `keptToo` also those that were kept. Only what carries a drill's own
 * label, and its own folder. Never throws: what cannot be removed now is tried again by the next run.
 */
export async function removeDrills(run: Run, which: { readonly keptToo: boolean }): Promise<readonly Problem[]> {
  const records = notedDrills(run.state.drills).filter(({ kept }) => which.keptToo || !kept)
  const problems: Problem[] = []
  for (const record of records) problems.push(...(await removeDrill(run, record)))
  return problems
}

/** The same for one. */
export async function removeDrill(run: Run, record: DrillRecord): Promise<readonly Problem[]> {
  try {
    const runtime = await run.runtime()
    const ready = await runtime.ready()
    const removed = ready.ok ? await runtime.removeByLabel(record.label) : ready
    if (!removed.ok) return [problemFrom(removed.failure, { severity: 'warning', code: 'drill-left' })]
    const [remaining] = await removeTree(record.folder)
    if (remaining !== undefined) throw new Error(`${remaining.path}: ${remaining.reason}`)
    rmSync(join(run.state.drills, `${record.label}.json`), { force: true })
    run.log('info', 'drill removed', { label: record.label })
    return []
  } catch (error) {
    return [{ severity: 'warning', code: 'drill-left', message: `something of a drill is still there: ${String(error)}`, fix: `See containers with the label stackbk.scratch=${record.label}, and ${record.folder}; the next run tries again` }]
  }
}

/** Returns the last drill, or null if there was none. */
export function lastDrill(path: string): LastDrill | null {
  const drill = readDrillFile(path)
  if (drill === null) return null
  const { at, source, status, stacks } = drill
  return { at, source, status, stacks }
}

/** Returns the last drill of each stack, the latest first. */
export function lastDrillOfEach(path: string): readonly StackDrill[] {
  const drill = readDrillFile(path)
  if (drill === null) return []
  const { at, source, stacks, earlier = [] } = drill
  return [...stacks.map((stack) => ({ ...stack, at, source })), ...earlier]
}

/** Records a drill as the last one of its stacks. */
export function rememberDrill(run: Run, drill: LastDrill): void {
  ensureFolder(run.state.root)
  const earlier = lastDrillOfEach(run.state.lastDrill).filter(({ name }) => !drill.stacks.some((stack) => stack.name === name))
  const file: DrillFile = { ...drill, ...(earlier.length === 0 ? {} : { earlier }) }
  writeFileAtomically(run.state.lastDrill, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 })
}

function readDrillFile(path: string): DrillFile | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as DrillFile
  } catch {
    return null
  }
}
