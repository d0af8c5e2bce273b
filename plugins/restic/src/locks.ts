import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'

import { answered, failed, type Answer, type CallOptions, type StaleLockOptions, type StaleLockReport } from '@stackbk/contract'

import { asNumber, asString, parseObject } from './json.js'
import type { Restic } from './restic.js'
import { utc } from './snapshots.js'

export interface RepositoryLock {
  readonly id: string
  readonly host: string
  readonly user: string
  readonly pid: number
  /** When it was last renewed, which restic does every five minutes. ISO 8601 UTC. */
  readonly time: string
  readonly isExclusive: boolean
}

/** `restic unlock` also takes locks of other hosts that were not renewed for so long (restic's StaleLockTimeout). */
const resticsOwnAgeLimitMs = 30 * 60_000

/**
 * A lock that restic was killed at while it wrote it, under its local backend's name for a file that is not whole yet. It locks
 * nothing, and neither `restic unlock` nor `restic prune` takes it away.
 */
const halfWritten = /^[0-9a-f]{64}-tmp-\d+$/

/** How long a restic may take from its start until it has locked the repository. */
const lockingLimitMs = 60_000

/** /proc tells the time of the boot in whole seconds. */
const clockGrainMs = 2000

/** All locks that can be read; one that vanishes meanwhile is none. */
export async function listLocks(restic: Restic, options: CallOptions = {}): Promise<Answer<readonly RepositoryLock[]>> {
  if (restic.place.problem !== null) return failed(restic.place.problem)
  const what = `the locks of ${restic.place.display} cannot be listed`
  const result = await restic.run({ command: 'list', operands: ['locks'], locking: 'none', options })
  if (result.outcome !== 'exited' || result.exitCode !== 0) return restic.failed(result, what)
  const locks: RepositoryLock[] = []
  for (const id of result.stdout.split('\n').filter((line) => /^[0-9a-f]{64}$/.test(line))) {
    const read = await restic.run({ command: 'cat', operands: ['lock', id], locking: 'none', options })
    if (read.outcome !== 'exited') return restic.failed(read, what)
    const lock = parseObject(read.stdout)
    if (read.exitCode !== 0 || lock === null) continue
    locks.push({
      id,
      host: asString(lock['hostname']),
      user: asString(lock['username']),
      pid: asNumber(lock['pid']),
      time: utc(asString(lock['time'])),
      isExclusive: lock['exclusive'] === true,
    })
  }
  return answered(locks)
}

/**
 * Removes locks of this host whose process is gone. `restic unlock` alone is not exact: it takes a lock to be alive when its
 * PID belongs to anything at all, as it does after a reboot, and to be stale by age on whatever host.
 *
 * @param options `leastAgeMs`: only those that were not renewed for so long, by default half an hour, since another machine may have
 * this one's name; `processes`: and those of these processes of this machine, however young; `interruptedStarts`: and those that were
 * made right after one of these moments, in which a run of this machine died while it started a restic
 */
export async function removeStaleLocks(restic: Restic, { leastAgeMs = resticsOwnAgeLimitMs, processes = new Set(), interruptedStarts = [], ...options }: StaleLockOptions = {}): Promise<Answer<StaleLockReport>> {
  if (restic.place.path !== null) {
    await removeHalfWritten(restic.place.path)
    if (await hasNoLocks(restic.place.path)) return answered({ removed: 0, held: [] })
  }
  const locks = await listLocks(restic, options)
  if (!locks.ok) return locks
  // Those of our own processes are known to be of this PID namespace.
  const isOurs = ({ pid, time }: RepositoryLock): boolean => processes.has(pid) || interruptedStarts.some((at) => Date.parse(time) >= at && Date.parse(time) <= at + lockingLimitMs)
  const gone = locks.value.filter((lock) => (isOurs(lock) ? isOfGoneProcess(lock, true) : Date.now() - Date.parse(lock.time) >= leastAgeMs && isOfGoneProcess(lock)))
  const others = locks.value.filter((lock) => !gone.includes(lock))
  if (gone.length === 0) return answered({ removed: 0, held: others.map(lockInWords) })

  const { path } = restic.place
  if (path !== null) {
    try {
      for (const lock of gone) await rm(join(path, 'locks', lock.id), { force: true })
      return answered({ removed: gone.length, held: others.map(lockInWords) })
    } catch (error) {
      return failed({
        kind: 'failed',
        message: `the stale locks of ${restic.place.display} could not be removed`,
        toolOutput: (error as Error).message,
      })
    }
  }
  // It would take these too: by their age, or because a machine of the same name has no such process.
  if (others.some((lock) => Date.now() - Date.parse(lock.time) > resticsOwnAgeLimitMs || (lock.host === hostname() && !processExists(lock.pid)))) {
    return answered({ removed: 0, held: locks.value.map(lockInWords) })
  }
  const result = await restic.run({ command: 'unlock', locking: 'none', options })
  if (result.outcome !== 'exited' || result.exitCode !== 0) {
    return restic.failed(result, `the stale locks of ${restic.place.display} could not be removed`)
  }
  const left = await listLocks(restic, options)
  if (!left.ok) return left
  return answered({
    removed: locks.value.filter((lock) => !left.value.some(({ id }) => id === lock.id)).length,
    held: left.value.map(lockInWords),
  })
}

