import { createHash } from 'node:crypto'

import { StackbkError } from '../errors.js'
import { acquireAbstractLock, type AbstractLock, type LockHolder } from './abstract-lock.js'

/** What two runs must not change at once; the same for every user and configuration of this host. */
export interface LockedThing {
  readonly kind: string
  /** Names the thing in a way that does not depend on who asks. */
  readonly id: string
}

/**
 * The one lock of a run, made of a part for each thing that it may change: two runs that share any of them exclude each
 * other, others do not. The kernel releases it with the process. Nothing of it lies in any folder.
 */
export class RunLock {
  readonly #command: string
  readonly #isRehearsal: boolean
  readonly #held = new Map<string, AbstractLock>()

  /** A rehearsal only looks whether the lock is free. */
  constructor(command: string, isRehearsal: boolean) {
    this.#command = command
    this.#isRehearsal = isRehearsal
  }

  /** Throws (kind `busy`) when another run holds any of them; what was taken before stays taken until {@link release}. */
  async take(things: readonly LockedThing[]): Promise<void> {
    const names = new Map(things.map((thing) => [nameOf(thing), thing]))
    // In the same order by everybody, so that two runs never hold half each.
    for (const name of [...names.keys()].sort()) {
      if (this.#held.has(name)) continue
      const attempt = await acquireAbstractLock(name, this.#command)
      if ('heldBy' in attempt) throw busy(names.get(name), attempt.heldBy)
      if (this.#isRehearsal) await attempt.release()
      else this.#held.set(name, attempt)
    }
  }

  async release(): Promise<void> {
    for (const lock of this.#held.values()) await lock.release()
    this.#held.clear()
  }
}

/** Abstract socket names have 107 bytes; paths are longer. */
function nameOf(thing: LockedThing): string {
  return `stackbk/${thing.kind}/${createHash('sha256').update(thing.id).digest('hex').slice(0, 40)}`
}

function busy(thing: LockedThing | undefined, holder: LockHolder | null): StackbkError {
  const what = thing === undefined ? '' : `; both would change the ${thing.kind === 'stacks' ? 'stacks in' : thing.kind} ${thing.id}`
  return new StackbkError({
    kind: 'busy',
    message: 'another stackbk run is at work',
    detail: holder === null ? `it does not say which${what}` : `${holder.command}, PID ${holder.pid}, for ${age(holder.startedAt)}${what}`,
    fix: 'Wait until it has ended, or end it with: kill ' + (holder === null ? 'PID' : String(holder.pid)),
  })
}

function age(startedAt: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(startedAt)) / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return `${Math.round(seconds / 3600)} h`
}
