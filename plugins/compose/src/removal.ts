import { answered } from '@stackbk/contract'
import type { Answer, CallOptions } from '@stackbk/contract'

import { label } from './container.js'
import type { Docker } from './docker.js'

/** On everything that a rehearsal makes, and on nothing else. */
export const scratchLabel = 'stackbk.scratch'

/** The engine kills, one after another. */
const removalLimitMs = 300_000

/** What to list and how to remove it, in this order: a container holds on to its networks and volumes. */
const kinds = [
  { list: ['ps', '-a', '-q', '--no-trunc'], remove: ['rm', '-f', '-v', '--'] },
  { list: ['network', 'ls', '-q', '--no-trunc'], remove: ['network', 'rm', '--'] },
  { list: ['volume', 'ls', '-q'], remove: ['volume', 'rm', '--'] },
] as const

/** What removes at the same time, or makes still more, may come in between. */
const attemptLimit = 3

/** Removes every container, network and volume with this very label; of these projects only, where some are named. */
export async function removeByLabel(docker: Docker, scratch: string, options: CallOptions & { readonly project?: string } = {}): Promise<Answer<{ readonly removed: number }>> {
  const filters = [`label=${scratchLabel}=${scratch}`, ...(options.project === undefined ? [] : [`label=${label.project}=${options.project}`])].flatMap((filter) => ['--filter', filter])
  const call = { signal: options.signal }
  const removed = new Set<string>()
  for (let attempt = 1; ; attempt += 1) {
    let left = 0
    let failure: Answer<never> | null = null
    for (const kind of kinds) {
      const listed = await docker.ask(`docker ${kind.list[0]}`, [...kind.list, ...filters], call)
      if (!listed.ok) return listed
      const ids = listed.value.split('\n').filter((id) => id !== '')
      if (ids.length === 0) continue
      left += ids.length
      const gone = await docker.ask(`docker ${kind.remove[0]}`, [...kind.remove, ...ids], { ...call, timeoutMs: removalLimitMs })
      if (gone.ok) for (const id of ids) removed.add(id)
      else failure ??= gone
    }
    if (left === 0 || failure === null) return answered({ removed: removed.size })
    if (attempt === attemptLimit || options.signal?.aborted) return failure
  }
}

/** One after another, so that one in use keeps no other. */
export async function removeVolumes(docker: Docker, names: readonly string[], options: CallOptions = {}): Promise<Answer<{ readonly removed: readonly string[] }>> {
  const removed: string[] = []
  for (const name of new Set(names)) {
    const gone = await docker.ask(`docker volume rm of ${name}`, ['volume', 'rm', '--', name], options)
    if (gone.ok) removed.push(name)
    else if (gone.failure.kind !== 'failed') return gone
  }
  return answered({ removed })
}
