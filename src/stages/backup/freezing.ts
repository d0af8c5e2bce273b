import { done, type Answer, type Freezer, type FrozenCopy } from '@stackbk/contract'

import { problemFrom, StackbkError, type Problem } from '../../errors.js'
import { isWithin, mountPointOf, realPathSoFar } from '../../host/mounts.js'
import { stackKey } from '../../stacks/identity.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import { answerWithin } from './answer-within.js'
import { forgetFrozen, frozenRecordPath, frozenRecords, noteFrozen, type FrozenRecord } from './frozen-record.js'
import type { StackPlan } from './stack-plan.js'
import { lastGoodSnapshot } from './stack-snapshots.js'

/**
 * In milliseconds; for a disk that hangs, which must hold up neither the night nor a signal. To write out what waits in memory
 * and to remove a copy of millions of files takes its time; a copy is made in the window.
 */
const limits = { asking: 2 * 60_000, settling: 3 * 60_000, releasing: 60 * 60_000, releasingAfterAbort: 10_000 }

/** The freezer that a stack is read with. */
export interface ChosenFreezer {
  readonly id: string
  readonly freezer: Freezer
}

/**
 * The freezer for this stack, if one can freeze all that its snapshot will hold. `auto` takes one whose copies the engine
 * has to read anew only for a first backup, where all is read in any case; the others before those.
 *
 * A freezer that was asked for and cannot do it costs the stack a longer stop and not its backup: that is a warning.
 */
export async function chooseFreezer(run: Run, plan: StackPlan, repository: OpenRepository | null): Promise<{ readonly chosen: ChosenFreezer | null; readonly problems: readonly Problem[] }> {
  const wanted = run.configuration.stack(plan.stack.name).freeze
  if (wanted === 'none' || !plan.willStop) return { chosen: null, problems: [] }
  // One that could not be taken away when the run began, as was told: each night's would come to it, and fill the disk.
  if (!run.dryRun && frozenRecords(run.state.frozen).some(({ key }) => key === stackKey(plan.stack))) return { chosen: null, problems: [] }
  const holder = holderOfRepository(plan, repository)
  if (wanted !== 'auto') {
    const answer = holder === null ? await ask(run, wanted, plan, () => true) : repositoryWithin(holder)
    if (answer.ok) return { chosen: { id: wanted, freezer: answer.value }, problems: [] }
    const problem = problemFrom(answer.failure, { severity: 'warning', code: 'not-frozen', stack: plan.stack.name })
    return { chosen: null, problems: [{ ...problem, message: `read while it is stopped, and not from a frozen copy: ${problem.message}`, fix: problem.fix === '' ? 'Set FREEZE=auto for this stack' : problem.fix }] }
  }
  if (holder !== null) return { chosen: null, problems: [] }
  const isFirst = repository === null || lastGoodSnapshot(repository.snapshots, plan.stack.name, run.configuration.backup.hostname) === undefined
  let second: ChosenFreezer | null = null
  for (const id of run.freezerIds()) {
    const answer = await ask(run, id, plan, ({ keepsChangeTimes }) => keepsChangeTimes || isFirst)
    if (!answer.ok) {
      run.log('debug', 'not frozen', { stack: plan.stack.name, freezer: id, reason: answer.failure.message })
      continue
    }
    const chosen = { id, freezer: answer.value }
    if (answer.value.keepsChangeTimes) return { chosen, problems: [] }
    second ??= chosen
  }
  return { chosen: second, problems: [] }
}

/** The path that holds the repository: the engine would find, and write into, the copy of it. */
function holderOfRepository(plan: StackPlan, repository: OpenRepository | null): string | null {
  const path = repository?.repository.path ?? null
  if (path === null) return null
  const real = realPathSoFar(path)
  return plan.paths.find((holder) => isWithin(real, realPathSoFar(holder))) ?? null
}

function repositoryWithin(holder: string): Extract<Answer<never>, { ok: false }> {
  return { ok: false, failure: { kind: 'unsupported', message: `${holder} holds the repository, which has to stay where it is while the snapshot is made` } }
}

/** The freezer, if it pays and can do it. */
async function ask(run: Run, id: string, plan: StackPlan, pays: (freezer: Freezer) => boolean): Promise<Answer<Freezer>> {
  try {
    const freezer = await run.freezer(id)
    if (!pays(freezer)) return { ok: false, failure: { kind: 'unsupported', message: 'all would have to be read anew' } }
    const can = await answerWithin({ ms: limits.asking, signal: run.signal }, (signal) => freezer.canFreeze(plan.paths, { signal }))
    return can.ok ? { ok: true, value: freezer } : can
  } catch (error) {
    if (error instanceof StackbkError) return { ok: false, failure: { kind: 'unsupported', message: error.message, toolOutput: error.detail, fix: error.fix } }
    return { ok: false, failure: { kind: 'failed', message: `the freezer ${id} failed unexpectedly`, toolOutput: String(error) } }
  }
}

