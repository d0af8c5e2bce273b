import { availableParallelism } from 'node:os'

import type { Capsule, IsolationNeeds, Runtime } from '@stackbk/contract'

import { availableMemory } from '../../host/available-memory.js'
import type { ChosenSnapshot } from '../recover/choice.js'
import type { Run } from '../run.js'
import { largestComparedFile } from './sample.js'
import { SharedLimit, type Share, type Waiting } from './shared-limit.js'

/** More at the same time would make a hard disk slower, and not the drill quicker. */
const mostByDefault = 4

/** What is assumed for a container of which neither a limit nor its use is known. Bytes. */
export const memoryOfUnknown = 512 * 1024 ** 2

/** Returns how many stacks are drilled at the same time at most: mostly they wait, so a processor has time for two. */
export function defaultParallelism(processors: number = availableParallelism()): number {
  return Math.min(mostByDefault, 2 * Math.max(1, processors))
}

export interface ParallelFacts {
  /** At most. */
  readonly stacks: number
  /** Bytes, with the copy fetched. */
  readonly freeDisk: number
  /** Bytes. */
  readonly freeMemory: number
  /** `null`: not known. */
  readonly freeNetworks: number | null
}

/**
 * Decides which stacks of a drill are at work at the same time. Several together get at most half of the free disk and half of the
 * free memory of a host that also runs production, and leave it one network; one alone gets whatever it needs.
 */
export class ParallelDrills {
  /** How many are at work at the same time at most. */
  readonly stacks: number
  readonly #work: SharedLimit<'stacks' | 'disk'>
  readonly #containers: SharedLimit<'memory' | 'networks'>

  constructor({ stacks, freeDisk, freeMemory, freeNetworks }: ParallelFacts) {
    this.stacks = stacks
    this.#work = new SharedLimit({ stacks, disk: freeDisk / 2 })
    this.#containers = new SharedLimit({ memory: freeMemory / 2, networks: freeNetworks === null ? Number.POSITIVE_INFINITY : freeNetworks - 1 })
  }

  /** Waits until a stack that needs this much of the disk may begin. Bytes. */
  untilMayBegin(disk: number, waiting: Waiting): Promise<Share> {
    return this.#work.request({ stacks: 1, disk }, waiting)
  }

  /** Waits until the containers of a stack may be made. */
  async untilMayStart({ networks, memoryBytes, containersOfUnknownMemory }: IsolationNeeds, waiting: Waiting): Promise<Turn> {
    const limit = this.#containers
    let share = await limit.request({ networks, memory: memoryBytes + containersOfUnknownMemory * memoryOfUnknown }, waiting)
    return {
      release: (how) => share.release(how),
      async untilAlone() {
        if (limit.holders <= 1) return false
        share.release()
        share = await limit.request('all', waiting)
        return true
      },
    }
  }
}

export interface Turn extends Share {
  /** Waits until the containers of no other stack are there. False: that is so already. */
  untilAlone(): Promise<boolean>
}

/** Returns what holds for this drill. To be asked when the copy is here. */
export function parallelDrills(run: Run, runtime: Runtime, { chosen, ...facts }: Pick<ParallelFacts, 'freeDisk' | 'freeNetworks'> & { readonly chosen: number }): ParallelDrills {
  // Without it what one stack has made is not removed without what the others have.
  const most = runtime.removePart === undefined ? 1 : (run.configuration.drill.parallelStacks ?? defaultParallelism())
  return new ParallelDrills({ ...facts, stacks: Math.max(1, Math.min(most, chosen)), freeMemory: availableMemory() })
}

/** Returns the bytes that the files of a stack need, and those that are compared a second time. */
export function diskNeeds({ snapshot }: ChosenSnapshot, sampleFiles: number): number {
  const bytes = snapshot.bytes ?? 0
  return bytes + Math.min(bytes, sampleFiles * largestComparedFile)
}

/** Returns what the runtime says that a stack needs; nothing where that cannot be found out. */
export async function needsOf(run: Run, runtime: Runtime, capsule: Capsule): Promise<IsolationNeeds> {
  const needs = await runtime.isolationNeeds?.(capsule, { signal: run.signal })
  if (needs?.ok === false) run.log('warning', needs.failure.message, { toolOutput: needs.failure.toolOutput })
  return needs?.ok === true ? needs.value : { networks: 1, memoryBytes: 0, containersOfUnknownMemory: 1 }
}
