import { join } from 'node:path'

import type { Engine, Snapshot } from '@stackbk/contract'

import { errorFrom, exitCodes, StackbkError, type Problem } from '../errors.js'
import { ensureWritable } from '../host/state-folder.js'
import { realPathSoFar } from '../host/mounts.js'
import { stackMemories } from '../stacks/stack-memory.js'
import { readDirlist } from '../stacks/dirlist.js'
import { marksOf } from './backup/stack-snapshots.js'
import { chooseSnapshots, type Choice } from './recover/choice.js'
import { assertFree, extractOnly } from './recover/extract-only.js'
import { planRecoveries, type RecoveryPlan } from './recover/plan.js'
import { beginRecovery, recoverStack, type BegunRecovery, type RecoverStackContext } from './recover/recover-stack.js'
import { listMoved } from './recover/moved-entries.js'
import { movedFromOf, type RecoveredStack, type RecoverResult } from './recover/recover-result.js'
import { replaceQuestion } from './recover/replace-question.js'
import { assertFolder } from './recover/relocation.js'
import { assertRoom } from './recover/room.js'
import { takeReadyTools } from './ready-tools.js'
import { withPendingMarks } from './pending-marks.js'
import { madeAfter } from './dated-too-early.js'
import { openRepository, repositoryLock, stacksLock, withinSilence } from './repository.js'
import { concluded, type Outcome } from './result.js'
import { removeStaleLocks, replayJournal } from './resume.js'
import type { Run } from './run.js'

export interface RecoverChoices {
  readonly names: readonly string[]
  readonly all: boolean
  readonly snapshot: string | undefined
  readonly host: string | undefined
  /** A repository's folder; undefined: the configured repository. */
  readonly repository: string | undefined
  /** Takes the configured repository as it is, whatever was known of it before. Absent: another one is refused. */
  readonly acceptRepository?: boolean
  readonly path: string | undefined
  readonly service: string | undefined
  /** Extract only, to below this folder. */
  readonly target: string | undefined
  readonly noStart: boolean
  readonly overwrite: boolean
  readonly hostVolumes: boolean
  /** Make external networks and volumes that are not here. */
  readonly createExternal: boolean
  /** The folder in which the stacks' folders are to be. */
  readonly into: string | undefined
  readonly ignoreSpace: boolean
  /** Asks whether what is there may be replaced; throws where that is not granted. */
  readonly confirm: (question: string) => Promise<void>
}

/**
 * From a repository to running stacks. All stacks are looked at before the first one is touched; then one after another.
 *
 * Throws before anything is touched: `usage`, `busy`, `tool-...`, `repository-...`, `wrong-password`, `guard` (no room).
 */
export async function recover(run: Run, choices: RecoverChoices): Promise<Outcome<RecoverResult>> {
  const configured = await run.engine()
  const engine = choices.repository === undefined ? configured : configured.at(choices.repository)
  assertChoicesFit(choices)
  if (choices.target !== undefined) return await extract(run, engine, choices, choices.target)
  const runtime = await run.runtime()
  await run.lock(stacksLock(run), repositoryLock(engine))
  const replay = await replayJournal(run)
  if (!run.dryRun) ensureWritable(run.state)
  await takeReadyTools(run, runtime, engine)

  const choice = await chosen(run, engine, choices)
  if ((choices.path ?? choices.service) !== undefined && choice.chosen.length !== 1) throw severalStacks(choices)
  run.reporter.step(choice.chosen.length === 1 ? 'inspecting the stack' : 'inspecting the stacks')
  const services = choices.service === undefined ? [] : [choices.service]
  const plans = await planRecoveries(choice.chosen, { run, engine, runtime, services, allowHostVolumes: choices.hostVolumes, createExternal: choices.createExternal, overwrite: choices.overwrite, noStart: choices.noStart, path: choices.path, into: choices.into })
  const ready = plans.filter(({ isBlocked }) => !isBlocked)
  if (!choices.ignoreSpace && !choices.overwrite) await assertRoom(engine, ready, run.signal)
  const problems: Problem[] = [...replay.problems, ...choice.problems]
  const refused = [...plans.filter(({ isBlocked }) => isBlocked).map(blocked), ...choice.lacking.map((name) => lacking(name, choice))]
  if (run.dryRun) return concludeRecovery(run, [...ready.map(rehearsed), ...refused], problems)
  for (const { message } of refused.flatMap((stack) => stack.problems)) run.reporter.warning(message)
  await confirmReplacing(ready, choices)
  await removeStaleLocks(run, replay.leftovers)

  run.reporter.stacks(ready.map(({ name }) => name))
  const context = { run, runtime, engine, repository: choices.repository === undefined ? null : realPathSoFar(choices.repository), services, noStart: choices.noStart, overwrite: choices.overwrite, allowHostVolumes: choices.hostVolumes, createExternal: choices.createExternal }
  const stacks = await recoverAll(ready, context)
  const unlisted = await listMoved(run, stacks)
  return concludeRecovery(run, [...stacks, ...refused], [...problems, ...unlisted, ...entriesMissing(run, stacks.filter(({ name }) => !unlisted.some(({ stack }) => stack === name)))])
}

