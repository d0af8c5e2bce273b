import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import type { ToolRequest } from '@stackbk/contract'
import { afterEach, beforeEach } from 'vitest'

import { processState } from '../src/process-table.js'

/** A folder of the test's own, gone after it, and processes that must not outlive the test. */
export const world = { folder: '', strays: [] as number[] }

beforeEach(() => {
  world.folder = mkdtempSync(join(tmpdir(), 'stackbk-tool-'))
})

afterEach(() => {
  for (const pid of world.strays.splice(0)) for (const whom of pid > 1 ? [-pid, pid] : []) endIfThere(whom)
  rmSync(world.folder, { recursive: true, force: true })
})

/** A process, or with a minus a whole group. */
function endIfThere(whom: number): void {
  try {
    process.kill(whom, 'SIGKILL')
  } catch {
    // It has ended, as it should.
  }
}

export function at(path: string): string {
  return join(world.folder, path)
}

/** A request that runs a script, its further arguments in `$1`, `$2`. */
export function script(text: string, ...args: string[]): Pick<ToolRequest, 'file' | 'args'> {
  return { file: 'sh', args: ['-c', text, 'test', ...args] }
}

/** A request that runs JavaScript. */
export function node(text: string, ...args: string[]): Pick<ToolRequest, 'file' | 'args'> {
  return { file: process.execPath, args: ['--eval', text, ...args] }
}

/** Waits for a fact. Throws when it does not come true. */
export async function until(fact: () => boolean, what: string, limitMs = 10_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!fact()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await delay(5)
  }
}

export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export function isAlive(pid: number): boolean {
  return processState(pid) === 'alive'
}