/** How long a repository may take to have the locks of our own dead removed, which must not keep a run from its end. */
const ownLocksLimitMs = 30_000

/** Locks of our own tools that a signal has ended are in nobody's way: not in that of this run's retention, nor of the next run. Never fails. */
export async function removeLocksOfKilled(restic: Restic): Promise<void> {
  const processes = restic.takeKilled()
  if (processes.size > 0) await removeStaleLocks(restic, { processes, leastAgeMs: Infinity, signal: AbortSignal.timeout(ownLocksLimitMs) })
}

/** Most often there is none, and a look at the folder costs nothing. */
async function hasNoLocks(repository: string): Promise<boolean> {
  try {
    return (await readdir(join(repository, 'locks'))).every((name) => halfWritten.test(name))
  } catch {
    return false
  }
}

/** Of those that are being written now, which takes a moment, none is touched. Never fails: they are in nobody's way. */
async function removeHalfWritten(repository: string): Promise<void> {
  const folder = join(repository, 'locks')
  const names = await readdir(folder).catch((): string[] => [])
  for (const path of names.filter((name) => halfWritten.test(name)).map((name) => join(folder, name))) {
    const file = await stat(path).catch(() => null)
    if (file !== null && Date.now() - file.mtimeMs > resticsOwnAgeLimitMs) await rm(path, { force: true }).catch(() => {})
  }
}

/** Who, from where, since when. */
export function lockInWords(lock: RepositoryLock): string {
  const where = lock.host === hostname() ? `${lock.host} (this host)` : lock.host
  return `process ${lock.pid} of ${lock.user || 'somebody'} on ${where}, ${lock.isExclusive ? 'exclusively, ' : ''}last renewed ${lock.time}`
}

/**
 * Whether the process of a lock is certainly gone: there is none with its PID, or one that is no restic and younger than the
 * lock (a PID that was given again). A lock does not say in which PID namespace its process was. Only the first namespace of
 * a machine shows the processes of all others, so in a container a lock that was renewed lately counts as held.
 */
export function isOfGoneProcess(lock: Pick<RepositoryLock, 'host' | 'pid' | 'time'>, seesAll = seesAllProcesses()): boolean {
  if (lock.host !== hostname() || lock.pid <= 0) return false
  const isRenewed = Date.now() - Date.parse(lock.time) <= resticsOwnAgeLimitMs
  if (isRenewed && !seesAll) return false
  if (seesAll && isResticOfContainer(lock.pid)) return false
  if (!processExists(lock.pid)) return true
  const startedAt = processStart(lock.pid)
  return startedAt !== null && startedAt > Date.parse(lock.time) + clockGrainMs && !mightBeRestic(lock.pid)
}

/** The kernel gives the first PID namespace of a machine this number (PROC_PID_INIT_INO). */
const firstPidNamespace = 'pid:[4026531836]'

function seesAllProcesses(): boolean {
  try {
    return readlinkSync('/proc/self/ns/pid') === firstPidNamespace
  } catch {
    return false
  }
}

/** Whether a restic has this PID in a PID namespace of its own; `NSpid:` of /proc/PID/status lists its PIDs from the outside in (proc(5)). */
function isResticOfContainer(pid: number): boolean {
  return readdirSync('/proc').some((entry) => {
    if (!/^\d+$/.test(entry)) return false
    try {
      const [, ...inner] = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8'))?.[1]?.split(/\s+/) ?? []
      return inner.includes(String(pid)) && mightBeRestic(Number(entry))
    } catch {
      return false
    }
  })
}

/** A dead process that its parent has not reaped yet (`Z`, `X`) holds nothing any more. */
function processExists(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !['Z', 'X'].includes(stat.charAt(stat.lastIndexOf(')') + 2))
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT' && (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Milliseconds since the epoch (proc(5): field 22 of stat in hundredths of a second since boot, `btime` of /proc/stat). */
function processStart(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    const boot = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1])
    return Number.isFinite(ticks) && Number.isFinite(boot) ? boot * 1000 + ticks * 10 : null
  } catch {
    return null
  }
}

/** True where it cannot be told. The start alone must not decide: a clock that was set meanwhile moves it. */
function mightBeRestic(pid: number): boolean {
  try {
    const program = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0', 1)[0] ?? ''
    return basename(program).includes('restic') || readFileSync(`/proc/${pid}/comm`, 'utf8').includes('restic')
  } catch {
    return true
  }
}
