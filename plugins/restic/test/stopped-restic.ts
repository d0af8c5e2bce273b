import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import { onTestFinished } from 'vitest'

import type { Bench } from './bench.js'
import { until } from './processes.js'

/** A restic that stands still with the repository locked for itself, until the running test ends. */
export async function stoppedRestic(made: Bench): Promise<ChildProcess> {
  const holder = spawn('restic', ['prune'], {
    env: { ...process.env, RESTIC_REPOSITORY: made.repository, RESTIC_PASSWORD: made.password },
    stdio: 'ignore',
  })
  onTestFinished(() => {
    holder.kill('SIGKILL')
  })
  const before = locksOf(made).length
  await until(() => locksOf(made).length > before, 'its lock is there')
  holder.kill('SIGSTOP')
  return holder
}

/** Without those that are still being written. */
export function locksOf({ repository }: Pick<Bench, 'repository'>): string[] {
  return readdirSync(join(repository, 'locks')).filter((name) => /^[0-9a-f]{64}$/.test(name))
}