/** One after another; while one is made and starts, the files of the next come out of their snapshot. */
async function recoverAll(plans: readonly RecoveryPlan[], context: RecoverStackContext): Promise<readonly RecoveredStack[]> {
  const { run } = context
  const stacks: RecoveredStack[] = []
  let ahead: BegunRecovery | null = null
  for (const [index, plan] of plans.entries()) {
    if (run.signal.aborted && ahead === null) {
      stacks.push({ ...rehearsed(plan), status: 'skipped' })
      continue
    }
    const begun: BegunRecovery = ahead ?? beginRecovery(plan, context)
    await begun.extracted
    const next = plans[index + 1]
    ahead = next === undefined || run.signal.aborted ? null : beginRecovery(next, context)
    const stack = await recoverStack(begun, context)
    stacks.push(stack)
    run.reporter.stackDone(stack.name, { status: stack.status, summary: stack.problems.find(({ severity }) => severity === 'error')?.message ?? '' })
  }
  return stacks
}

/** A stack that was entered by a link is in its real folder again, and the link was no part of it. */
function entriesMissing(run: Run, stacks: readonly RecoveredStack[]): readonly Problem[] {
  const { dirlist: file, stacksDirectory } = run.configuration.docker
  const listed = readDirlist({ file, stacksDirectory }).stacks
  return stacks
    .filter(({ status, directory }) => (status === 'ok' || status === 'partial') && !listed.some(({ stack }) => stack?.directory === directory))
    .map(({ name, directory }): Problem => {
      const entry = join(stacksDirectory, name)
      const isLink = listed.some(({ path, lines }) => path === entry && lines.length > 0)
      return { severity: 'warning', code: 'not-an-entry', message: `no entry leads to ${directory}, so the next backup does not take ${name}`, fix: isLink ? `It was a link: ln -s ${directory} ${entry}` : `Run: stackbk dirlist add ${directory}`, stack: name }
    })
}

/** Out of the snapshots to below a folder: no container is asked for. */
async function extract(run: Run, engine: Engine, choices: RecoverChoices, target: string): Promise<Outcome<RecoverResult>> {
  const replay = await replayJournal(run)
  const ready = await engine.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  const choice = await chosen(run, engine, choices)
  if (choices.path !== undefined && choice.chosen.length !== 1) throw severalStacks(choices)
  const stacks = await extractOnly(run, engine, { chosen: choice.chosen, target, path: choices.path, overwrite: choices.overwrite, ignoreSpace: choices.ignoreSpace })
  return concludeRecovery(run, [...stacks, ...choice.lacking.map((name) => lacking(name, choice))], [...replay.problems, ...choice.problems])
}

/** Throws `usage` for choices that contradict each other, and for folders that cannot be used: before anything is asked or opened. */
export function assertChoicesFit({ path, service, target, into, noStart, overwrite }: Omit<RecoverChoices, 'repository' | 'confirm'>): void {
  const refused = (message: string, fix: string): StackbkError => new StackbkError({ kind: 'usage', code: 'flags-contradict', message, fix })
  if (path !== undefined && service !== undefined) throw refused('--path and --service are both given', 'Give one of them')
  if (target !== undefined && service !== undefined) throw refused('--service brings data to where its containers have it, and --target extracts elsewhere', 'Extract a part with --path, or leave out --target')
  if (target !== undefined && into !== undefined) throw refused('--target extracts files only, and --into recovers stacks to another folder', 'Give one of them')
  if (into !== undefined) assertFolder(into)
  if (target !== undefined && noStart) throw refused('with --target nothing is started anyway', 'Leave out --no-start')
  if (target !== undefined && !overwrite) assertFree(target)
}

