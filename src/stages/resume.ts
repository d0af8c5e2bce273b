import { type Answer, type Runtime, stopGraceOf, type StackState } from '@stackbk/contract'

import { problemFrom, StackbkError, type Problem } from '../errors.js'
import { endLeftovers, type Leftovers } from '../host/child-record.js'
import { realPathSoFar } from '../host/mounts.js'
import type { DamagedEntry, JournalEntry } from '../stacks/journal.js'
import { isAlive, runningServices } from '../stacks/running.js'
import { releaseLeftFrozen } from './backup/freezing.js'
import { describeLost, findLostSources, isAnythingLost, isRemounted, wasRebootedSince } from './backup/lost-sources.js'
import { startAndConfirm } from './backup/stack-window.js'
import { notYetHealthy, whyNotUp } from './backup/judging.js'
import { removeDrills } from './drill/record.js'
import { concluded, type Outcome, type ResultHeader } from './result.js'
import { stacksLock } from './repository.js'
import { RecoveryRecords } from './recover/record.js'
import { replayRecoveries } from './recover/replay.js'
import { rebuiltEntry } from './resume/rebuilt-entry.js'
import type { Run } from './run.js'

/** How long the engine may take to finish stops that a dead client has begun: their grace, and some. */
const settleMarginMs = 30_000

export interface ResumedStack {
  readonly name: string
  readonly servicesBefore: readonly string[]
  readonly action: 'started' | 'already-running' | 'waiting' | 'discarded'
  readonly status: 'ok' | 'failed'
}

export interface ResumeBody {
  readonly stacks: readonly ResumedStack[]
}

export type ResumeResult = ResultHeader & ResumeBody

export interface ResumeChoices {
  /** Start this stack whatever has been changed since. */
  readonly force?: string | undefined
  /** Forget that this stack was stopped by us. */
  readonly discard?: string | undefined
}

export interface Replay {
  readonly stacks: readonly ResumedStack[]
  readonly problems: readonly Problem[]
  readonly leftovers: Leftovers
}

/** `resume`: starts the stacks that an interrupted run left stopped. */
export async function resume(run: Run, choices: ResumeChoices): Promise<Outcome<ResumeResult>> {
  await run.lock(stacksLock(run))
  const replay = await replayJournal(run, choices)
  await removeStaleLocks(run, replay.leftovers)
  const failed = replay.stacks.filter((stack) => stack.status === 'failed').length
  const isClean = failed === 0 && replay.problems.every((problem) => problem.severity === 'warning')
  const status = isClean ? 'ok' : failed < replay.stacks.length ? 'partial' : 'failed'
  return concluded(run, { stacks: replay.stacks }, { status, problems: replay.problems })
}

/**
 * What every command that changes something does first: ends tools that outlived a killed run, then starts what that run
 * left stopped. One stack's trouble never keeps another from being started. What it finds is part of the command's result,
 * its status and its exit code, also where the command itself does not use the answer.
 *
 * Throws (kind `busy`) when another run uses the same state folder, (kind `tool-...`) when stacks wait and the container
 * runtime does not answer.
 */
export async function replayJournal(run: Run, choices: ResumeChoices = {}): Promise<Replay> {
  const replay = await replayAll(run, choices)
  run.replayed.problems = replay.problems
  return replay
}

async function replayAll(run: Run, choices: ResumeChoices): Promise<Replay> {
  if (run.dryRun) return { stacks: [], problems: waitingInDryRun(run), leftovers: { deadRuns: [], ended: [], processes: new Set(), interruptedStarts: [], forget: () => {} } }
  // What a run that is still at work has stopped is its own to start, whatever else the two have in common.
  await run.lock({ kind: 'journal', id: realPathSoFar(run.state.root) })
  run.telling.begin()
  const leftovers = await endLeftovers(run.state.children)
  for (const leftover of leftovers.ended) run.log('warning', 'ended a tool that outlived its run', { ...leftover })

  let replay: Omit<Replay, 'leftovers'> | null = null
  try {
    replay = await replayEntries(run, choices)
  } finally {
    // What is stopped is started first, and whatever comes of that is part of what is told.
    await run.telling.catchUp(replay?.stacks ?? [], run.journal.waiting())
  }
  // Only now, with the tools ended that may have read them.
  return { stacks: replay.stacks, problems: [...replay.problems, ...(await releaseLeftFrozen(run)), ...(await removeDrills(run, { keptToo: false }))], leftovers }
}

