import type { StackState } from '@stackbk/contract'

import { isAlive } from './container.js'
import type { Ear, EngineEvent } from './engine-events.js'
import type { Listed } from './look.js'
import { isMadeFrom, originOf } from './ownership.js'

interface Look {
  /** When it was asked for, by the clock that never goes back. */
  readonly begunAt: number
  /** IDs of what ran of the stack's projects, wherever it was started from. */
  readonly alive: ReadonlySet<string>
  /** One of them was between two attempts of its restart policy, which no event tells the end of. */
  readonly isRestarting: boolean
}

/**
 * What is known of each stack without asking again: a look at it, and every event since. In the window in which it is down, each
 * question to the engine takes time.
 */
export class Whereabouts {
  readonly #looks = new Map<string, Look>()
  readonly #ears = new Map<string, { readonly ear: Ear; readonly openedAt: number }>()
  readonly #stopped = new Map<string, ReadonlySet<string>>()

  looked(directory: string, { begunAt, alive }: { readonly begunAt: number; readonly alive: readonly Listed[] }): void {
    this.#looks.set(directory, { begunAt, alive: new Set(alive.map((container) => container.id)), isRestarting: alive.some((container) => container.condition === 'restarting') })
  }

  listening(directory: string, ear: Ear, openedAt: number): void {
    this.#ears.set(directory, { ear, openedAt })
  }

  deaf(directory: string, ear: Ear): void {
    if (this.#ears.get(directory)?.ear === ear) this.#ears.delete(directory)
  }

  /** Nothing of the stack runs, proven: it was looked at while somebody listened, and all that ran then, or was started since, has been heard to end. */
  nothingRuns(state: StackState): boolean {
    const look = this.#looks.get(state.directory)
    const heard = this.#ears.get(state.directory)
    if (look === undefined || heard === undefined || heard.ear.isLossy || look.isRestarting || look.begunAt < heard.openedAt) return false
    const isOwn = (event: EngineEvent): boolean => state.projects.some((project) => isMadeFrom(originOf(event.attributes), project, state.directory))
    const alive = new Set([...look.alive, ...state.dependents.filter(isAlive).map((container) => container.id)])
    for (const event of heard.ear.events) {
      if (event.action === 'die' || event.action === 'destroy') alive.delete(event.id)
      else if (isStart(event) && (isOwn(event) || state.dependents.some((container) => container.id === event.id))) alive.add(event.id)
    }
    return alive.size === 0
  }

  /** These have ended by our stop, and are still there. */
  stopped(directory: string, ids: ReadonlySet<string>): void {
    this.#stopped.set(directory, ids)
  }

  /** Told once: what is true right after a stop is not for ever. */
  takeStopped(directory: string): ReadonlySet<string> {
    const ids = this.#stopped.get(directory) ?? new Set()
    this.#stopped.delete(directory)
    return ids
  }
}

/** Something of the container runs from now on. */
export function isStart(event: EngineEvent): boolean {
  return event.action === 'start' || event.action === 'unpause'
}
