import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, linkSync, lstatSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import type { LockAttempt } from './abstract-lock.js'
import { askHolder, type LockHolder, serveLock, untilClosed } from './lock-socket.js'
import { makeFolder } from './make-folder.js'

/** A socket's path has 107 bytes, and Node cuts longer ones: that leaves room for a file in the folder of a lock. */
const longestFolder = 80

/** Cleared at every start of the machine. */
const lockFolder = '/run/stackbk'

export interface RootLockRequest {
  /** Names the lock. */
  readonly name: string
  readonly command: string
  readonly limitMs: number
  readonly signal?: AbortSignal | undefined
  /** For tests. */
  readonly folder?: string
}

/**
 * Takes a lock that only root can take: a listening socket in a folder that only root can enter. The kernel ends the socket
 * with its process, but its file stays. So the files of one lock are numbered, and the highest one counts: a process that
 * finds it dead makes the next one, already listening, by a link that fails if another process was first. A file is removed
 * only while a higher one is there, so no process can take a number that was passed.
 *
 * `null` if there can be no such folder: for another user, or without a writable /run.
 */
export async function waitForRootLock(request: RootLockRequest): Promise<LockAttempt | null> {
  const folder = privateFolder(request)
  if (folder === null) return null
  const begin = performance.now()
  const holder: LockHolder = { pid: process.pid, command: request.command, startedAt: new Date().toISOString() }
  for (;;) {
    const highest = highestIn(folder)
    const conversation = highest === 0 ? null : await askHolder(join(folder, String(highest)))
    if (conversation !== null) {
      const isReleased = await untilClosed(conversation.socket, request.limitMs - (performance.now() - begin), request.signal)
      conversation.socket.destroy()
      if (!isReleased) return { heldBy: conversation.holder }
      continue
    }
    const fresh = join(folder, `new-${randomBytes(6).toString('hex')}`)
    const lock = await serveLock(fresh, holder)
    if (lock === null) continue
    const isFirst = linked(fresh, join(folder, String(highest + 1)))
    rmSync(fresh, { force: true })
    if (isFirst && highestIn(folder) === highest + 1) {
      removeOthers(folder, highest + 1)
      return lock
    }
    await lock.release()
    if (isFirst) rmSync(join(folder, String(highest + 1)), { force: true })
  }
}

/** The lock has the scope of the other one: processes in one network namespace exclude each other. */
function privateFolder({ name, folder = lockFolder }: RootLockRequest): string | null {
  if (process.getuid?.() !== 0) return null
  try {
    makeFolder(folder)
    const found = lstatSync(folder)
    if (!found.isDirectory() || found.uid !== 0) return null
    if ((found.mode & 0o077) !== 0) chmodSync(folder, 0o700)
    const [namespace] = /\d+/.exec(readlinkSync('/proc/self/ns/net')) ?? ['']
    const own = join(folder, namespace, createHash('sha256').update(name).digest('hex').slice(0, 20))
    if (Buffer.byteLength(own) > longestFolder) return null
    makeFolder(own)
    return own
  } catch {
    return null
  }
}

function highestIn(folder: string): number {
  return readdirSync(folder).reduce((highest, entry) => (/^\d+$/.test(entry) ? Math.max(highest, Number(entry)) : highest), 0)
}

/** False if that name is taken, or a holder has removed the new file as a leftover. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

/** Of killed processes. */
function removeOthers(folder: string, own: number): void {
  for (const entry of readdirSync(folder)) if (!/^\d+$/.test(entry) || Number(entry) < own) rmSync(join(folder, entry), { force: true })
}