async function replayEntries(run: Run, choices: ResumeChoices): Promise<Omit<Replay, 'leftovers'>> {
  const recoveries = new RecoveryRecords(run.state.recoveries)
  recoveries.removeHalves()
  run.journal.removeHalves()
  if (run.journal.isEmpty() && recoveries.isEmpty()) {
    const [name] = [choices.force, choices.discard].filter((one) => one !== undefined)
    if (name !== undefined) throw noSuchEntry(name, [])
    return { stacks: [], problems: [] }
  }

  const runtime = await run.runtime()
  const waiting = [...new Set([...run.journal.waiting(), ...recoveries.content().records.map(({ name }) => name)])]
  const ready = await runtime.ready()
  if (!ready.ok) throw waitingFor(waiting, ready.failure.message, ready.failure.kind)
  // Also where another configuration leads to the same engine: two runs must not start and stop the same containers.
  const identity = await runtime.identity()
  if (!identity.ok) throw waitingFor(waiting, identity.failure.message, identity.failure.kind)
  await run.lock({ kind: 'engine', id: identity.value.id })

  // First: what a recovery has put in place of a stack's files is no stack that the journal knows.
  const recovered = await replayRecoveries(run, runtime, choices.discard)
  const problems: Problem[] = [...recovered.problems]
  const content = run.journal.content()
  const readable = content.entries.filter(({ key }) => !recovered.held.includes(key))
  const damaged = content.damaged.filter(({ key }) => !recovered.held.includes(key))
  const rebuilt = await Promise.all(damaged.map((entry) => rebuiltEntry(run, runtime, entry, problems).catch((error: unknown) => notRebuilt(entry, error, problems))))
  const entries = [...readable, ...rebuilt.filter((entry) => entry !== null)]
  for (const name of [choices.force, choices.discard]) {
    if (name !== undefined && ![...entries, ...recovered.stacks].some((entry) => entry.name === name)) throw noSuchEntry(name, entries, problems)
  }
  const stacks: ResumedStack[] = recovered.stacks.flatMap(({ name, servicesBefore, action, status }) => (action === null ? [] : [{ name, servicesBefore, action, status }]))
  const attempts: { readonly entry: JournalEntry; readonly attempt: Attempt }[] = []
  for (const entry of entries) attempts.push({ entry, attempt: await attemptReplay(run, runtime, entry, choices) })
  for (const { entry, attempt } of attempts) {
    // With all others up, what could not be started is tried once more: a port or an address may be free by now.
    const isWorthwhile = attempt.problems.some(({ code }) => code === 'not-up')
    const { stack, problems: found } = isWorthwhile ? await attemptReplay(run, runtime, entry, choices) : attempt
    stacks.push(stack)
    problems.push(...found)
  }
  return { stacks, problems }
}

interface Attempt {
  readonly stack: ResumedStack
  readonly problems: readonly Problem[]
}

/** Never throws: a provider that throws against its contract must not keep the other stacks down. */
async function attemptReplay(run: Run, runtime: Runtime, entry: JournalEntry, choices: ResumeChoices): Promise<Attempt> {
  const problems: Problem[] = []
  try {
    return { stack: await replayEntry(run, runtime, entry, choices, problems), problems }
  } catch (error) {
    run.log('error', 'an error ended the attempt to bring it back', { stack: entry.name, reason: String(error) })
    problems.push({ severity: 'error', code: 'not-up', message: `${entry.name} could not be brought back: ${String(error)}`, fix: 'Run: stackbk resume', stack: entry.name })
    return { stack: { name: entry.name, servicesBefore: runningServices(entry.state), action: 'waiting', status: 'failed' }, problems }
  }
}

/** A full disk, say, which must not keep the other stacks down. */
function notRebuilt({ key, reason }: DamagedEntry, error: unknown, problems: Problem[]): null {
  problems.push({ severity: 'error', code: 'journal-damaged', message: `a journal entry (${key}) cannot be read: ${reason}; and it could not be made up: ${String(error)}`, fix: 'Free space in the state folder, then run: stackbk resume' })
  return null
}

