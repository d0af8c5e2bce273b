import { type Answer, type Capsule, type Engine, type Preflight, readStopTimeout, type Runtime, type Source, type StackState, type StopMode, stopTimeoutLabel } from '@stackbk/contract'

import type { Configuration } from '../../config/configuration.js'
import { problemFrom, type Problem } from '../../errors.js'
import type { Stack } from '../../stacks/identity.js'
import { coverageOf } from './coverage.js'
import { excludesOf } from './excludes.js'
import type { ReservedPlace } from './reserved-places.js'

/** What is asked for: a mode, or `auto`, which leaves the choice between `down` and `stop` to what would come back. */
export type RequestedStopMode = StopMode | 'auto'

/** What will be done with one stack, decided before anything of it is touched. */
export interface StackPlan {
  readonly stack: Stack
  readonly state: StackState
  /** What was asked for, before what the stack allows. */
  readonly mode: StopMode
  /** Why `auto` did not become `down`; null where it did, or was not asked for. */
  readonly modeReason: string | null
  readonly whyNotDown: readonly string[]
  /** Whether containers will be stopped (or paused) and started. */
  readonly willStop: boolean
  /** Something runs that should have been stopped and must not be: the snapshot is marked, the stack is partial. */
  readonly isLiveUnasked: boolean
  readonly sources: readonly Source[]
  /** Milliseconds since the epoch: before the sources' other users were looked at. Who comes later only the engine's events tell. */
  readonly othersSeenAt: number
  readonly paths: readonly string[]
  /** What of it the snapshot leaves out because it is not the stack's. */
  readonly excludePaths: readonly string[]
  /** The patterns of EXCLUDE, which act below the paths. */
  readonly excludes: readonly string[]
  /** Below those paths, and not to be read: their file systems do not answer. */
  readonly unansweredPaths: readonly string[]
  readonly capsule: Capsule | null
  readonly problems: readonly Problem[]
  /** A part of the stack's data could not even be named. */
  readonly isIncomplete: boolean
}

/** The mode that counts: flag, `[stack:NAME]`, container label, `[docker]`. */
export function requestedStopMode(
  stack: Stack,
  state: StackState,
  configuration: Configuration,
  flag: RequestedStopMode | undefined,
): RequestedStopMode {
  const label = state.projects
    .flatMap((project) => project.containers)
    .map((container) => container.labels['stackbk.stop-mode'])
    .find((value): value is RequestedStopMode => value !== undefined && stopModes.includes(value))
  return flag ?? configuration.stack(stack.name).stopMode ?? label ?? configuration.docker.stopMode
}

const stopModes: readonly string[] = ['auto', 'down', 'stop', 'pause', 'none']

