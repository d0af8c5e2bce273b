import { join } from 'node:path'

import type { Runtime } from '@stackbk/contract'

import { errorFrom, type Problem } from '../errors.js'
import { removeTree } from '../host/remove-tree.js'
import { ensureFolder } from '../host/state-folder.js'
import { readDirlist } from '../stacks/dirlist.js'
import { cloudSource, localSource } from './drill/copy.js'
import type { DrillBody, DrillResult, DrillStackReport } from './drill/drill-result.js'
import { drillStack, partOf, type DrillContext, type StackDrill } from './drill/drill-stack.js'
import { freeNetworksFor, withNetworks } from './drill/networks.js'
import { diskNeeds, parallelDrills } from './drill/parallel.js'
import { noteDrill, rememberDrill, removeDrill, removeDrills, type DrillRecord } from './drill/record.js'
import { selectForDrill, withRoom } from './drill/selection.js'
import type { ChosenSnapshot } from './recover/choice.js'
import { freeBytes } from './recover/file-systems.js'
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
 * stack the newest good snapshot out of it, its containers renamed and shut in, its health, a probe, a sample of files. A stack that
 * cannot be drilled is reported, and the others are drilled. All of it is removed again, also by the next run after a kill.
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
  let outcome: Drilled
  try {
    ensureFolder(record.folder)
    outcome = await drillChosen(run, runtime, record, choices, problems)
    isKept = choices.keep && !run.signal.aborted
  } finally {
    if (isKept) noteDrill(run.state.drills, { ...record, kept: true })
    else problems.push(...(await removeDrill(run, record)))
  }
  const { source, stacks, codes } = outcome
  const status = statusOf(stacks)
  if (!run.signal.aborted) rememberDrill(run, { at: run.startedAt.toISOString(), source, status: lastStatus(stacks), stacks })
  const body: DrillBody = { source, stacks, kept: isKept ? { folder: record.folder, label } : null }
  return concluded(run, body, { status, problems, codes })
}

/** Returns `partial` where something came back, and something else did not or could not be proven. */
function statusOf(stacks: readonly DrillStackReport[]): 'ok' | 'partial' | 'failed' {
  if (stacks.every(({ status }) => status === 'ok')) return 'ok'
  return stacks.some(({ status }) => status === 'ok' || status === 'partial') ? 'partial' : 'failed'
}

function lastStatus(stacks: readonly DrillStackReport[]): 'ok' | 'partial' | 'failed' {
  return stacks.some(({ status }) => status === 'failed' || status === 'skipped') ? 'failed' : statusOf(stacks)
}

interface Drilled {
  readonly source: string
  readonly stacks: readonly DrillStackReport[]
  /** Exit codes that apply, besides that of the status. */
  readonly codes: readonly number[]
}

async function drillChosen(run: Run, runtime: Runtime, { label, folder }: DrillRecord, choices: DrillChoices, problems: Problem[]): Promise<Drilled> {
  const from = choices.local ? await localSource(run) : await cloudSource(run, join(folder, 'copy'))
  const { source } = from
  const { dirlist: file, stacksDirectory } = run.configuration.docker
  const selection = selectForDrill({ snapshots: from.snapshots, source, isLocal: choices.local, ownHost: run.configuration.backup.hostname, names: choices.names, listed: readDirlist({ file, stacksDirectory }).stacks })
  const free = await freeNetworksFor(run, runtime, label)
  const fitting = withRoom(selection, { folder, free: freeBytes(folder), copyBytes: from.bytes, keep: choices.keep })
  const { chosen, notDrilled, problems: ofChoice } = await withNetworks(run, runtime, fitting, free)
  problems.push(...ofChoice, ...notDrilled.map(({ problem }) => problem))
  const fetchingAt = performance.now()
  const engine = await from.fetch()
  run.reporter.stacks(chosen.map(({ stack }) => stack))
  const fetchMs = performance.now() - fetchingAt
  const parallel = parallelDrills(run, runtime, { chosen: chosen.length, freeDisk: freeBytes(folder), freeNetworks: free?.count ?? null })
  const drilled = await drillAll(run, { runtime, engine, label, folder, fetchMs, parallel }, chosen, choices.keep)
  problems.push(...drilled.flatMap((one) => one.problems))
  return {
    source,
    stacks: [...notDrilled.map(({ name }) => notDone(name, 'failed')), ...drilled.map(({ report }) => report)],
    codes: [...notDrilled.map(({ code }) => code), ...drilled.map(({ code }) => code)],
  }
}

type Context = Omit<DrillContext, 'run'>

type Done = Pick<StackDrill, 'report' | 'problems' | 'code'>

/** Several at the same time, as far as the host allows it. Returns when all of them have ended, in the order of the stacks. */
async function drillAll(run: Run, context: Context, chosen: readonly ChosenSnapshot[], keep: boolean): Promise<readonly Done[]> {
  const results = await Promise.allSettled(chosen.map((one) => drillInTurn(run, context, one, keep)))
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

async function drillInTurn(run: Run, context: Context, one: ChosenSnapshot, keep: boolean): Promise<Done> {
  const skipped: Done = { report: notDone(one.stack, 'skipped'), problems: [], code: 0 }
  const share = await context.parallel.untilMayBegin(diskNeeds(one, run.configuration.drill.sampleFiles), { signal: run.signal }).catch(() => null)
  if (share === null) return skipped
  let done: StackDrill | null = null
  try {
    done = await drillStack({ run, ...context }, one)
    const { report, problems } = done
    run.reporter.stackDone(one.stack, { status: report.status, summary: problems.find(({ severity }) => severity === 'error')?.message ?? '' })
  } catch (error) {
    if (!run.signal.aborted) throw error
  } finally {
    // The next stack has the room, and the memory, of this one.
    const left = keep ? [] : await removeStack(run, context, one.stack)
    done = done === null ? null : { ...done, problems: [...done.problems, ...left] }
    if (done !== null) run.log('info', 'drilled', { stack: one.stack, status: done.report.status })
    done?.turn?.release({ kept: keep })
    share.release({ kept: keep })
  }
  return done ?? skipped
}

/** What cannot be removed keeps no other stack from being drilled: the end of the drill tries again. */
async function removeStack(run: Run, { runtime, label, folder }: Pick<DrillContext, 'runtime' | 'label' | 'folder'>, stack: string): Promise<readonly Problem[]> {
  const removed = runtime.removePart === undefined ? await runtime.removeByLabel(label) : await runtime.removePart(label, partOf(stack))
  if (!removed.ok) run.log('warning', removed.failure.message, { stack, toolOutput: removed.failure.toolOutput })
  const [remaining] = await removeTree(join(folder, partOf(stack)))
  return remaining === undefined ? [] : [{ severity: 'warning', code: 'drill-left', message: `files of the drill of ${stack} could not be removed: ${remaining.path}: ${remaining.reason}`, fix: `Remove ${folder} by hand if it stays`, stack }]
}

function notDone(name: string, status: DrillStackReport['status']): DrillStackReport {
  return { name, snapshotId: null, dataAgeMs: null, recoveryMs: null, healthy: false, probe: 'skipped', filesCompared: 0, mismatches: 0, status }
}