/** Locks that a killed engine left in the repository are removed where a run of ours has died; others are left alone. Never fails. */
export async function removeStaleLocks(run: Run, leftovers: Leftovers): Promise<void> {
  if (leftovers.deadRuns.length === 0) return
  const engine = await run.engine().catch(() => null)
  const report = await engine?.removeStaleLocks({ processes: leftovers.processes, interruptedStarts: leftovers.interruptedStarts })
  if (report?.ok !== true) return
  // A lock that is held may be one of theirs, of a process that the system has not buried yet: the next run looks again.
  if (report.value.held.length === 0) leftovers.forget()
  run.log('info', 'stale locks of the repository', { ...report.value })
}

async function replayEntry(run: Run, runtime: Runtime, entry: JournalEntry, choices: ResumeChoices, problems: Problem[]): Promise<ResumedStack> {
  const servicesBefore = runningServices(entry.state)
  const stack = (action: ResumedStack['action'], status: ResumedStack['status']): ResumedStack => ({ name: entry.name, servicesBefore, action, status })
  const complain = (code: string, message: string, fix: string): void => {
    problems.push({ severity: 'error', code, message, fix, stack: entry.name })
    run.log('error', message, { stack: entry.name })
  }

  if (choices.discard === entry.name) {
    run.journal.remove(entry.key)
    run.log('warning', 'journal entry discarded', { stack: entry.name })
    return stack('discarded', 'ok')
  }
  run.reporter.notice(`${entry.name} was left stopped by an interrupted run: starting it`)
  // With the machine, every stop that was under way has ended.
  const isAfterReboot = wasRebootedSince(entry)
  const settled: Answer<void> = isAfterReboot ? { ok: true, value: undefined } : await runtime.waitUntilSettled(entry.state, stopsOf(entry))
  if (!settled.ok && settled.failure.kind === 'timed-out' && choices.force !== entry.name) {
    complain('stop-under-way', `${entry.name} is not started yet: ${settled.failure.message}`, `Wait until it has ended (docker ps), then run: stackbk resume`)
    return stack('waiting', 'failed')
  }
  if (!settled.ok) problems.push(problemFrom(settled.failure, { severity: 'warning', stack: entry.name }))

  const found = await findLostSources(entry)
  const lost = { ...found, moved: await withoutOwnMounts(runtime, entry, found.moved) }
  if (isAnythingLost(lost) && choices.force !== entry.name) {
    const { what, fix } = describeLost(lost, entry.name)
    const isAnotherDisk = lost.gone.length === 0 && lost.moved.every((path) => isRemounted(entry, path))
    complain('source-moved', `${entry.name} is not started: ${what}`, isAnotherDisk ? `If what is mounted there now is the right disk, run: stackbk resume --force ${entry.name}` : fix)
    return stack('waiting', 'failed')
  }
  const look = await runtime.inspect([entry.directory])
  const now = look.ok ? look.value[0] : undefined
  if (now === undefined || now.condition === 'unknown') {
    complain('state-unknown', `the state of ${entry.name} could not be read`, 'Run: stackbk resume')
    return stack('waiting', 'failed')
  }
  const wasUp = runsAsBefore(entry.state, now)
  const changes = wasUp || choices.force === entry.name ? [] : await changesSince(runtime, entry, now)
  if (changes.length > 0) {
    complain(
      'changed-since',
      `${entry.name} is not started, because it has been changed since it was stopped: ${changes.join('; ')}`,
      `Run: stackbk resume --force ${entry.name} (start it all the same), or --discard ${entry.name} (leave it as it is)`,
    )
    return stack('waiting', 'failed')
  }

  const { start, up } = await startAndConfirm(entry, wasUp ? new Date(0) : new Date(entry.writtenAt), {
    runtime,
    journal: run.journal,
    log: run.log,
    onPhase: (phase, progress) => run.reporter.stackPhase(entry.name, phase, progress),
    onStarting: () => {},
  })
  if (up.ok && up.value.isUp) {
    problems.push(...notYetHealthy(entry.name, up.value))
    return stack(wasUp ? 'already-running' : 'started', 'ok')
  }
  complain('not-up', `${entry.name} could not be brought back: ${whyNotUp({ start, up })}`, `Start it by hand (docker compose up -d in ${entry.directory}), then run: stackbk resume`)
  return stack('waiting', 'failed')
}

/** Entries of earlier versions also name what only the stack itself mounts, which is gone for as long as it is down. */
async function withoutOwnMounts(runtime: Runtime, entry: JournalEntry, moved: readonly string[]): Promise<readonly string[]> {
  if (moved.length === 0 || entry.graceSeconds !== undefined) return moved
  try {
    const sources = await runtime.sources(entry.state)
    return sources.ok ? moved.filter((path) => !sources.value.some((source) => source.path === path && source.isMountedByStack === true)) : moved
  } catch {
    return moved
  }
}

