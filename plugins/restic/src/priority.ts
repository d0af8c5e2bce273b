import { readdirSync } from 'node:fs'
import { constants, setPriority } from 'node:os'

/**
 * While the repository is being opened, which is key derivation and all processor, another stack may be starting: on a small
 * machine that costs its downtime. So the first phase stands back, and the second, in which this stack is down, does not.
 * Raising a priority again is root's right; without it nothing is lowered.
 */
export function standBack(pid: number): void {
  if (process.getuid?.() === 0) setPriorityOfThreads(pid, constants.priority.PRIORITY_LOW)
}

export function comeForward(pid: number): void {
  if (process.getuid?.() === 0) setPriorityOfThreads(pid, constants.priority.PRIORITY_NORMAL)
}

/** On Linux a priority belongs to a thread. */
function setPriorityOfThreads(pid: number, priority: number): void {
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), priority)
  } catch {
    // It has ended, or may not be touched: then it keeps the priority that it has.
  }
}
