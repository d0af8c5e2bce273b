import { answered, failed } from '@stackbk/contract'
import type { Answer, ContainerState, StackState, UpReport } from '@stackbk/contract'

import { type Container, crashedLately, isAlive, type LastExits } from './container.js'
import { healthWaitMs, isCheckedWithin } from './health-wait.js'
import { lookAt, scopeOf } from './look.js'
import { type Unit, unitsThatRan } from './order.js'
import { isMadeFrom, originOf } from './ownership.js'
import { isStopPending } from './settle.js'
import type { Tools } from './tools.js'
import { beginWaiting } from './waiting.js'

interface UpRequest {
  readonly since: Date
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** - `up`, `completed`: as it should be
 * - `unchecked`: runs, and its healthcheck has no verdict yet; counts as up once there is no more waiting for one
 * - `waiting`: may still come
 * - `lost`: will not come by itself */
type Verdict = { readonly is: 'up' } | { readonly is: 'completed' } | { readonly is: 'unchecked'; readonly reason: string; readonly mayBeChecked: boolean } | { readonly is: 'waiting' | 'lost'; readonly reason: string }

/**
 * What has no healthcheck has to run for so long before it counts as up. The engine answers a start before the program has done
 * anything, and one that cannot work (a wrong command, a missing file, a port in use) mostly ends within that time.
 */
const steadyMs = 250

/**
 * Waits until every service that ran runs, with as many containers as before, healthy where it was healthy; so does each
 * container of elsewhere that lives in a namespace of one of them. A container that runs counts unless it was told to stop
 * and still has not; one that has ended counts if it was started after `since`. A restart by the container's own policy must have held for a while, unless it
 * came after exit code 0. The wait for health has a cap: what runs then, and whose healthcheck has said nothing yet, is up and not
 * yet healthy.
 */
export async function waitUntilUp(tools: Tools, state: StackState, request: UpRequest): Promise<Answer<UpReport>> {
  const units = unitsThatRan(state)
  const scope = scopeOf(state)
  const begunAt = performance.now()
  const waiting = await beginWaiting(tools)
  try {
    for (;;) {
      const now = await lookAt(tools.docker, scope, request)
      if (!now.ok) return now
      const containers = [...now.value.values()]
      const limitMs = healthWaitMs(containers, request.timeoutMs)
      const verdicts = units.map((unit) => ({ unit, verdict: judge(state, unit, containers, { ...request, limitMs, isPending: (id) => isStopPending(tools, id), lastExitOf: (id) => tools.events.lastExitOf(id) }) }))
      const isOver = performance.now() - begunAt >= limitMs
      const isHopeful = verdicts.some(({ verdict }) => verdict.is === 'waiting' || (verdict.is === 'unchecked' && verdict.mayBeChecked))
      if (isOver || !isHopeful) {
        const named = (is: readonly Verdict['is'][]): { service: string; reason: string }[] =>
          verdicts.flatMap(({ unit, verdict }) => ('reason' in verdict && is.includes(verdict.is) ? [{ service: unit.service || unit.containers[0]!.name, reason: verdict.reason }] : []))
        const missing = named(['waiting', 'lost'])
        const notYetHealthy = named(['unchecked'])
        const completed = verdicts.flatMap(({ unit, verdict }) => (verdict.is === 'completed' ? [unit.service] : []))
        return answered({ isUp: missing.length === 0, missing, completed, ...(notYetHealthy.length === 0 ? {} : { notYetHealthy }) })
      }
      if (request.signal?.aborted) return failed({ kind: 'cancelled', message: `Waiting for ${state.directory} to be up was cancelled` })
      await waiting.change(Math.min(...containers.map(leftUntilSteadyMs).filter((left) => left > 0)))
    }
  } finally {
    waiting.end()
  }
}

type Judging = UpRequest & {
  /** How long health is waited for. */
  readonly limitMs: number
  /** It was told to stop before and has not done so yet. */
  readonly isPending: (id: string) => boolean
  readonly lastExitOf: LastExits
}

function judge(state: StackState, unit: Unit, containers: readonly Container[], request: Judging): Verdict {
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
  if (good.length + bad.filter((verdict) => verdict.is === 'unchecked').length >= unit.containers.length) {
    const unchecked = bad.filter((verdict) => verdict.is === 'unchecked')
    return { is: 'unchecked', reason: unchecked.map(({ reason }) => reason).join('; '), mayBeChecked: unchecked.some(({ mayBeChecked }) => mayBeChecked) }
  }
  const reasons = [...bad.map((verdict) => verdict.reason), ...(absent > 0 ? [candidates.length === 0 ? 'it has no container' : `${absent} of its ${unit.containers.length} containers are gone`] : [])]
  const mayCome = bad.some((verdict) => verdict.is === 'waiting' || verdict.is === 'unchecked')
  return { is: mayCome ? 'waiting' : 'lost', reason: reasons.join('; ') }
}

function judgeContainer(unit: Unit, container: Container, request: Judging): Verdict {
  const before = unit.containers.find((one) => one.id === container.id)
  const wasRestarting = unit.containers.some((one) => one.condition === 'restarting')
  if (container.condition === 'paused') {
    return unit.containers.some((one) => one.condition === 'paused') ? { is: 'up' } : { is: 'lost', reason: `${container.name} is paused` }
  }
  if (isAlive(container) && (before === undefined ? unit.containers : [before]).every((one) => one.condition === 'paused')) return { is: 'lost', reason: `${container.name} runs, and was paused before` }
  if (!isAlive(container)) return judgeEnded(container, request)
  // By the clock alone nobody can tell: it may have been set back meanwhile.
  const isSameAsBefore = isUninterrupted(container, before) || !wasStartedSince(container, request)
  if (isSameAsBefore && request.isPending(container.id)) return { is: 'waiting', reason: `${container.name} was told to stop and still has not` }
  // A crash loop that was there before cannot be held against the start.
  if (wasRestarting) return { is: 'up' }
  // A command that does its work, ends with 0 and is started again, as `restart: always` does, is as it should be.
  if (container.condition === 'restarting' && container.exitCode === 0) return { is: 'up' }
  if (container.condition === 'restarting') return { is: 'waiting', reason: `${container.name} keeps restarting, last with exit code ${container.exitCode ?? 'unknown'}` }
  const wantsHealth = unit.containers.some((one) => one.health === 'healthy')
  if (wantsHealth && container.health === 'starting' && container.healthLimitMs > request.limitMs) {
    return { is: 'unchecked', reason: `${container.name} runs, and its health check has no verdict yet`, mayBeChecked: isCheckedWithin(container, request.limitMs) }
  }
  if (wantsHealth && container.health !== 'healthy') return { is: 'waiting', reason: `${container.name} is ${container.health === 'none' ? 'without a health check' : container.health}, and was healthy before` }
  if (!isUninterrupted(container, before) && crashedLately(container, request.lastExitOf(container.id))) {
    return { is: 'waiting', reason: `${container.name} crashed and was restarted ${container.restartCount} times` }
  }
  if (!isUninterrupted(container, before) && !wantsHealth && leftUntilSteadyMs(container) > 0) return { is: 'waiting', reason: `${container.name} has only just been started` }
  return { is: 'up' }
}

/** How long it has still to run until it counts as up; 0 where it has run long enough, and where the clock says nothing of it. */
function leftUntilSteadyMs({ startedAt }: Container): number {
  const ageMs = startedAt === null ? steadyMs : Date.now() - Date.parse(startedAt)
  return ageMs >= 0 && ageMs < steadyMs ? steadyMs - ageMs : 0
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
