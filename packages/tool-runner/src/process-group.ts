import { setTimeout as delay } from 'node:timers/promises'

import type { StopManner } from '@stackbk/contract'

import { findProcesses, isAlive } from './process-table.js'

/** After SIGKILL a process is gone at once, unless it is stuck in the kernel: then nobody can end it, and waiting helps nobody. */
const killLimitMs = 10_000

/** How often a group is looked at while it ends. */
const pollMs = 10

/** Whether any process of the group lives. Dead ones that nobody reaps keep a group in existence: they do not count. */
export function groupIsAlive(group: number): boolean {
  try {
    process.kill(-group, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return findProcesses((facts) => facts.processGroup === group && isAlive(facts)).length > 0
}

/**
 * Ends a process group: one signal to all of it, its grace, then SIGKILL. Settles when no process of it lives, or 10 s
 * after the SIGKILL.
 *
 * @returns whether SIGKILL was needed, and whether the group is gone (false: stuck in the kernel)
 */
export async function endProcessGroup(group: number, manner: StopManner): Promise<{ wasKilled: boolean; isGone: boolean }> {
  if (!groupIsAlive(group)) return { wasKilled: false, isGone: true }
  signalGroup(group, manner.signal)
  if (await groupEnds(group, manner.graceMs)) return { wasKilled: false, isGone: true }
  signalGroup(group, 'SIGKILL')
  return { wasKilled: true, isGone: await groupEnds(group, killLimitMs) }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch {
    // It ended by itself meanwhile.
  }
}

async function groupEnds(group: number, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs
  while (groupIsAlive(group)) {
    if (performance.now() >= deadline) return false
    await delay(pollMs)
  }
  return true
}
