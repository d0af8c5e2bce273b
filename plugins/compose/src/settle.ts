import { done, failed, stopGraceOf } from '@stackbk/contract'
import type { Answer, ContainerState, StackState } from '@stackbk/contract'

import { type Container, isAlive } from './container.js'
import { inspectContainers } from './look.js'
import type { Tools } from './tools.js'
import { beginWaiting } from './waiting.js'

/** Signals that programs take as news rather than as their end: HUP, USR1, USR2, WINCH. */
const harmless = new Set(['1', '10', '12', '28'])

/** What the engine may need to kill a container once its grace is over. */
const killMarginMs = 5_000

/** By runtime: states, by their folder and the time at which they were taken, whose stops have been waited for. */
const settledStates = new WeakMap<Tools, Set<string>>()

/** By runtime: containers that were told to stop and had not done so when the wait for them ended. */
const pendingStops = new WeakMap<Tools, Set<string>>()

/** The stops of this state have been waited for already. */
export function isSettled(tools: Tools, state: StackState): boolean {
  return settledStates.get(tools)?.has(keyOf(state)) === true
}

function keyOf({ directory, takenAt }: StackState): string {
  return `${directory}\n${takenAt}`
}

/** It was told to stop and still had not when it was last waited for: that it runs does not mean that it stays up. */
export function isStopPending(tools: Tools, id: string): boolean {
  return pendingStops.get(tools)?.has(id) === true
}

/**
 * Waits until containers that were told to stop have done so. The engine finishes a stop whose client has died
 * (https://github.com/moby/moby/issues/45738), and until then calls the container running: who starts it meanwhile sees
 * nothing to do, and the stack ends down. That a container was told shows in the engine's events alone. Where those do not
 * reach back far enough, the longest grace that a container may have been given is waited for.
 */
export async function waitUntilSettled(tools: Tools, state: StackState, request: { readonly timeoutMs: number; readonly graceSeconds?: number; readonly signal?: AbortSignal }): Promise<Answer<void>> {
  const pending = new Set<string>()
  pendingStops.set(tools, new Set([...(pendingStops.get(tools) ?? [])].filter((id) => !containersOf(state).some((container) => container.id === id))))
  const settled = await waitForStops(tools, state, request, pending)
  if (settled.ok) settledStates.set(tools, new Set([...(settledStates.get(tools) ?? []), keyOf(state)]))
  pendingStops.set(tools, new Set([...(pendingStops.get(tools) ?? []), ...pending]))
  return settled
}

function containersOf(state: StackState): ContainerState[] {
  return [...state.projects.flatMap((project) => project.containers), ...state.dependents].filter(isAlive)
}

async function waitForStops(tools: Tools, state: StackState, request: { readonly timeoutMs: number; readonly graceSeconds?: number; readonly signal?: AbortSignal }, pending: Set<string>): Promise<Answer<void>> {
  const recorded = new Map(containersOf(state).map((container) => [container.id, container]))
  const ids = [...recorded.keys()]
  const begunAt = performance.now()
  const waiting = await beginWaiting(tools)
  try {
    let told: { readonly ids: ReadonlySet<string>; readonly isComplete: boolean } | null = null
    for (;;) {
      const now = await inspectContainers(tools.docker, ids, request)
      if (!now.ok) return now
      const present = [...now.value.values()]
      const leaving = present.filter((container) => container.condition === 'removing')
      const alive = present.filter(isAlive)
      if (alive.length > 0) told ??= await toldToStop(tools, Date.parse(state.takenAt))
      const ending = told === null ? [] : alive.filter((container) => told!.ids.has(container.id) && !startedAfter(container, state))
      const elapsed = performance.now() - begunAt
      // Who was started since has done whatever it was told before.
      const untold = alive.filter((container) => !startedAfter(container, state))
      // The state says by which rule the grace was chosen: one of an earlier version by another.
      const graceOf = (container: Container): number => tools.graces.get(container.id) ?? stopGraceOf(recorded.get(container.id) ?? container, request.graceSeconds)
      const patienceMs = told === null || told.isComplete || untold.length === 0 ? 0 : Math.max(...untold.map(graceOf)) * 1000 + killMarginMs
      if (leaving.length === 0 && ending.length === 0 && (alive.length === 0 || elapsed >= patienceMs)) return done
      if (request.signal?.aborted) return failed({ kind: 'cancelled', message: `Waiting for the stop of ${state.directory} was cancelled` })
      if (elapsed >= request.timeoutMs) {
        for (const container of ending) pending.add(container.id)
        const names = [...ending, ...leaving].map((container) => container.name)
        if (names.length === 0) return done
        return failed({ kind: 'timed-out', message: `${names.join(', ')} was told to stop and still has not after ${Math.round(elapsed / 1000)} s`, fix: 'See whether the engine still stops it: docker ps' })
      }
      await waiting.change()
    }
  } finally {
    waiting.end()
  }
}

/** Started again since the stack was looked at: whatever it was told before, it has done. */
function startedAfter(container: Container, state: StackState): boolean {
  return container.startedAt !== null && Date.parse(container.startedAt) > Date.parse(state.takenAt)
}

async function toldToStop(tools: Tools, since: number): Promise<{ ids: ReadonlySet<string>; isComplete: boolean }> {
  const remembered = await tools.events.remembered(since)
  if (!remembered.ok) return { ids: new Set(), isComplete: false }
  const ids = new Set<string>()
  for (const event of remembered.value.events) {
    if (event.action === 'kill' && !harmless.has(event.attributes['signal'] ?? '')) ids.add(event.id)
    if (event.action === 'die') ids.delete(event.id)
  }
  return { ids, isComplete: remembered.value.isComplete }
}
