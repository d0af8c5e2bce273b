import { setTimeout as delay } from 'node:timers/promises'

import type { Answer, ContainerState, Runtime, StackState } from '@stackbk/contract'

import { problemFrom } from '../../errors.js'
import { isAlive } from '../../stacks/running.js'
import type { StackDraft } from './backup-result.js'
import { worsen } from './backup-result.js'

/** An updater or a user that makes or starts a container again at this moment is waited for. */
const recheckLimitMs = 5_000
const recheckPollMs = 250

interface Confirmed {
  readonly draft: StackDraft
  readonly before: StackState
  readonly at: Date
}

/** At the end of the run, one look at all stacks that were started again: what crashes over and over is not up. */
export async function confirmSteady(runtime: Runtime, drafts: readonly StackDraft[], limitMs = recheckLimitMs): Promise<void> {
  const confirmed = drafts.flatMap((draft): Confirmed[] => (draft.confirmedAt === null || draft.before === null ? [] : [{ draft, before: draft.before, at: draft.confirmedAt }]))
  if (confirmed.length === 0) return
  let look = await runtime.inspect(confirmed.map(({ draft }) => draft.directory))
  const deadline = performance.now() + limitMs
  while (look.ok && performance.now() < deadline && confirmed.some((one) => hasEnded(one, stateIn(look, one)))) {
    await delay(recheckPollMs)
    look = await runtime.inspect(confirmed.map(({ draft }) => draft.directory))
  }
  for (const one of confirmed) report(one, look)
}

function stateIn(look: Answer<readonly StackState[]>, { draft }: Confirmed): StackState | undefined {
  return look.ok ? look.value.find(({ directory }) => directory === draft.directory) : undefined
}

function hasEnded({ before, at }: Confirmed, state: StackState | undefined): boolean {
  return state !== undefined && state.condition !== 'unknown' && changesSince(before, state, at).some(({ is }) => is === 'ended')
}

function report(one: Confirmed, look: Answer<readonly StackState[]>): void {
  const { draft, before, at } = one
  const state = stateIn(look, one)
  if (state === undefined || state.condition === 'unknown') {
    const failure = look.ok ? state?.failure : look.failure
    worsen(draft, 'partial')
    draft.problems.push({
      severity: 'error',
      code: 'not-steady',
      message: `the stack came up, and whether it stayed so could not be found out${failure ? `: ${problemFrom(failure).message}` : ''}`,
      fix: `Run: stackbk status`,
      stack: draft.name,
    })
    return
  }
  const changes = changesSince(before, state, at)
  if (changes.length === 0) return
  worsen(draft, 'failed')
  draft.problems.push({
    severity: 'error',
    code: 'not-steady',
    message: `the stack came up and did not stay so: ${changes.map(({ what }) => what).join('; ')}`,
    fix: `Look into docker compose logs in ${draft.directory}`,
    stack: draft.name,
  })
}

interface Change {
  readonly is: 'crashing' | 'ended' | 'unhealthy'
  /** As a sentence. */
  readonly what: string
}

/** Returns what is worse with each service than at its confirmation. One that crashed over and over before the stop cannot be held against the start. */
function changesSince(before: StackState, now: StackState, at: Date): readonly Change[] {
  const wanted = byService(before)
  const present = byService(now)
  return [...wanted].flatMap(([key, containers]): Change[] => {
    const ran = containers.filter(isAlive)
    if (ran.length === 0 || ran.some(isCrashing)) return []
    const service = ran[0]?.service ?? key
    const found = present.get(key) ?? []
    const alive = found.filter(isAlive)
    const crashed = alive.find((container) => isCrashing(container) || hasCrashedSince(container, at))
    if (crashed !== undefined) return [{ is: 'crashing', what: `${service} restarts again and again${crashed.lastExitCode === undefined ? '' : `, last after exit code ${crashed.lastExitCode}`}` }]
    const completed = found.filter(({ condition, exitCode, startedAt }) => condition === 'exited' && exitCode === 0 && startedAt !== null && new Date(startedAt) >= new Date(before.takenAt))
    if (alive.length + completed.length < ran.length) return [{ is: 'ended', what: `${service} has ended` }]
    const wasHealthy = ran.some(({ health }) => health === 'healthy')
    return wasHealthy && alive.some(({ health }) => health === 'unhealthy') ? [{ is: 'unhealthy', what: `${service} is unhealthy` }] : []
  })
}

/** A command that ends with 0 and is started again, as `restart: always` does, does not crash. */
function isCrashing({ condition, exitCode, lastExitCode }: ContainerState): boolean {
  return condition === 'restarting' && (lastExitCode ?? exitCode) !== 0
}

/** A start by hand or by an updater is no restart by the policy: the engine does not count it, or counts from 0 again. */
function hasCrashedSince({ startedAt, restartCount, lastExitCode }: ContainerState, at: Date): boolean {
  return startedAt !== null && new Date(startedAt) > at && restartCount !== 0 && lastExitCode !== 0
}

function byService(state: StackState): ReadonlyMap<string, readonly ContainerState[]> {
  const services = new Map<string, ContainerState[]>()
  for (const project of state.projects) {
    for (const container of project.containers) {
      const key = `${project.name} ${container.service}`
      services.set(key, [...(services.get(key) ?? []), container])
    }
  }
  return services
}
