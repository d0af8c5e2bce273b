import type { PossibleWriter, Runtime } from '@stackbk/contract'

import { counted } from '../counted.js'
import { errorFrom, exitCodes, StackbkError, type Problem } from '../errors.js'
import { ensureWritable } from '../host/state-folder.js'
import type { Dirlist } from '../stacks/dirlist.js'
import { selectStacks, type Selection } from '../stacks/selection.js'
import { stackKey, type Stack } from '../stacks/identity.js'
import { recallStack, rememberStack } from '../stacks/stack-memory.js'
import { runningServices } from '../stacks/running.js'
import { previewOf } from './backup/backup-preview.js'
import { emptyDraft, filesIn, reportOf, type BackupBody, type BackupResult, type StackDraft } from './backup/backup-result.js'
import { guardAgainstShrinking, makePendingMarks, markSnapshot, recordMarks } from './backup/marking.js'
import { chooseFreezer } from './backup/freezing.js'
import { reservedPlaces } from './backup/reserved-places.js'
import { applyRetention } from './backup/retention.js'
import { abandonStack, backUpStack, prepareStack, type ReadyStack, type StackBackupContext } from './backup/stack-backup.js'
import { planStack, type RequestedStopMode } from './backup/stack-plan.js'
import { startOnceMore } from './backup/second-start.js'
import { confirmSteady } from './backup/steadiness.js'
import { oweVerification, verifySnapshots } from './backup/verification.js'
import { ignoreLabel, named, possibleWriters } from './backup/writers.js'
import { removeWarmSnapshots } from './backup/warm-pass.js'
import { publishForgotten } from './forgotten-ledger.js'
import { takeReadyTools } from './ready-tools.js'
import { openRepository, repositoryLock, stacksLock, type OpenRepository } from './repository.js'
import { repositoryBytes } from './repository-size.js'
import { concluded, type Outcome } from './result.js'
import { removeStaleLocks, replayJournal } from './resume.js'
import type { Run } from './run.js'

export interface BackupChoices {
  /** Empty: all enabled stacks. */
  readonly names: readonly string[]
  readonly verify: boolean
  readonly prune: boolean
  readonly stopMode?: RequestedStopMode | undefined
  readonly acceptShrink: boolean
  /** Takes the repository that is at its place, whatever was known of it before. Absent: another one is refused. */
  readonly acceptRepository?: boolean
}

/**
 * Stage 1: per stack, one after another, plan → stop → snapshot → start → confirm; with all up again, verification,
 * retention and prune once.
 *
 * Throws before anything is touched: `usage` (unknown or no stack), `busy`, `tool-...`, `repository-...`, `wrong-password`.
 */
export async function backup(run: Run, choices: BackupChoices): Promise<Outcome<BackupResult>> {
  const engine = await run.engine()
  await run.lock(stacksLock(run), repositoryLock(engine))
  const selection = selectStacks(run.configuration, choices.names, (stack) => recallStack(run.state.stacks, stackKey(stack)) !== null)
  const { stacks } = selection
  if (stacks.length === 0) throw noneAvailable(run, selection)

  const runtime = await run.runtime()
  const replay = await replayJournal(run)
  if (!run.dryRun) ensureWritable(run.state)
  await takeReadyTools(run, runtime, engine)

  const [repository, look] = await Promise.all([
    openRepository(run, { mayInit: run.configuration.backup.autoInit, accept: choices.acceptRepository === true }),
    runtime.inspect(stacks.map((stack) => stack.directory), { signal: run.signal }),
  ])
  if (!look.ok) throw errorFrom(look.failure)
  const firstLook = new Map(look.value.map((state) => [state.directory, state]))
  const reserved = await reservedPlaces(run, selection.known)
  if (run.dryRun || repository === null) return await rehearse({ run, runtime, repository, stopMode: choices.stopMode, reserved, firstLook }, selection)
  await removeStaleLocks(run, replay.leftovers)

  run.log('info', 'backing up', { stacks: stacks.map((stack) => stack.name) })
  run.reporter.stacks(stacks.map((stack) => stack.name))
  const isVerified = choices.verify && run.configuration.backup.verification
  const drafts = await backUpAll(run, stacks, isVerified, { run, runtime, repository, stopMode: choices.stopMode, reserved, firstLook })
  await startOnceMore(run, runtime, drafts)
  await run.events.deliver()
  return await conclude(run, {
    stacks,
    drafts: [...drafts, ...selection.unavailable.map(unavailable)],
    repository,
    runtime,
    choices,
    isVerified,
    dirlist: selection.dirlist,
    problems: [...selection.problems, ...replay.problems],
  })
}