function severalStacks({ path }: RecoverChoices): StackbkError {
  return new StackbkError({ kind: 'usage', code: 'one-stack', message: `${path === undefined ? '--service' : '--path'} is for one stack`, fix: 'Name it' })
}

async function chosen(run: Run, engine: Engine, choices: RecoverChoices): Promise<Choice> {
  const { snapshots, repositoryId } = await snapshotsOf(run, engine, choices)
  const memories = stackMemories(run.state.stacks)
  return chooseSnapshots({
    snapshots,
    ...(repositoryId === null ? {} : { madeAfter: (newest) => madeAfter(run, { newest, snapshots, repositoryId, memories }) }),
    names: choices.names,
    all: choices.all,
    snapshotId: choices.snapshot,
    host: choices.host,
    ownHost: run.configuration.backup.hostname,
    switchedOff: switchedOff(run),
  })
}

/** The configured one is remembered as every opening of it is; one that was named is only read. */
async function snapshotsOf(run: Run, engine: Engine, { repository, acceptRepository }: RecoverChoices): Promise<{ readonly snapshots: readonly Snapshot[]; readonly repositoryId: string | null }> {
  if (repository === undefined) {
    const opened = await openRepository(run, { mayInit: false, accept: acceptRepository === true })
    return { snapshots: opened?.snapshots ?? [], repositoryId: opened?.repository.id ?? null }
  }
  const found = await withinSilence(run, engine, (signal) => engine.snapshots({}, { signal }))
  if (!found.ok) throw errorFrom(found.failure)
  return { snapshots: withPendingMarks(found.value, run.state.marks), repositoryId: null }
}

/** On a bare host there may be no dirlist: then nothing is switched off. */
function switchedOff(run: Run): readonly string[] {
  const { dirlist: file, stacksDirectory } = run.configuration.docker
  return readDirlist({ file, stacksDirectory }).stacks.filter(({ enabled, lines }) => !enabled && lines.length > 0).map(({ name }) => name)
}

async function confirmReplacing(plans: readonly RecoveryPlan[], choices: RecoverChoices): Promise<void> {
  const replaced = plans.filter(({ present }) => present.length > 0)
  if (replaced.length === 0) return
  await choices.confirm(replaceQuestion(replaced, choices))
}

function concludeRecovery(run: Run, stacks: readonly RecoveredStack[], problems: readonly Problem[]): Outcome<RecoverResult> {
  const all = [...problems, ...stacks.flatMap((stack) => stack.problems)]
  const failed = stacks.filter(({ status }) => status === 'failed').length
  const isWhole = stacks.every(({ status }) => status === 'ok') && problems.every(({ severity }) => severity === 'warning')
  const status = isWhole ? 'ok' : failed === stacks.length ? 'failed' : 'partial'
  const codes = all.filter(({ severity }) => severity === 'error').map(({ code }) => exitCodes.ofCode(code))
  return concluded(run, { stacks }, { status, problems: all, codes: [...codes.filter((code) => code !== 1), status === 'ok' ? 0 : status === 'partial' ? 3 : 1] })
}

function bare(plan: RecoveryPlan): Omit<RecoveredStack, 'status' | 'problems'> {
  const { name, directory, snapshot, changes } = plan
  return { name, directory, ...movedFromOf(plan), snapshotId: snapshot.id, files: 0, bytes: 0, started: false, healthy: false, changes }
}

function rehearsed(plan: RecoveryPlan): RecoveredStack {
  return { ...bare(plan), status: 'ok', problems: plan.problems }
}

function blocked(plan: RecoveryPlan): RecoveredStack {
  return { ...bare(plan), status: 'failed', problems: plan.problems }
}

function lacking(name: string, { host, marked }: Choice): RecoveredStack {
  const newest = marked?.get(name)
  const which = newest === undefined ? '' : `. The newest is ${newest.id.slice(0, 8)} of ${newest.time}, marked ${marksOf(newest).join(', ')}`
  const problem: Problem = { severity: 'error', code: 'no-whole-snapshot', message: `${name} has no complete snapshot of the host ${host}: all are marked partial or shrunk${which}`, fix: `Choose one of them: stackbk snapshots ${name}, then: stackbk recover ${name} --snapshot ${newest?.id.slice(0, 8) ?? 'ID'}`, stack: name }
  return { name, directory: '', snapshotId: null, files: 0, bytes: 0, started: false, healthy: false, changes: null, status: 'failed', problems: [problem] }
}