/** Looks at a stack and decides. Asks, and touches nothing; what cannot be found out makes the plan more careful, never less. */
export async function planStack(
  stack: Stack,
  state: StackState,
  context: { readonly runtime: Runtime; readonly configuration: Configuration; readonly engine: Pick<Engine, 'excludeFilter'>; readonly stopMode: RequestedStopMode | undefined; readonly reserved: readonly ReservedPlace[]; readonly signal: AbortSignal },
): Promise<StackPlan> {
  const { runtime, configuration, signal } = context
  const requested = requestedStopMode(stack, state, configuration, context.stopMode)
  const choices = configuration.stack(stack.name)
  const problems: Problem[] = []

  const othersSeenAt = Date.now()
  const [preflight, sources, capsule] = await Promise.all([
    state.condition === 'unknown' ? null : runtime.preflight(state, { stopMode: requested, signal }),
    runtime.sources(state, { signal }),
    runtime.describe(state, { signal }),
  ])

  const places = sources.ok ? sources.value : []
  if (!sources.ok) problems.push(problemFrom(sources.failure, { code: 'sources-unknown', stack: stack.name }))
  const coverage = coverageOf(stack, places, { ...choices, reserved: context.reserved })
  problems.push(...coverage.problems)
  const paths = coverage.paths.length > 0 ? coverage.paths : [stack.directory]
  const { excludes, problems: excluded } = excludesOf({ stack, sources: places, paths, patterns: choices.exclude }, context.engine)
  problems.push(...excluded)
  if (!capsule.ok) problems.push(problemFrom(capsule.failure, { severity: 'warning', code: 'capsule-incomplete', stack: stack.name }))

  const runs = state.condition === 'running'
  const { mode, reason } = effectiveStopMode(requested, preflight?.ok ? preflight.value : null)
  const wantsStop = mode !== 'none'
  const obstacles = state.condition === 'unknown' ? [unknownState(stack, state)] : [...obstaclesTo(stack, preflight, runs && (mode === 'down' || mode === 'stop') ? mode : null)]
  if (runs && wantsStop) obstacles.push(...places.filter(({ isUnanswered, services }) => isUnanswered === true && services.length > 0).map((source) => hangingSource(stack, source)))
  problems.push(...obstacles, ...unresolvedModel(stack, preflight), ...labelProblems(stack, state))
  if (runs && mode === 'down' && preflight?.ok) problems.push(...preflight.value.whyNotDown.map((why) => downInSpite(stack, why)))
  if (runs && (requested === 'auto' || requested === 'down') && mode === 'stop' && preflight?.ok) problems.push(...(preflight.value.dataInContainers ?? []).map((data) => dataInContainer(stack, data)))
  const isLiveUnasked = wantsStop && obstacles.length > 0 && (runs || state.condition === 'unknown')
  return {
    stack,
    state,
    mode,
    modeReason: reason,
    whyNotDown: preflight?.ok ? preflight.value.whyNotDown : [],
    willStop: runs && wantsStop && obstacles.length === 0,
    isLiveUnasked,
    sources: places,
    othersSeenAt,
    paths,
    excludePaths: coverage.excludePaths,
    excludes,
    unansweredPaths: places.filter(({ isUnanswered }) => isUnanswered === true).map(({ path }) => path),
    capsule: capsule.ok ? capsule.value : null,
    problems,
    isIncomplete: !sources.ok || coverage.isIncomplete || excluded.length > 0 || (!isLiveUnasked && obstacles.length > 0),
  }
}

/** What forbids a stop (nothing is stopped that cannot be started again); where none is wanted, only what hides the stack's data. */
function obstaclesTo(stack: Stack, preflight: Answer<Preflight> | null, mode: 'down' | 'stop' | null): readonly Problem[] {
  if (preflight === null) return []
  if (!preflight.ok) return [problemFrom(preflight.failure, { code: 'preflight-failed', stack: stack.name })]
  const { model, missingImages, wouldLose, startObstacles = [] } = preflight.value
  const problems: Problem[] = []
  const stops = mode !== null
  if (!model.ok && !startsWithoutModel(preflight.value)) problems.push(problemFrom(model.failure, { code: 'model-does-not-resolve', stack: stack.name }))
  if (stops && missingImages.length > 0) {
    problems.push({
      severity: 'error',
      code: 'image-missing',
      message: `a start would need images that are not on this host: ${missingImages.join(', ')}`,
      fix: 'Pull or build them, then run the backup again',
      stack: stack.name,
    })
  }
  for (const loss of stops ? wouldLose : []) {
    problems.push({ severity: 'error', code: 'stop-would-lose', message: loss, fix: 'Set STOP_MODE=none or pause for this stack', stack: stack.name })
  }
  for (const { kind, message, fix } of stops ? startObstacles.filter(({ isGoneWithDown }) => mode === 'stop' || isGoneWithDown !== true) : []) {
    const [code, because] = kind === 'fails' ? ['start-would-fail', 'it could not be started again'] : ['start-would-change-data', 'a start would bring it back with other data']
    problems.push({ severity: 'error', code, message: `${stack.name} is not stopped, because ${because}: ${message}`, fix, stack: stack.name })
  }
  return problems
}

/** Whether the containers are stopped and started as they are, though the files would not make them again. */
function startsWithoutModel({ model, canStartWithoutModel }: Preflight): boolean {
  return !model.ok && canStartWithoutModel === true
}