/** One stack after another; while one starts, the next is planned and its repository opened. */
async function backUpAll(run: Run, stacks: readonly Stack[], isVerified: boolean, context: StackBackupContext): Promise<readonly StackDraft[]> {
  const { entries, damaged } = run.journal.content()
  const left = new Set([...entries, ...damaged].map((entry) => entry.key))
  const drafts = stacks.filter((stack) => left.has(stackKey(stack))).map(leftStopped)
  const queue = stacks.filter((stack) => !left.has(stackKey(stack)))
  const ahead: { ready: Promise<ReadyStack> | null } = { ready: null }
  for (const [index, stack] of queue.entries()) {
    if (run.signal.aborted) {
      drafts.push(emptyDraft(stack))
      continue
    }
    const preparing = ahead.ready ?? prepareStack(stack, context)
    ahead.ready = null
    const ready = await preparing.catch((error: unknown) => String(error))
    if (typeof ready === 'string') {
      // A provider that throws against its contract costs this stack its backup, and no other.
      drafts.push(notPlanned(stack, ready))
      continue
    }
    if (run.signal.aborted) {
      await abandonStack(ready)
      drafts.push(emptyDraft(stack))
      continue
    }
    const next = queue[index + 1]
    const onStarting = (): void => {
      if (next === undefined || run.signal.aborted || ahead.ready !== null) return
      ahead.ready = prepareStack(next, context)
      // Its turn comes later: until then an error of it must not end the process while this stack starts.
      ahead.ready.catch(() => {})
    }
    const draft = await backUpStack(ready, { ...context, onStarting })
    // The run may be killed before it comes to the marks and the verification, with the last stack.
    recordMarks(run, context.repository, draft)
    if (isVerified) oweVerification(run, context.repository, draft, stackKey(stack))
    drafts.push(draft)
    run.reporter.stackDone(draft.name, { status: draft.status, summary: draft.problems.find((problem) => problem.severity === 'error')?.message ?? '' })
  }
  await ahead.ready?.then(abandonStack, () => {})
  return drafts
}

interface Ending {
  readonly stacks: readonly Stack[]
  readonly drafts: readonly StackDraft[]
  readonly repository: OpenRepository
  readonly runtime: Runtime
  readonly choices: BackupChoices
  readonly isVerified: boolean
  readonly dirlist: Dirlist
  readonly problems: readonly Problem[]
}

/** All stacks are up again: what may take its time. */
async function conclude(run: Run, ending: Ending): Promise<Outcome<BackupResult>> {
  const { stacks, drafts, runtime, choices, isVerified } = ending
  const taken = new Set(drafts.flatMap(({ snapshot }) => snapshot?.id ?? []))
  const repository = await makePendingMarks(run, ending.repository, drafts.flatMap(({ snapshot }) => snapshot?.id ?? []))
  const keyOf = new Map(stacks.map((stack) => [stack.name, stackKey(stack)]))
  for (const draft of drafts) {
    guardAgainstShrinking(run, draft, keyOf.get(draft.name) ?? '', choices.acceptShrink)
    await markSnapshot(run, repository, draft)
  }
  const warmProblems = await removeWarmSnapshots(run, repository, drafts.flatMap(({ warmSnapshot }) => warmSnapshot ?? []))
  for (const draft of drafts) {
    const key = keyOf.get(draft.name) ?? ''
    draft.unverified = (recallStack(run.state.stacks, key)?.unverified ?? []).filter(({ id }) => !taken.has(id))
    // A mark has given it another ID.
    if (isVerified && draft.snapshot !== null && !taken.has(draft.snapshot.id)) oweVerification(run, repository, draft, key)
  }
  if (isVerified) await verifySnapshots(run, repository, drafts)
  for (const draft of drafts) remember(run, repository, draft, keyOf.get(draft.name) ?? '')
  const retention = choices.prune && run.configuration.backup.autoPrune ? await applyRetention(run, repository, drafts, ending.dirlist) : { report: { status: 'skipped' as const, removed: 0 }, problems: [] }
  const ledgerProblems = await publishForgotten(run, repository)
  await confirmSteady(runtime, drafts)
  const bytes = await repositoryBytes(repository.engine)
  if (bytes !== null) run.notes.repositoryBytes = bytes

  for (const draft of drafts) run.events.add('stack-finished', { stack: draft.name, result: reportOf(draft) })
  const body: BackupBody = { stacks: drafts.map(reportOf), retention: retention.report }
  return concluded(run, body, judge(drafts, [...ending.problems, ...warmProblems, ...retention.problems, ...ledgerProblems], retention.report.status))
}

