import { createHash } from 'node:crypto'

import { StackbkError } from '../errors.js'
import { type AbstractLock, acquireAbstractLock, type LockHolder, waitForAbstractLock } from './abstract-lock.js'
import { waitForRootLock } from './root-lock.js'
import { hasBound, userWhoBound } from './socket-owner.js'
import { longestTimerMs } from './timer.js'

/** What two runs must not change at once; the same for every user and configuration of this host. */
export interface LockedThing {
  readonly kind: string
  /** Names the thing in a way that does not depend on who asks. */
  readonly id: string
}

export interface RunLockOptions {
  /** How long the run waits for others, all its locks together. Milliseconds. Default: not at all, and no flag to wait. */
  readonly waitMs?: number
  /** Ends the waiting. */
  readonly signal?: AbortSignal
  /** Called before the run waits. */
  readonly onWait?: (message: string) => void
  /**
   * Root's run goes on although a process of another user holds the lock's name: the lock that only root can take decides.
   * Called with a sentence about that. Default: root's run is refused like any other.
   */
  readonly onOverruled?: (message: string) => void
  /** Where root's own locks are; for tests. */
  readonly rootFolder?: string
}

/**
 * The one lock of a run, made of a part for each thing that it may change: two runs that share any of them exclude each
 * other, others do not. The kernel releases it with the process. Root's runs have a second lock, which no other user can take.
 */
export class RunLock {
  readonly #command: string
  readonly #isDryRun: boolean
  readonly #options: RunLockOptions
  readonly #held = new Map<string, readonly AbstractLock[]>()
  #deadline: number | null = null

  /** A dry run only looks whether the lock is free. */
  constructor(command: string, isDryRun: boolean, options: RunLockOptions = {}) {
    this.#command = command
    this.#isDryRun = isDryRun
    this.#options = options
  }

  /**
   * Throws (kind `busy`) when another run holds any of them, after the time that the run may wait, and (kind `interrupted`)
   * when the signal ends the waiting. What was taken before stays taken until {@link release}.
   */
  async take(things: readonly LockedThing[]): Promise<void> {
    const names = new Map(things.map((thing) => [nameOf(thing), thing]))
    // In the same order in every run, so that two runs never hold half each.
    for (const [name, thing] of [...names].sort(([one], [other]) => (one < other ? -1 : 1))) {
      if (this.#held.has(name)) continue
      const parts = await this.#takeOne(name, thing)
      if (!this.#isDryRun) this.#held.set(name, parts)
      else for (const part of parts) await part.release()
    }
  }

  async release(): Promise<void> {
    for (const part of [...this.#held.values()].flat()) await part.release()
    this.#held.clear()
  }

  async #takeOne(name: string, thing: LockedThing): Promise<AbstractLock[]> {
    const { onOverruled, signal, rootFolder } = this.#options
    // A dry run makes no file. Every run of root's has the other lock too.
    const own = this.#isDryRun ? null : await this.#waiting(name, thing, 'root', (limitMs) => waitForRootLock({ name, command: this.#command, limitMs, signal, ...(rootFolder === undefined ? {} : { folder: rootFolder }) }))
    const parts = own === null ? [] : [own]
    try {
      if (own !== null && onOverruled !== undefined) {
        const attempt = await acquireAbstractLock(name, this.#command)
        if (!('heldBy' in attempt)) return [...parts, attempt]
        const user = userWhoBound(name)
        if (user !== 0) {
          onOverruled(`the lock of the ${inWords(thing)} is held by ${user === null ? 'a process that cannot be seen' : `a process of the user ${user}`}, and not by a run of root's: going on without it`)
          return parts
        }
      }
      const other = await this.#waiting(name, thing, 'anybody', (limitMs) => waitForAbstractLock(name, this.#command, limitMs, signal))
      return other === null ? parts : [...parts, other]
    } catch (error) {
      for (const part of parts) await part.release()
      throw error
    }
  }

  /** Tries at once, then, if the run may wait, for what is left of that time. */
  async #waiting(name: string, thing: LockedThing, mayHold: 'root' | 'anybody', attempt: (limitMs: number) => Promise<AbstractLock | { readonly heldBy: LockHolder | null } | null>): Promise<AbstractLock | null> {
    const first = await attempt(0)
    if (first === null || !('heldBy' in first)) return first
    const { waitMs = 0, signal, onWait } = this.#options
    this.#deadline ??= performance.now() + Math.min(waitMs, longestTimerMs)
    const leftMs = this.#deadline - performance.now()
    if (this.#isDryRun || leftMs <= 0) throw this.#busy(name, thing, first.heldBy, mayHold)
    onWait?.(`waiting for another stackbk run (${describe(first.heldBy)}), at most ${duration(leftMs)}`)
    const second = await attempt(leftMs)
    if (second === null || !('heldBy' in second)) return second
    if (signal?.aborted === true) throw new StackbkError({ kind: 'interrupted', code: 'interrupted', message: 'the waiting for another stackbk run was interrupted' })
    throw this.#busy(name, thing, second.heldBy, mayHold)
  }

  #busy(name: string, thing: LockedThing, holder: LockHolder | null, mayHold: 'root' | 'anybody'): StackbkError {
    // Whoever holds the lock says itself which command it is. Root decides by the word of no other user.
    const isBelievable = mayHold === 'root' || process.getuid?.() !== 0 || userWhoBound(name) === 0
    const what = `both use the ${inWords(thing)}`
    // The holder says its process ID itself: no one is asked to kill a process that has nothing to do with it.
    const kill = holder !== null && hasBound(holder.pid, name) ? `, or end it with: kill ${holder.pid}` : ''
    return new StackbkError({
      kind: 'busy',
      message: 'another stackbk run is at work',
      holder: isBelievable ? (holder?.command ?? null) : null,
      detail: `${describe(holder)}; ${what}`,
      fix: `Wait until it has ended${this.#options.waitMs === undefined ? '' : ' (--wait does so)'}${kill}`,
    })
  }
}

/** Abstract socket names have 107 bytes; paths are longer. */
function nameOf(thing: LockedThing): string {
  return `stackbk/${thing.kind}/${createHash('sha256').update(thing.id).digest('hex').slice(0, 40)}`
}

function inWords({ kind, id }: LockedThing): string {
  const names: Readonly<Record<string, string>> = { stacks: 'stacks in', journal: 'state folder', engine: 'container engine' }
  return `${names[kind] ?? kind} ${id}`
}

function describe(holder: LockHolder | null): string {
  return holder === null ? 'it does not say which' : `${holder.command}, PID ${holder.pid}, for ${duration(Date.now() - Date.parse(holder.startedAt))}`
}

function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return `${Math.round(seconds / 3600)} h`
}
