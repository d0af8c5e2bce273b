import type { ContainerState, Runtime, StackState } from '@stackbk/contract'

import { problemFrom } from '../../errors.js'
import type { StackDraft } from './backup-result.js'
import { worsen } from './backup-result.js'
import { isAlive } from './stack-plan.js'

/** At the end of the run, one look at all stacks that were started again: what restarts over and over is not up. */
export async function confirmSteady(runtime: Runtime, drafts: readonly StackDraft[]): Promise<void> {
  const confirmed = drafts.flatMap((draft) => (draft.confirmedAt === null || draft.before === null ? [] : [{ draft, before: draft.before, at: draft.confirmedAt }]))
  if (confirmed.length === 0) return
  const look = await runtime.inspect(confirmed.map(({ draft }) => draft.directory))
  for (const { draft, before, at } of confirmed) {
    const state = look.ok ? look.value.find(({ directory }) => directory === draft.directory) : undefined
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
      continue
    }
    const what = changesSince(before, state, at)
    if (what.length === 0) continue
    worsen(draft, 'failed')
    draft.problems.push({
      severity: 'error',
      code: 'not-steady',
      message: `the stack came up and did not stay so: ${what.join('; ')}`,
      fix: `Look into docker compose logs in ${draft.directory}`,
      stack: draft.name,
    })
  }
}

/** What is worse with each service than at its confirmation, as sentences. One that crashed over and over before the stop cannot be held against the start. */
function changesSince(before: StackState, now: StackState, at: Date): readonly string[] {
  const wanted = byService(before)
  const present = byService(now)
  return [...wanted].flatMap(([key, containers]) => {
    const ran = containers.filter(isAlive)
    if (ran.length === 0 || ran.some(({ condition }) => condition === 'restarting')) return []
    const service = ran[0]?.service ?? key
    const found = present.get(key) ?? []
    const alive = found.filter(isAlive)
    if (alive.some(({ condition, startedAt }) => condition === 'restarting' || (startedAt !== null && new Date(startedAt) > at))) return [`${service} restarts again and again`]
    const completed = found.filter(({ condition, exitCode, startedAt }) => condition === 'exited' && exitCode === 0 && startedAt !== null && new Date(startedAt) >= new Date(before.takenAt))
    if (alive.length + completed.length < ran.length) return [`${service} has ended`]
    const wasHealthy = ran.some(({ health }) => health === 'healthy')
    return wasHealthy && alive.some(({ health }) => health === 'unhealthy') ? [`${service} is unhealthy`] : []
  })
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
