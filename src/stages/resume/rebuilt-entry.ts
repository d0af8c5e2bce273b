import { readFileSync } from 'node:fs'

import type { Capsule, Runtime, StackState } from '@stackbk/contract'

import { problemFrom, type Problem } from '../../errors.js'
import { bootId } from '../../host/boot.js'
import { capsulePath } from '../../host/state-folder.js'
import type { DamagedEntry, JournalEntry } from '../../stacks/journal.js'
import { isAlive } from '../../stacks/running.js'
import type { Run } from '../run.js'

/**
 * A journal entry that a crash or a bad disk has damaged, put together anew: from the stack's capsule, which the same run wrote
 * before its stop, and from the containers themselves. It takes the place of the damaged one, of which a copy is kept.
 *
 * @returns `null`, with an error among the problems, where nothing tells what ran; where only the runtime could not say, the
 * damaged entry stays, and the next command asks again
 */
export async function rebuiltEntry(run: Run, runtime: Runtime, { key, reason }: DamagedEntry, problems: Problem[]): Promise<JournalEntry | null> {
  const capsule = readCapsule(capsulePath(run.state, key))
  const problem = {
    code: 'journal-damaged',
    message: `a journal entry (${key}) cannot be read: ${reason}`,
    ...(capsule === null ? {} : { stack: capsule.stack }),
  }
  if (capsule === null) {
    const keptAs = run.journal.keepAside(key)
    problems.push({ ...problem, severity: 'error', fix: `See whether the stack runs, and start it if not; what is left of the entry is in ${keptAs}` })
    return null
  }
  const recalled = await runtime.recall(capsule)
  if (!recalled.ok) {
    problems.push({ ...problem, severity: 'error', message: `${problem.message}; ${problemFrom(recalled.failure).message}`, fix: 'Run: stackbk resume' })
    return null
  }
  const keptAs = run.journal.copyAside(key)
  problems.push({ ...problem, severity: 'warning', fix: `What ran is taken from the stack's capsule and its containers; what is left of the entry is in ${keptAs}` })
  const entry: JournalEntry = {
    schemaVersion: 1,
    runId: run.id,
    key,
    name: capsule.stack,
    directory: capsule.directory,
    writtenAt: capsule.createdAt,
    bootId: bootId(),
    mode: (await isAllThere(runtime, recalled.value)) ? 'stop' : 'down',
    healthTimeoutMs: run.configuration.docker.healthTimeoutMs,
    state: recalled.value,
    whyNotDown: [],
    // Where its sources lay is lost with the damaged entry.
    devices: [],
  }
  run.journal.write(entry)
  return entry
}

function readCapsule(path: string): Capsule | null {
  try {
    const capsule = JSON.parse(readFileSync(path, 'utf8')) as Partial<Capsule> | null
    return capsule?.schemaVersion === 1 && typeof capsule.directory === 'string' && Array.isArray(capsule.projects) ? (capsule as Capsule) : null
  } catch {
    return null
  }
}

/** Then it was stopped and not taken down, whatever was asked for. */
async function isAllThere(runtime: Runtime, state: StackState): Promise<boolean> {
  const look = await runtime.inspect([state.directory])
  const present = new Set(look.ok ? look.value.flatMap((one) => one.projects).flatMap((project) => project.containers.map(({ id }) => id)) : [])
  return state.projects.flatMap((project) => project.containers).filter(isAlive).every(({ id }) => present.has(id))
}
