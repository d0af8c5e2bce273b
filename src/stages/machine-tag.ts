import type { Snapshot } from '@stackbk/contract'

import { machineId } from '../host/machine-id.js'
import type { StateFolder } from '../host/state-folder.js'

const prefix = 'machine:'

/** Returns the tag by which a snapshot without a capsule tells which machine made it, as a list of one; empty without an ID. */
export function machineTags(state: Pick<StateFolder, 'root'>): readonly string[] {
  const id = machineId(state)
  return id === null ? [] : [`${prefix}${id}`]
}

/** Returns the machine that a snapshot's tag names; `null` if it has none. */
export function taggedMachine({ tags }: Pick<Snapshot, 'tags'>): string | null {
  return tags.find((tag) => tag.startsWith(prefix))?.slice(prefix.length) ?? null
}
