import { setTimeout as wait } from 'node:timers/promises'

import { done, failed } from '@stackbk/contract'
import type { Answer } from '@stackbk/contract'

import type { Docker } from './docker.js'
import { type CallLimits, type EngineCall, limitsOf, pathOf } from './engine.js'

/** A container as it is named in messages. */
export interface Named {
  readonly id: string
  readonly name: string
}

const notModified = 304
const notFound = 404
const conflict = 409

/** How often a removal by another client is looked at. */
const pollMs = 100

/** Stops a container; one that does not run, or is gone, is stopped. The engine answers when it has ended. */
export function stopContainer(docker: Docker, container: Named, graceSeconds: number, limits: CallLimits): Promise<Answer<void>> {
  return change(docker, container, 'stop', { ...limitsOf(limits), query: { t: String(graceSeconds) }, accepts: [notModified, notFound] })
}

/** Starts a container; one that runs is started. */
export function startContainer(docker: Docker, container: Named, limits: CallLimits): Promise<Answer<void>> {
  return change(docker, container, 'start', { ...limitsOf(limits), accepts: [notModified] })
}

export function pauseContainer(docker: Docker, container: Named, limits: CallLimits): Promise<Answer<void>> {
  return change(docker, container, 'pause', limitsOf(limits))
}

export function unpauseContainer(docker: Docker, container: Named, limits: CallLimits): Promise<Answer<void>> {
  return change(docker, container, 'unpause', limitsOf(limits))
}

async function change(docker: Docker, container: Named, verb: string, call: Omit<EngineCall, 'what' | 'path'>): Promise<Answer<void>> {
  const answer = await docker.engine.request({ ...call, what: `docker ${verb} of ${container.name}`, method: 'POST', path: pathOf('containers', container.id, verb) })
  return answer.ok ? done : answer
}

/**
 * Removes a container that has ended, and waits for a removal by another client that is in progress. Without `force` the engine
 * refuses one that runs again. Anonymous volumes stay unless they are asked for.
 */
export async function removeContainer(docker: Docker, container: Named, { force, volumes, ...limits }: CallLimits & { readonly force: boolean; readonly volumes: boolean }): Promise<Answer<void>> {
  const what = `docker rm of ${container.name}`
  const query = { ...(force ? { force: 'true' } : {}), ...(volumes ? { v: 'true' } : {}) }
  const removed = await docker.engine.request({ ...limitsOf(limits), what, method: 'DELETE', path: pathOf('containers', container.id), query, accepts: [notFound, conflict] })
  if (!removed.ok) return removed
  if (removed.value.status !== conflict) return done
  return untilRemoved(docker, container, what, { limits, refusal: removed.value.body })
}

async function untilRemoved(docker: Docker, container: Named, what: string, { limits, refusal }: { readonly limits: CallLimits; readonly refusal: unknown }): Promise<Answer<void>> {
  const limitAt = performance.now() + (limits.timeoutMs ?? 60_000)
  for (;;) {
    const now = await docker.inspect('container', [container.id], limits)
    if (!now.ok) return now
    const [present] = now.value.found as readonly { readonly State?: { readonly Status?: string } }[]
    if (present === undefined) return done
    const reason = typeof refusal === 'object' && refusal !== null && 'message' in refusal ? String(refusal.message) : ''
    // It runs again, or something else speaks against it.
    if (present.State?.Status !== 'removing' && !/already in progress/.test(reason)) return failed({ kind: 'failed', message: `${what} failed`, toolOutput: docker.confidential.hideIn(reason) })
    if (limits.signal?.aborted === true) return failed({ kind: 'cancelled', message: `${what} was cancelled` })
    if (performance.now() > limitAt) return failed({ kind: 'failed', message: `${what} failed: its removal by another client does not end`, toolOutput: docker.confidential.hideIn(reason) })
    await wait(pollMs)
  }
}

/** Does it with all of them at the same time; the first failure counts. */
export async function withEach<T extends Named>(containers: readonly T[], work: (container: T) => Promise<Answer<void>>): Promise<Answer<void>> {
  const answers = await Promise.all(containers.map(work))
  return answers.find((answer) => !answer.ok) ?? done
}
