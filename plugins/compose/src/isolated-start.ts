import { answered, failed } from '@stackbk/contract'
import type { Answer, CallOptions, UpReport } from '@stackbk/contract'

import { startContainer } from './container-calls.js'
import { type Container, crashedLately, isAlive } from './container.js'
import { mountTrouble } from './isolated-check.js'
import { healthWaitMs } from './health-wait.js'
import type { Rehearsed } from './isolated-model.js'
import { inspectContainers } from './look.js'
import { sharedNamespaces } from './inspect.js'
import type { Tools } from './tools.js'
import { beginWaiting } from './waiting.js'

/** How long the engine waits before it starts one again: twice as long each time, from 100 ms on. It goes up to a minute, which is too long here. */
const firstPauseMs = 100
const longestPauseMs = 10_000

const startLimitMs = 300_000

/** What has no healthcheck has to run for so long: what cannot work mostly ends within it. */
const steadyMs = 2000

interface StartRequest extends CallOptions {
  /** Real. */
  readonly directory: string
  readonly healthTimeoutMs: number
  readonly rehearsed: (container: Container) => Rehearsed
  /** It was unhealthy when the snapshot was made, so no more is asked of it than to run. */
  readonly wasUnhealthy: (container: Container) => boolean
}

/** - `waiting`: for its turn, or to become healthy
 * - `ended`: and will be started again
 * - `failed`: will not come by itself */
type Standing = { readonly is: 'waiting' | 'up' | 'completed' } | { readonly is: 'ended' | 'unhealthy' | 'failed'; readonly reason: string }

/**
 * Starts the containers of a rehearsal in dependency order and waits until each runs and is healthy, or has ended well. The engine
 * restarts none of them: a rehearsal must not come back with the machine. What would be restarted in production is started again
 * from here.
 */
export async function startRehearsal(tools: Tools, ids: readonly string[], request: StartRequest): Promise<Answer<Pick<UpReport, 'missing' | 'completed'>>> {
  const attempts = new Map<string, number>()
  const refused = new Map<string, string>()
  const begunAt = performance.now()
  const waiting = await beginWaiting(tools)
  try {
    for (;;) {
      const looked = await inspectContainers(tools.docker, ids, request)
      if (!looked.ok) return looked
      const containers = [...looked.value.values()]
      const standings = new Map(containers.map((container) => [container.id, standingOf(container, { attempts, refused, rehearsed: request.rehearsed(container), wasUnhealthy: request.wasUnhealthy(container) })]))
      const due = containers.filter((container) => ['waiting', 'ended'].includes(standings.get(container.id)!.is) && !isAlive(container) && areNeedsMet(container, containers, standings))
      const startable = due.filter((container) => Date.now() >= notBefore(container, attempts.get(container.id) ?? 0))
      const limitMs = healthWaitMs(containers, request.healthTimeoutMs)
      const isOver = performance.now() - begunAt >= limitMs
      if (request.signal?.aborted) return failed({ kind: 'cancelled', message: 'The rehearsal was cancelled' })
      // One that waits for what has failed waits in vain.
      const mayChange = due.length > 0 || containers.some((container) => isAlive(container) && ['waiting', 'unhealthy'].includes(standings.get(container.id)!.is))
      if (isOver || !mayChange) return answered(verdictOf(containers, standings, request))
      await Promise.all(
        startable.map(async (container) => {
          attempts.set(container.id, (attempts.get(container.id) ?? 0) + 1)
          const trouble = await start(tools, container, request)
          if (trouble !== '') refused.set(container.id, trouble)
        }),
      )
      if (startable.length === 0) await waiting.change()
    }
  } finally {
    waiting.end()
  }
}

/** Why it was not started; empty when it was. What others of the rehearsal did to its mounts since the check is looked at once more. */
async function start(tools: Tools, container: Container, request: StartRequest): Promise<string> {
  for (const mount of container.mounts.filter((one) => one.kind !== 'tmpfs')) {
    const trouble = await mountTrouble(mount.source, request.directory)
    if (trouble !== '') return `its mount at ${mount.target} ${trouble}`
  }
  const started = await startContainer(tools.docker, container, { timeoutMs: startLimitMs, signal: request.signal })
  return started.ok ? '' : started.failure.toolOutput || started.failure.message
}

function standingOf(container: Container, about: { attempts: ReadonlyMap<string, number>; refused: ReadonlyMap<string, string>; rehearsed: Rehearsed; wasUnhealthy: boolean }): Standing {
  const refusal = about.refused.get(container.id)
  if (refusal !== undefined) return { is: 'failed', reason: refusal }
  const tried = about.attempts.get(container.id) ?? 0
  if (tried === 0) return { is: 'waiting' }
  if (isAlive(container)) {
    if (container.health === 'unhealthy' && about.wasUnhealthy) return { is: 'up' }
    if (container.healthLimitMs > 0 && container.health !== 'healthy') return container.health === 'unhealthy' ? { is: 'unhealthy', reason: 'it is unhealthy' } : { is: 'waiting' }
    if (container.healthLimitMs === 0 && Date.now() - Date.parse(container.startedAt ?? '') < steadyMs) return { is: 'waiting' }
    return tried > 1 && crashedLately({ ...container, restartCount: tried }) ? { is: 'waiting' } : { is: 'up' }
  }
  const { restart } = about.rehearsed
  // One that `restart: always` starts again and that ends with 0 once more does its work from time to time, and has not crashed.
  if (container.exitCode === 0 && (restart !== 'always' || tried > 1)) return { is: 'completed' }
  return { is: restart === 'never' ? 'failed' : 'ended', reason: `it ended with exit code ${container.exitCode ?? 'unknown'}${tried > 1 ? `, ${tried} times` : ''}` }
}

function notBefore(container: Container, tried: number): number {
  return tried === 0 ? 0 : Date.parse(container.finishedAt ?? '') + Math.min(longestPauseMs, firstPauseMs * 2 ** (tried - 1))
}

/** Each of what it depends on stands as it asks, and who lends it a namespace runs. */
function areNeedsMet(container: Container, containers: readonly Container[], standings: ReadonlyMap<string, Standing>): boolean {
  const owners = containers.filter((owner) => owner.id !== container.id && sharedNamespaces(container, owner).length > 0)
  if (!owners.every(isAlive)) return false
  return container.dependsOn.every(({ service, condition }) =>
    containers.filter((one) => one.service === service).every((one) => {
      const { is } = standings.get(one.id)!
      if (condition === 'service_completed_successfully') return is === 'completed'
      if (condition === 'service_healthy') return one.healthLimitMs > 0 ? is === 'up' : isAlive(one)
      return isAlive(one) || is === 'completed'
    }),
  )
}

function verdictOf(containers: readonly Container[], standings: ReadonlyMap<string, Standing>, request: StartRequest): Pick<UpReport, 'missing' | 'completed'> {
  const of = (container: Container): Standing => standings.get(container.id)!
  return {
    missing: containers.flatMap((container) => {
      const standing = of(container)
      if (standing.is === 'up' || standing.is === 'completed') return []
      const reason = 'reason' in standing ? standing.reason : isAlive(container) ? `it is ${container.health}, and not healthy in time` : `what it waits for did not come: ${container.dependsOn.map((need) => need.service).join(', ') || 'its start'}`
      return [{ service: request.rehearsed(container).service, reason }]
    }),
    completed: containers.filter((container) => of(container).is === 'completed').map((container) => request.rehearsed(container).service),
  }
}
