import { readdirSync, readFileSync } from 'node:fs'

import type { ToolProcess } from '@stackbk/contract'

/** What /proc/PID/stat says of a process (proc(5)). */
export interface ProcessFacts {
  readonly pid: number
  readonly command: string
  /** One letter, of its first thread; `Z` and `X` are dead. */
  readonly state: string
  /** All that are left, dead first one included. */
  readonly threads: number
  readonly processGroup: number
  /** Clock ticks since boot: with the PID it names one process for as long as the machine is up. */
  readonly startTicks: number
}

/** The facts of one process; `null` when there is none, or no /proc. */
export function readProcess(pid: number): ProcessFacts | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
  // The command stands in parentheses and may itself hold blanks and parentheses: the last one closes it.
  const close = stat.lastIndexOf(')')
  const fields = stat.slice(close + 2).split(' ')
  return {
    pid,
    command: stat.slice(stat.indexOf('(') + 1, close),
    state: fields[0] ?? '?',
    threads: Number(fields[17]),
    processGroup: Number(fields[2]),
    startTicks: Number(fields[19]),
  }
}

/** All processes for which the test holds. */
export function findProcesses(test: (facts: ProcessFacts) => boolean): ProcessFacts[] {
  let names: string[]
  try {
    names = readdirSync('/proc')
  } catch {
    return []
  }
  return names
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((facts): facts is ProcessFacts => facts !== null && test(facts))
}

/**
 * Dead ones that nobody has reaped are not alive. One whose first thread is dead while another is stuck in the kernel is: it
 * shows as a zombie too, yet the system does not say that it has ended.
 */
export function isAlive(facts: ProcessFacts): boolean {
  return facts.state !== 'X' && (facts.state !== 'Z' || facts.threads > 1)
}

export function processState(pid: number): 'alive' | 'gone' {
  const facts = readProcess(pid)
  return facts === null || !isAlive(facts) ? 'gone' : 'alive'
}

/** Whether this PID still belongs to the process that was noted. */
export function isSameProcess(noted: ToolProcess): boolean {
  const facts = readProcess(noted.pid)
  if (facts === null || !isAlive(facts)) return false
  return noted.startTicks === null || facts.startTicks === noted.startTicks
}
