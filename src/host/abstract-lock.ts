import { setTimeout as pause } from 'node:timers/promises'

import { answerLimitMs, askHolder, type HeldLock, type LockHolder, serveLock, untilClosed } from './lock-socket.js'

export type { LockHolder } from './lock-socket.js'
export type AbstractLock = HeldLock

/** `heldBy` is `null` for a holder that does not say who it is. */
export type LockAttempt = HeldLock | { readonly heldBy: LockHolder | null }

/** Between two attempts at a name that is bound and where no process listens: its release wakes nobody. Milliseconds. */
const bareNamePauseMs = 100

/**
 * Takes a lock that the kernel releases with the process, however that ends: a listening socket in Linux' abstract
 * namespace, which is no file, the same for every user of this host (of one network namespace). `name` has at most 100
 * bytes. A process that connects receives who holds it. Throws the system's error for anything but "held".
 */
export async function acquireAbstractLock(name: string, command: string): Promise<LockAttempt> {
  return waitForAbstractLock(name, command, 0)
}

/** The same, but waits for the holder, at most so long or until the signal. Woken by the release itself, not by polling. */
export async function waitForAbstractLock(name: string, command: string, limitMs: number, signal?: AbortSignal): Promise<LockAttempt> {
  const begin = performance.now()
  const holder: LockHolder = { pid: process.pid, command, startedAt: new Date().toISOString() }
  for (;;) {
    const lock = await serveLock(`\0${name}`, holder)
    if (lock) return lock
    const conversation = await askHolder(`\0${name}`)
    const waited = performance.now() - begin
    if (conversation === null) {
      // Released between the two calls, so try again. A name that is bound and never listened on is held by no stackbk.
      if (waited >= Math.max(limitMs, answerLimitMs) || signal?.aborted === true) return { heldBy: null }
      await pause(Math.min(bareNamePauseMs, waited))
      continue
    }
    const isReleased = await untilClosed(conversation.socket, limitMs - waited, signal)
    conversation.socket.destroy()
    if (!isReleased) return { heldBy: conversation.holder }
  }
}