/** The run's status and codes from those of its stacks: one good stack makes a failure a part of a success. */
function judge(drafts: readonly StackDraft[], problems: readonly Problem[], retention: string): { status: 'ok' | 'partial' | 'failed'; problems: readonly Problem[]; codes: readonly number[] } {
  const all = [...problems, ...drafts.flatMap((draft) => draft.problems)]
  const bad = drafts.filter((draft) => draft.status === 'failed')
  const someWorked = drafts.some((draft) => draft.status === 'ok' || draft.status === 'partial')
  const isOk = drafts.every((draft) => draft.status === 'ok') && retention !== 'failed' && problems.every((problem) => problem.severity === 'warning')
  const status = isOk ? 'ok' : bad.length > 0 && !someWorked ? 'failed' : 'partial'
  const verificationCode = exitCodes.ofKind('corrupt')
  const verificationFailed = drafts.some((draft) => draft.codes.has(verificationCode))
  // What keeps every stack from being backed up is the run's code; what one stack met is a part of a success.
  const codes = status === 'failed' ? drafts.flatMap((draft) => [...draft.codes]) : []
  const implied = status === 'ok' ? 0 : status === 'partial' ? 3 : 1
  return { status, problems: all, codes: [...codes, ...(verificationFailed ? [verificationCode] : []), implied] }
}

/** Of how many backups the new data is remembered: a week of nights. */
const rememberedBackups = 7

/** What the next run, and `status`, want to know. */
function remember(run: Run, repository: OpenRepository, draft: StackDraft, key: string): void {
  if (draft.snapshot === null) return
  const before = recallStack(run.state.stacks, key)
  const isGood = draft.marks.size === 0 && draft.verification !== 'failed'
  const files = filesIn(draft.snapshot) - draft.ownFiles
  try {
    rememberStack(run.state.stacks, key, {
      schemaVersion: 1,
      name: draft.name,
      directory: draft.directory,
      lastGood: isGood
        ? { id: draft.snapshot.id, time: new Date().toISOString(), repositoryId: repository.repository.id, files, bytes: draft.snapshot.bytesProcessed }
        : before?.lastGood == null || draft.damaged.has(before.lastGood.id) ? null : before.lastGood,
      lastDowntimeMs: draft.downtimeMs ?? before?.lastDowntimeMs ?? null,
      lastReadyMs: draft.readyMs ?? before?.lastReadyMs ?? null,
      // What a first backup brings, or one that had to read all anew, says nothing of the nights to come.
      recentBytesAdded: before?.lastGood == null || before.readsAllNext === true ? (before?.recentBytesAdded ?? []) : [...(before.recentBytesAdded ?? []), draft.snapshot.bytesAdded].slice(-rememberedBackups),
      readsAllNext: isGood ? draft.readsAllNext : (before?.readsAllNext ?? false),
      ...(draft.unverified.length === 0 ? {} : { unverified: draft.unverified }),
    })
  } catch (error) {
    run.log('warning', 'what the next run wants to know could not be noted', { stack: draft.name, reason: String(error) })
  }
}

