import { answered } from '@stackbk/contract'
import type { Answer, CallOptions } from '@stackbk/contract'

import type { Docker } from './docker.js'

/** On everything that a rehearsal makes, and on nothing else. */
export const scratchLabel = 'stackbk.scratch'

/** What to list and how to remove it, in this order: a container holds on to its networks and volumes. */
const kinds = [
  { list: ['ps', '-a', '-q', '--no-trunc'], remove: ['rm', '-f', '-v', '--'] },
  { list: ['network', 'ls', '-q', '--no-trunc'], remove: ['network', 'rm', '--'] },
  { list: ['volume', 'ls', '-q'], remove: ['volume', 'rm', '--'] },
] as const

/** Removes every container, network and volume with this very label. */
export async function removeByLabel(docker: Docker, scratch: string, options: CallOptions = {}): Promise<Answer<{ readonly removed: number }>> {
  let removed = 0
  for (const kind of kinds) {
    const listed = await docker.ask(`docker ${kind.list[0]}`, [...kind.list, '--filter', `label=${scratchLabel}=${scratch}`], options)
    if (!listed.ok) return listed
    const ids = listed.value.split('\n').filter((id) => id !== '')
    if (ids.length === 0) continue
    const gone = await docker.ask(`docker ${kind.remove[0]}`, [...kind.remove, ...ids], options)
    if (!gone.ok) return gone
    removed += ids.length
  }
  return answered({ removed })
}