/** How long stops of this entry may still be under way. In entries of earlier versions the containers' own grace is all that is known. */
function stopsOf({ state, graceSeconds, healthTimeoutMs }: JournalEntry): { readonly timeoutMs: number; readonly graceSeconds?: number } {
  const containers = [...state.projects.flatMap((project) => project.containers), ...state.dependents]
  const longestMs = 1000 * Math.max(0, ...containers.map((container) => stopGraceOf(container, graceSeconds)))
  return { timeoutMs: Math.max(healthTimeoutMs, longestMs) + settleMarginMs, ...(graceSeconds === undefined ? {} : { graceSeconds }) }
}

/** Every service has at least as many containers running as before. */
function runsAsBefore(before: StackState, now: StackState): boolean {
  const count = (state: StackState): Map<string, number> => {
    const counts = new Map<string, number>()
    for (const project of state.projects) {
      for (const container of project.containers) {
        if (!isAlive(container)) continue
        const name = `${project.name} ${container.service} ${container.condition === 'paused' ? 'paused' : 'running'}`
        counts.set(name, (counts.get(name) ?? 0) + 1)
      }
    }
    return counts
  }
  const running = count(now)
  return [...count(before)].every(([name, wanted]) => (running.get(name) ?? 0) >= wanted)
}

/** What somebody has changed since our stop, as sentences; empty when a start gives back what ran. */
async function changesSince(runtime: Runtime, entry: JournalEntry, now: StackState): Promise<readonly string[]> {
  const recorded = new Map(entry.state.projects.flatMap((project) => project.containers).map((container) => [container.id, container]))
  const present = now.projects.flatMap((project) => project.containers)
  const hashes = new Set([...recorded.values()].map((container) => container.configHash))
  const changes = present
    .filter((container) => !recorded.has(container.id) && !hashes.has(container.configHash))
    .map((container) => `${container.name} was made since with another configuration`)

  const missing = [...recorded.values()].filter((container) => isAlive(container) && !present.some(({ id }) => id === container.id))
  if (entry.mode !== 'down') return [...changes, ...missing.map((container) => `${container.name} was removed`)]
  if (missing.length === 0) return changes
  // Nothing is taken down any more: what others do meanwhile is no change of this stack.
  const preflight = await runtime.preflight(entry.state, { stopMode: 'stop' })
  if (!preflight.ok) return [...changes, preflight.failure.message]
  const { model, missingImages, whyNotDown } = preflight.value
  if (!model.ok) changes.push(problemFrom(model.failure).message)
  changes.push(...missingImages.map((image) => `the image ${image} is gone`))
  changes.push(...whyNotDown.filter((reason) => !entry.whyNotDown.includes(reason)))
  return changes
}

function waitingInDryRun(run: Run): Problem[] {
  const recoveries = new RecoveryRecords(run.state.recoveries).content().records.map(({ name }): Problem => ({
    severity: 'warning',
    code: 'recovery-unfinished',
    message: `the recovery of ${name} was cut short; the real run would finish or undo it first`,
    fix: 'Run: stackbk resume',
    stack: name,
  }))
  const stopped = run.journal.waiting().map((name): Problem => ({
    severity: 'warning',
    code: 'left-stopped',
    message: `${name} was left stopped by an interrupted run; the real run would start it first`,
    fix: 'Run: stackbk resume',
    stack: name,
  }))
  return [...recoveries, ...stopped]
}

function waitingFor(names: readonly string[], why: string, kind: StackbkError['kind']): StackbkError {
  return new StackbkError({
    kind,
    message: `${names.join(', ')} wait to be started, and the container runtime cannot be used`,
    detail: why,
    fix: 'Mend that, then run: stackbk resume',
  })
}

function noSuchEntry(name: string, entries: readonly JournalEntry[], problems: readonly Problem[] = []): StackbkError {
  const names = entries.map((entry) => entry.name)
  return new StackbkError({
    kind: 'usage',
    code: 'unknown-stack',
    message: `no interrupted run has left a stack called "${name}" stopped`,
    ...(problems.length === 0 ? {} : { detail: problems.map(({ message }) => message).join('; '), problems }),
    fix: names.length > 0 ? `Waiting are: ${names.join(', ')}` : 'Nothing waits',
  })
}
