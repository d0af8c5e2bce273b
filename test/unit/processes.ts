import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

import { afterEach } from 'vitest'

const begun: ChildProcess[] = []
const strays: number[] = []

afterEach(() => {
  for (const child of begun.splice(0)) child.kill('SIGKILL')
  for (const pid of strays.splice(0)) for (const whom of pid > 1 ? [-pid, pid] : []) endIfThere(whom)
})

/** A process, or with a minus a whole group. */
function endIfThere(whom: number): void {
  try {
    process.kill(whom, 'SIGKILL')
  } catch {
    // It has ended, as it should.
  }
}

/**
 * A Node process that runs this module in this folder, and the first line that it says. It ends with the test at the latest.
 * Throws when it ends without a word, with what it complained of.
 */
export async function nodeProcess(folder: string, module: string): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', module], { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] })
  begun.push(child)
  let complaint = ''
  child.stderr.on('data', (chunk) => {
    complaint += String(chunk)
  })
  const said = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk) => resolve(String(chunk).trim()))
    child.once('close', () => reject(new Error(`the process ended and said nothing: ${complaint}`)))
  })
  return { child, said }
}

/** SIGKILL, and waits until it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** Ends it with the test, if it still lives. */
export function endWithTest(...pids: number[]): void {
  strays.push(...pids)
}

export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}

/** Waits for a fact. Throws when it does not come true. */
export async function until(fact: () => boolean, what: string, limitMs = 10_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!fact()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await delay(5)
  }
}