/** A dry run: everything is looked at and planned, nothing is changed. */
async function rehearse(context: Omit<StackBackupContext, 'repository'> & { readonly repository: OpenRepository | null }, { stacks, unavailable: lost, problems }: Selection): Promise<Outcome<BackupResult>> {
  const { run, runtime, repository, firstLook, reserved, stopMode } = context
  run.reporter.stacks(stacks.map((stack) => stack.name))
  const drafts: StackDraft[] = lost.map(unavailable)
  const engine = repository?.engine ?? (await run.engine())
  for (const stack of stacks) {
    const state = firstLook.get(stack.directory)
    if (state === undefined) continue
    const plan = await planStack(stack, state, { runtime, configuration: run.configuration, engine, stopMode, reserved, signal: run.signal })
    const freezing = await chooseFreezer(run, plan, repository)
    const writers = possibleWriters(plan, run.configuration)
    const draft: StackDraft = {
      ...emptyDraft(stack),
      possibleWriters: writers.map(({ name }) => name),
      status: plan.isLiveUnasked || plan.isIncomplete ? 'partial' : 'ok',
      stateBefore: state.condition,
      servicesBefore: runningServices(state),
      stopMode: plan.willStop ? plan.mode : 'none',
      stopModeReason: plan.willStop ? plan.modeReason : null,
      quiet: plan.willStop || state.condition !== 'running',
      problems: [...plan.problems, ...freezing.problems, ...writersProblem(stack, writers)],
      preview: previewOf(run, plan, { repository, freezer: freezing.chosen?.id ?? null }),
    }
    drafts.push(draft)
    const places = counted(plan.paths.length, 'path')
    const act = plan.willStop && freezing.chosen !== null ? `would stop it (${plan.mode}), freeze ${places} (${freezing.chosen.id}), start it again, snapshot the frozen copy` : plan.willStop ? `would stop it (${plan.mode}), snapshot ${places}, start it again` : `would snapshot ${places} and stop nothing`
    run.reporter.stackDone(stack.name, { status: draft.status, summary: act })
  }
  return concluded(run, { stacks: drafts.map(reportOf), retention: { status: 'skipped', removed: 0 } }, judge(drafts, problems, 'skipped'))
}

/** Says before the first night which containers decide whether a snapshot is at rest. */
function writersProblem(stack: Stack, writers: readonly PossibleWriter[]): readonly Problem[] {
  return writers.map(({ name, image, paths }) => ({
    severity: 'warning',
    code: 'possible-writer',
    message: `${name}${image === '' ? '' : ` (${image})`} is not of this stack, runs and can write to ${named(paths)}: if anything changes there while it is read, the snapshot is marked live`,
    fix: `If it never writes there, list it in IGNORE_WRITERS, in [docker] or [stack:${stack.name}], or give it the label ${ignoreLabel}=true`,
    stack: stack.name,
  }))
}

/** Wanted, and not there or refused: a failure of its own, which keeps no other stack from its backup. */
function unavailable({ name, path, reason, problem }: Selection['unavailable'][number]): StackDraft {
  return {
    ...emptyDraft({ name, directory: path }),
    status: 'failed',
    problems: [problem ?? { severity: 'error', code: 'stack-unavailable', message: `${path} is not there as a stack: ${reason}`, fix: `Mount its disk, or disable it with: stackbk dirlist disable ${name}`, stack: name }],
  }
}

function noneAvailable(run: Run, { unavailable: lost }: Selection): StackbkError {
  return new StackbkError({
    kind: 'configuration',
    code: 'stacks-unavailable',
    message: `none of the chosen stacks is there: ${lost.map(({ name }) => name).join(', ')}`,
    detail: lost.map(({ path, reason }) => `${path}: ${reason}`).join('\n'),
    fix: `Check DOCKER_STACKS_DIR (${run.configuration.docker.stacksDirectory}), and that its disk is mounted. The choices in the dirlist are kept`,
  })
}

function notPlanned(stack: Stack, reason: string): StackDraft {
  return {
    ...emptyDraft(stack),
    status: 'failed',
    problems: [{ severity: 'error', code: 'not-planned', message: `an error ended its planning, before anything was touched: ${reason}`, fix: 'Run: stackbk doctor', stack: stack.name }],
  }
}

function leftStopped(stack: Stack): StackDraft {
  return {
    ...emptyDraft(stack),
    status: 'failed',
    problems: [
      {
        severity: 'error',
        code: 'left-stopped',
        message: 'an interrupted run left it stopped and it could not be started: it is not backed up until that is settled',
        fix: `Run: stackbk resume (or with --force ${stack.name}, or --discard ${stack.name})`,
        stack: stack.name,
      },
    ],
  }
}
