import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

import { processesOf } from './mapped-files.js'

/** In clock ticks: the unit of times in `/proc/PID/stat`, the same on all of Linux. */
const ticksPerSecond = 100

/**
 * Finds out whether the processes of some containers wrote anything between {@link begin} and {@link end}, by the kernel's counters
 * (`/proc/PID/io`). These count every write, to files, pipes and sockets; a process that has ended counts for its parent. A
 * program that `docker exec` or a healthcheck starts belongs to the container's shim, whose counters are compared too. It may not
 * see what changes only an entry (a rename, a removal), nor writes through a memory map.
 */
export class ProcessWrites {
  readonly #find: () => ReturnType<typeof processesOf>
  /** Of the containers, and the processes that have started them. */
  readonly #processes: ReadonlySet<string>
  readonly #areKnown: boolean
  #before: Counters | null = null
  #after: Counters | null = null
  #endedAt = 0

  private constructor(find: () => ReturnType<typeof processesOf>, processes: ReadonlySet<string>, areKnown: boolean) {
    this.#find = find
    this.#processes = processes
    this.#areKnown = areKnown
  }

  /**
   * Looks for the processes. Never throws.
   *
   * @param find a test's own
   */
  static async of(containerIds: readonly string[], find = processesOf): Promise<ProcessWrites> {
    const found = await find(containerIds)
    const own = new Set(found.map(({ pid }) => pid))
    const parents = await Promise.all([...own].map(parentOf))
    const count = await Promise.all([...own].map(countsItsChildren))
    const areKnown = containerIds.length > 0 && containerIds.every((id) => found.some(({ container }) => container === id)) && !parents.includes(null) && !count.includes(false)
    return new ProcessWrites(() => find(containerIds), new Set([...own, ...parents.filter((parent) => parent != null)]), areKnown)
  }

  begin(): void {
    this.#before = this.#counters()
  }

  end(): void {
    this.#after = this.#counters()
    this.#endedAt = secondsSinceBoot()
  }

  /** Returns whether it is certain that none of them wrote. Never throws. */
  async wroteNothing(): Promise<boolean> {
    const [before, after] = [this.#before, this.#after]
    if (!this.#areKnown || before === null || after === null) return false
    // One that has ended since counts for its parent.
    if ([...after].some(([pid, counters]) => before.get(pid) !== counters)) return false
    const added = (await this.#find()).filter(({ pid }) => !before.has(pid))
    const wrote = await Promise.all(added.map(async ({ pid }) => !((await startOf(pid)) > this.#endedAt) && !/^\S+ 0(?:\n\S+ 0)*$/.test(countersIn(await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '')))))
    return !wrote.includes(true)
  }

  /** Returns those of the processes that are still there; `null` where one may not be looked into. Not awaited: a stack is down meanwhile. */
  #counters(): Counters | null {
    const found = new Map<string, string>()
    for (const pid of this.#processes) {
      try {
        found.set(pid, countersIn(readFileSync(`/proc/${pid}/io`, 'utf8')))
      } catch (error) {
        if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
      }
    }
    return found
  }
}

/** By process. */
type Counters = ReadonlyMap<string, string>

function countersIn(text: string): string {
  return text.split('\n').filter((line) => written.test(line)).join('\n')
}

/** Calls and bytes of writes, and pages that were made dirty in any way, or no longer are. */
const written = /^(?:wchar|syscw|write_bytes|cancelled_write_bytes):/

/** Returns nothing where it has ended, and `null` where its parent lies in a namespace that this program does not see. */
async function parentOf(pid: string): Promise<string | null | undefined> {
  const parent = fieldsOf(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))[1]
  return parent === '0' ? null : parent
}

/** Whether what a child of it has written counts for it in the end: not so where it ignores SIGCHLD. `null`: it has ended. */
async function countsItsChildren(pid: string): Promise<boolean | null> {
  const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1]
  return ignored === undefined ? null : ((BigInt(`0x${ignored}`) >> 16n) & 1n) === 0n
}

/** In seconds since the machine was started; not a number where it has ended. */
async function startOf(pid: string): Promise<number> {
  const ticks = fieldsOf(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))[19]
  return ticks === undefined ? Number.NaN : Number(ticks) / ticksPerSecond
}

/** What follows the name, which may hold blanks and brackets: state, parent, ... */
function fieldsOf(stat: string): readonly string[] {
  const end = stat.lastIndexOf(') ')
  return end < 0 ? [] : stat.slice(end + 2).trim().split(' ')
}

function secondsSinceBoot(): number {
  return Number.parseFloat(readFileSync('/proc/uptime', 'utf8'))
}
