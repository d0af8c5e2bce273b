import { answered, failed } from '@stackbk/contract'
import type { Answer, ContainerState, StackState, UpReport } from '@stackbk/contract'

import { type Container, crashedLately, isAlive } from './container.js'
import { lookAt } from './look.js'
import { type Unit, unitsThatRan } from './order.js'
import { isMadeFrom, originOf } from './ownership.js'
import type { Tools } from './tools.js'
import { beginWaiting } from './waiting.js'

interface UpRequest {
  readonly since: Date
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** - `up`, `completed`: as it should be
 * - `waiting`: may still come
 * - `lost`: will not come by itself */
type Verdict = { readonly is: 'up' } | { readonly is: 'completed' } | { readonly is: 'waiting' | 'lost'; readonly reason: string }

/**
 * Waits until every service that ran runs, with as many containers as before, healthy where it was healthy; so does each
 * container of elsewhere that lives in a namespace of one of them. A container counts if it was started after `since`, or if
 * it is the one that ran and was never interrupted. A restart by the container's own policy must have held for a while.
 */
export async function waitUntilUp(tools: Tools, state: StackState, request: UpRequest): Promise<Answer<UpReport>> {
  const units = unitsThatRan(state)
  const scope = { projects: state.projects.map((project) => project.name), ids: units.flatMap((unit) => unit.containers).map((container) => container.id) }
  const begunAt = performance.now()
  const waiting = await beginWaiting(tools)
  try {
    for (;;) {
      const now = await lookAt(tools.docker, scope, request)
      if (!now.ok) return now
      const containers = [...now.value.values()]
      const verdicts = units.map((unit) => ({ unit, verdict: judge(state, unit, containers, request) }))
      const limitMs = Math.max(request.timeoutMs, ...containers.map((container) => container.healthLimitMs))
      const isOver = performance.now() - begunAt >= limitMs
      if (isOver || !verdicts.some(({ verdict }) => verdict.is === 'waiting')) {
        const missing = verdicts.flatMap(({ unit, verdict }) => ('reason' in verdict ? [{ service: unit.service || unit.containers[0]!.name, reason: verdict.reason }] : []))
        const completed = verdicts.flatMap(({ unit, verdict }) => (verdict.is === 'completed' ? [unit.service] : []))
        return answered({ isUp: missing.length === 0, missing, completed })
      }
      if (request.signal?.aborted) return failed({ kind: 'cancelled', message: `Waiting for ${state.directory} to be up was cancelled` })
      await waiting.change()
    }
  } finally {
    waiting.end()
  }
}

function judge(state: StackState, unit: Unit, containers: readonly Container[], request: UpRequest): Verdict {
  const known = new Set(state.projects.flatMap((project) => project.containers).map((container) => container.id))
  const isOneOff = unit.containers.some((container) => container.isOneOff)
  const project = state.projects.find((one) => one.name === unit.project)
  const candidates = containers.filter((container) =>
    unit.containers.some((one) => one.id === container.id) ||
    (!isOneOff && !known.has(container.id) && !container.isOneOff && container.service === unit.service && project !== undefined && isMadeFrom(originOf(container.allLabels), project, state.directory)),
  )
  const verdicts = candidates.map((container) => judgeContainer(unit, container, request))
  const good = verdicts.filter((verdict) => verdict.is === 'up' || verdict.is === 'completed')
  if (good.length >= unit.containers.length) return good.some((verdict) => verdict.is === 'up') ? { is: 'up' } : { is: 'completed' }
  const bad = verdicts.filter((verdict) => 'reason' in verdict)
  const absent = unit.containers.length - candidates.length
  const reasons = [...bad.map((verdict) => verdict.reason), ...(absent > 0 ? [candidates.length === 0 ? 'it has no container' : `${absent} of its ${unit.containers.length} containers are gone`] : [])]
  const mayCome = bad.some((verdict) => verdict.is === 'waiting')
  return { is: mayCome ? 'waiting' : 'lost', reason: reasons.join('; ') }
}

function judgeContainer(unit: Unit, container: Container, request: UpRequest): Verdict {
  const before = unit.containers.find((one) => one.id === container.id)
  const wasRestarting = unit.containers.some((one) => one.condition === 'restarting')
  if (container.condition === 'paused') {
    return unit.containers.some((one) => one.condition === 'paused') ? { is: 'up' } : { is: 'lost', reason: `${container.name} is paused` }
  }
  if (isAlive(container) && (before === undefined ? unit.containers : [before]).every((one) => one.condition === 'paused')) return { is: 'lost', reason: `${container.name} runs, and was paused before` }
  if (!isAlive(container)) return judgeEnded(container, request)
  if (!isUninterrupted(container, before) && !wasStartedSince(container, request)) return { is: 'waiting', reason: `${container.name} runs but was not started again` }
  // A crash loop that was there before cannot be held against the start.
  if (wasRestarting) return { is: 'up' }
  if (container.condition === 'restarting') return { is: 'waiting', reason: `${container.name} keeps restarting, last with exit code ${container.exitCode ?? 'unknown'}` }
  const wantsHealth = unit.containers.some((one) => one.health === 'healthy')
  if (wantsHealth && container.health !== 'healthy') return { is: 'waiting', reason: `${container.name} is ${container.health === 'none' ? 'without a health check' : container.health}, and was healthy before` }
  if (!isUninterrupted(container, before) && crashedLately(container)) {
    return { is: 'waiting', reason: `${container.name} crashed and was restarted ${container.restartCount} times` }
  }
  return { is: 'up' }
}

function judgeEnded(container: Container, request: UpRequest): Verdict {
  if (!wasStartedSince(container, request)) return { is: 'lost', reason: `${container.name} is ${container.condition} and was not started` }
  if (container.exitCode === 0 && container.restartPolicy !== 'always' && container.restartPolicy !== 'unless-stopped') return { is: 'completed' }
  const reason = `${container.name} ended with exit code ${container.exitCode ?? 'unknown'} after its start`
  return container.restartPolicy === 'no' ? { is: 'lost', reason } : { is: 'waiting', reason }
}

/** The very process that ran when the stack was looked at. */
function isUninterrupted(container: Container, before: ContainerState | undefined): boolean {
  return before !== undefined && before.startedAt === container.startedAt
}

function wasStartedSince(container: Container, request: UpRequest): boolean {
  return container.startedAt !== null && Date.parse(container.startedAt) >= request.since.getTime()
}