/** Lets the freezer do before the stop what need not wait for it. Never throws. */
export async function settleBefore(run: Run, plan: StackPlan, chosen: ChosenFreezer | null): Promise<void> {
  try {
    const { freezer } = chosen ?? {}
    if (freezer?.settle === undefined) return
    const settled = await answerWithin({ ms: limits.settling, signal: run.signal }, async (signal) => freezer.settle?.(plan.paths, { signal }) ?? done)
    if (!settled.ok) run.log('info', 'not all could be done before the stop', { stack: plan.stack.name, failure: settled.failure })
  } catch (error) {
    run.log('warning', 'a freezer failed before the stop', { stack: plan.stack.name, reason: String(error) })
  }
}

/**
 * Notes on disk that a copy is going to be there, before the stop. The answer makes the copy, within the window.
 *
 * Throws when it cannot be noted.
 */
export function readyToFreeze(run: Run, plan: StackPlan, { id, freezer }: ChosenFreezer): (signal: AbortSignal) => Promise<Answer<FrozenCopy>> {
  const key = stackKey(plan.stack)
  const label = `${run.id}${labelEnd(key)}`
  noteFrozen(run.state.frozen, { schemaVersion: 1, key, name: plan.stack.name, freezer: id, paths: plan.paths, mountPoints: plan.paths.map((path) => mountPointOf(path)) })
  // It tells of no progress, so this is what a stalled tool may take.
  const ms = run.configuration.backup.stallTimeoutMs
  return (signal) => answerWithin({ ms, signal }, (own) => freezer.freeze(plan.paths, { label, signal: own }))
}

/** Takes the copy away, and the note of it; what cannot be taken away is tried again by the next run. Never throws. */
export async function releaseFrozen(run: Run, plan: StackPlan, { freezer }: ChosenFreezer, copy: FrozenCopy): Promise<readonly Problem[]> {
  try {
    const released = await release(run, freezer, copy)
    if (!released.ok) return [copyLeft(plan.stack.name, problemFrom(released.failure).message)]
    forgetFrozen(run.state.frozen, stackKey(plan.stack))
    return []
  } catch (error) {
    return [copyLeft(plan.stack.name, String(error))]
  }
}

/** Takes away the frozen copies that a killed run has left. Never throws. */
export async function releaseLeftFrozen(run: Run): Promise<readonly Problem[]> {
  const problems: Problem[] = []
  for (const record of frozenRecords(run.state.frozen)) {
    try {
      problems.push(...(await releaseRecorded(run, record)))
    } catch (error) {
      problems.push(copyLeft(record.name, error instanceof Error ? error.message : String(error)))
    }
  }
  return problems
}

async function releaseRecorded(run: Run, record: FrozenRecord): Promise<readonly Problem[]> {
  // A disk that is not mounted shows no copy, and holds it. A path that is gone from a disk that is there does not.
  const elsewhere = record.paths.filter((path, index) => mountPointOf(path) !== record.mountPoints[index])
  if (elsewhere.length > 0) return [{ ...copyLeft(record.name, `${elsewhere.join(', ')} is not on the disk it was on`), fix: `Mount the disk, then run: stackbk resume; if it is gone for good, remove ${frozenRecordPath(run.state.frozen, record.key)}` }]
  const freezer = await run.freezer(record.freezer)
  const left = await answerWithin({ ms: limits.asking, signal: run.signal }, (signal) => freezer.leftovers(record.paths, { signal }))
  if (!left.ok) return [copyLeft(record.name, problemFrom(left.failure).message)]
  for (const copy of left.value.filter(({ label }) => label.endsWith(labelEnd(record.key)))) {
    const released = await release(run, freezer, copy)
    if (!released.ok) return [copyLeft(record.name, problemFrom(released.failure).message)]
    run.log('warning', 'released a frozen copy that an interrupted run had left', { stack: record.name, freezer: record.freezer })
  }
  forgetFrozen(run.state.frozen, record.key)
  return []
}

/** An interrupted run takes away what goes quickly, and leaves the rest to the next. */
function release(run: Run, freezer: Freezer, copy: FrozenCopy): Promise<Answer<void>> {
  return answerWithin({ ms: limits.releasing, signal: run.signal, afterAbortMs: limits.releasingAfterAbort }, (signal) => freezer.release(copy, { signal }))
}

/** By which all copies of one stack are known, of whatever run. */
function labelEnd(key: string): string {
  return `-${key}`
}

function copyLeft(stack: string, reason: string): Problem {
  return { severity: 'warning', code: 'frozen-copy-left', message: `a frozen copy of its files could not be taken away: ${reason}`, fix: 'The next run tries again; or run: stackbk resume', stack }
}