/** What a model that does not resolve costs a stack whose containers are there: no obstacle, and not to be kept quiet about. */
function unresolvedModel(stack: Stack, preflight: Answer<Preflight> | null): readonly Problem[] {
  if (preflight?.ok !== true || preflight.value.model.ok || !startsWithoutModel(preflight.value)) return []
  const { severity, code, message, fix } = problemFrom(preflight.value.model.failure, { severity: 'warning', code: 'model-does-not-resolve' })
  const means = 'its containers are stopped and started as they are, its hooks (pre_stop, post_start) do not run, and a volume that none of its containers has mounted may be missing from the snapshot'
  return [{ severity, code, message: `the compose model does not resolve, so ${means}: ${message}`, fix, stack: stack.name }]
}

/** The engine looks at what it mounts, and so hangs on it, or refuses. */
function hangingSource(stack: Stack, { path, services }: Source): Problem {
  return {
    severity: 'error',
    code: 'source-not-answering',
    message: `${stack.name} is not stopped, because it could not be started again: the file system of ${path}, which ${services.join(', ')} uses, does not answer`,
    fix: `See what is wrong with it (is its server or its disk there?), or unmount it: umount -l ${path}`,
    stack: stack.name,
  }
}

function unknownState(stack: Stack, state: StackState): Problem {
  if (state.failure !== null) return problemFrom(state.failure, { code: 'state-unknown', stack: stack.name })
  return { severity: 'error', code: 'state-unknown', message: 'whether the stack runs could not be found out', fix: 'Run: stackbk doctor', stack: stack.name }
}

/** Returns a warning for each label whose value is not valid. */
function labelProblems(stack: Stack, state: StackState): readonly Problem[] {
  const containers = state.projects.flatMap((project) => project.containers)
  const valuesOf = (label: string): readonly string[] => [...new Set(containers.flatMap((container) => container.labels[label] ?? []))]
  return [...unknownStopModes(stack, valuesOf('stackbk.stop-mode')), ...invalidStopTimeouts(stack, valuesOf(stopTimeoutLabel))]
}

function invalidStopTimeouts(stack: Stack, values: readonly string[]): readonly Problem[] {
  return values.filter((value) => readStopTimeout(value) === null).map((value) => ({
    severity: 'warning',
    code: 'invalid-stop-timeout',
    message: `the label ${stopTimeoutLabel}=${value} is ignored: it is not a time between 1s and 1d`,
    fix: 'Give seconds, or a time with a unit such as 90s or 5m',
    stack: stack.name,
  }))
}

function unknownStopModes(stack: Stack, labels: readonly string[]): readonly Problem[] {
  return labels.filter((label) => !stopModes.includes(label)).map((label) => ({
    severity: 'warning',
    code: 'unknown-stop-mode',
    message: `the label stackbk.stop-mode=${label} is not followed: there is no such mode`,
    fix: `Use one of ${stopModes.join(', ')}`,
    stack: stack.name,
  }))
}

function downInSpite(stack: Stack, why: string): Problem {
  return { severity: 'warning', code: 'down-changes', message: `down was asked for, and does not give back what ran: ${why}`, fix: 'Use STOP_MODE=auto or stop', stack: stack.name }
}

function dataInContainer(stack: Stack, data: string): Problem {
  return {
    severity: 'warning',
    code: 'data-in-container',
    message: `${data}; so it is stopped and started instead, and no snapshot holds these files`,
    fix: 'Keep them in a volume or a bind; if they may go, set STOP_MODE=stop for this stack and this message ends',
    stack: stack.name,
  }
}

/**
 * Without a model, `down` could not make the containers again: then it is `stop`. `auto` is `down` wherever that gives back the very containers that ran, else `stop`, and the report says why. A `down` that was
 * asked for is `stop` only where something of the stack would be gone for good.
 */
function effectiveStopMode(requested: RequestedStopMode, preflight: Preflight | null): { mode: StopMode; reason: string | null } {
  if ((requested === 'down' || requested === 'auto') && preflight !== null && startsWithoutModel(preflight)) return { mode: 'stop', reason: 'the compose model does not resolve, so down could not make its containers again' }
  const lost = preflight?.whyNeverDown ?? []
  if (requested === 'down' && lost.length > 0) return { mode: 'stop', reason: `down would not give back what ran: ${lost.join('; ')}` }
  if (requested !== 'auto') return { mode: requested, reason: null }
  const why = preflight?.whyNotDown ?? []
  if (why.length === 0) return { mode: 'down', reason: null }
  return { mode: 'stop', reason: why.join('; ') }
}
