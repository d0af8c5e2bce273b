import { rmSync } from 'node:fs'
import { join } from 'node:path'

import type { Runtime } from '@stackbk/contract'

import { errorFrom, exitCodes, type Problem } from '../errors.js'
import { ensureFolder } from '../host/state-folder.js'
import { readDirlist } from '../stacks/dirlist.js'
import { cloudSource, localSource, type DrillSource } from './drill/copy.js'
import type { DrillBody, DrillResult, DrillStackReport } from './drill/drill-result.js'
import { drillStack } from './drill/drill-stack.js'
import { noteDrill, rememberDrill, removeDrill, removeDrills, type DrillRecord } from './drill/record.js'
import { stackOf } from './backup/stack-snapshots.js'
import { chooseSnapshots, type ChosenSnapshot } from './recover/choice.js'
import { freeBytes } from './recover/file-systems.js'
import { assertFits } from './recover/room.js'
import { concluded, type Outcome } from './result.js'
import { replayJournal } from './resume.js'
import type { Run } from './run.js'

export interface DrillChoices {
  readonly names: readonly string[]
  /** From the local repository instead of the copy in the cloud. */
  readonly local: boolean
  /** Leave everything in place to be looked at, until the next drill. */
  readonly keep: boolean
}

/**
 * The rehearsal of the disaster, beside production and without a way to it: the copy from the cloud into a scratch folder, of each
 * stack the newest good snapshot out of it, its containers renamed and shut in, its health, a probe, a sample of files. All of it is
 * removed again, also by the next run after a kill.
 *
 * Throws before anything is made: `usage`, `busy`, `remote-unreachable`, `repository-...`, `guard` (no room).
 */
export async function drill(run: Run, choices: DrillChoices): Promise<Outcome<DrillResult>> {
  const replay = await replayJournal(run)
  const runtime = await run.runtime()
  const ready = await runtime.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  const problems: Problem[] = [...replay.problems, ...(await removeDrills(run, { keptToo: true }))]

  const label = `stackbk-drill-${run.id.toLowerCase()}`
  const record: DrillRecord = { schemaVersion: 1, label, folder: join(run.state.cache, label), kept: false }
  noteDrill(run.state.drills, record)
  let isKept = false
  let rehearsed: Rehearsed
  try {
    ensureFolder(record.folder)
    rehearsed = await rehearse(run, runtime, record, choices, problems)
    isKept = choices.keep && !run.signal.aborted
  } finally {
    if (isKept) noteDrill(run.state.drills, { ...record, kept: true })
    else problems.push(...(await removeDrill(run, record)))
  }
  const { source, stacks } = rehearsed
  const isOk = stacks.every(({ status }) => status === 'ok')
  if (!run.signal.aborted) rememberDrill(run, { at: run.startedAt.toISOString(), source, status: isOk ? 'ok' : 'failed', stacks })
  const body: DrillBody = { source, stacks, kept: isKept ? { folder: record.folder, label } : null }
  return concluded(run, body, { status: isOk ? 'ok' : stacks.some(({ status }) => status === 'ok') ? 'partial' : 'failed', problems, codes: [isOk ? 0 : exitCodes.ofKind('corrupt')] })
}

interface Rehearsed {
  readonly source: string
  readonly stacks: readonly DrillStackReport[]
}

async function rehearse(run: Run, runtime: Runtime, { label, folder }: DrillRecord, choices: DrillChoices, problems: Problem[]): Promise<Rehearsed> {
  const from = choices.local ? await localSource(run) : await cloudSource(run, join(folder, 'copy'))
  const { source } = from
  const { chosen, lacking, problems: ofChoice } = chosenStacks(run, from, choices.names)
  problems.push(...ofChoice)
  assertRoomFor(from, chosen, folder, choices.keep)
  run.reporter.stacks(chosen.map(({ stack }) => stack))
  const absent = lacking.map((name) => {
    problems.push({ severity: 'error', code: 'no-snapshot', message: `${source} holds no complete snapshot of it`, fix: `Run: stackbk backup ${name}${choices.local ? '' : ', then: stackbk sync'}`, stack: name })
    return notDone(name, 'failed')
  })
  const fetchingAt = performance.now()
  const engine = await from.fetch()
  const context = { runtime, engine, label, folder, fetchMs: performance.now() - fetchingAt }
  return { source, stacks: [...absent, ...(await drillAll(run, context, chosen, choices.keep, problems))] }
}

async function drillAll(run: Run, context: Omit<Parameters<typeof drillStack>[0], 'run'>, chosen: readonly ChosenSnapshot[], keep: boolean, problems: Problem[]): Promise<readonly DrillStackReport[]> {
  const reports: DrillStackReport[] = []
  for (const one of chosen) {
    if (run.signal.aborted) {
      reports.push(notDone(one.stack, 'skipped'))
      continue
    }
    try {
      const { report, problems: more } = await drillStack({ run, ...context }, one)
      reports.push(report)
      problems.push(...more)
      run.reporter.stackDone(one.stack, { status: report.status, summary: more.find(({ severity }) => severity === 'error')?.message ?? '' })
    } catch (error) {
      if (!run.signal.aborted) throw error
      reports.push(notDone(one.stack, 'skipped'))
    }
    // The next stack has the room, and the memory, of this one.
    if (!keep) {
      await context.runtime.removeByLabel(context.label)
      rmSync(join(context.folder, encodeURIComponent(one.stack)), { recursive: true, force: true })
    }
  }
  return reports
}

/** Those named; else those that are switched on here; else, on a host that knows none, all that the copy holds. */
function chosenStacks(run: Run, { snapshots }: DrillSource, names: readonly string[]): { readonly chosen: readonly ChosenSnapshot[]; readonly lacking: readonly string[]; readonly problems: readonly Problem[] } {
  const { dirlist: file, stacksDirectory } = run.configuration.docker
  const enabled = names.length > 0 ? [] : readDirlist({ file, stacksDirectory }).stacks.filter((stack) => stack.enabled).map(({ name }) => name)
  const held = new Set(snapshots.flatMap((snapshot) => stackOf(snapshot) ?? []))
  const wanted = names.length > 0 ? names : enabled.filter((name) => held.has(name))
  const { chosen, lacking, problems } = chooseSnapshots({
    snapshots,
    names: wanted,
    all: wanted.length === 0,
    snapshotId: undefined,
    host: undefined,
    ownHost: run.configuration.backup.hostname,
    switchedOff: [],
  })
  // A drill works as well with the snapshots of another host.
  return { chosen, lacking: [...lacking, ...enabled.filter((name) => !held.has(name))], problems: problems.filter(({ code }) => code !== 'other-host') }
}

/** Throws `guard` (7). One stack's files are there at a time, and for a moment a second copy of a few of them. */
function assertRoomFor({ bytes }: DrillSource, chosen: readonly ChosenSnapshot[], folder: string, keep: boolean): void {
  const sizes = chosen.map(({ snapshot }) => snapshot.bytes ?? 0)
  const files = keep ? sizes.reduce((sum, size) => sum + size, 0) : Math.max(0, ...sizes)
  assertFits([{ path: folder, needed: bytes + files, free: freeBytes(folder) }], 'Free space there, or set STACKBK_STATE_DIR to a larger disk')
}

function notDone(name: string, status: DrillStackReport['status']): DrillStackReport {
  return { name, snapshotId: null, dataAgeMs: null, recoveryMs: null, healthy: false, probe: 'skipped', filesCompared: 0, mismatches: 0, status }
}

