import { answered, failed, type Answer, type CallOptions } from '@stackbk/contract'

import { asString, parseObject } from './json.js'
import type { Restic } from './restic.js'
import { listSnapshots, type KeptSnapshot } from './snapshots.js'
import { encodeTag } from './tags.js'
import { isAtLeast } from './version.js'

export interface TagChange {
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
}

/** restic has said which snapshot became which since 0.18. */
const firstThatNamesThem = { major: 0, minor: 18 }

/**
 * Changes a snapshot's tags, which for restic is a new snapshot in the place of the old one. It takes the repository for
 * itself, so it fails beside any other restic.
 */
export async function tagSnapshot(
  restic: Restic,
  id: string,
  change: TagChange,
  options: CallOptions = {},
): Promise<Answer<{ readonly id: string }>> {
  const what = `the tags of the snapshot ${id} could not be changed`
  const flags = [
    ...(change.add ?? []).map((tag) => `--add=${encodeTag(tag)}`),
    ...(change.remove ?? []).map((tag) => `--remove=${encodeTag(tag)}`),
  ]
  if (flags.length === 0) return answered({ id })
  const version = await restic.version(options)
  if (!version.ok) return version
  const namesThem = isAtLeast(version.value, firstThatNamesThem)
  const before = namesThem ? null : await listSnapshots(restic, {}, options)
  if (before?.ok === false) return before

  const result = await restic.run({ command: 'tag', flags, operands: [id], locking: 'needed', options })
  if (result.outcome !== 'exited' || result.exitCode !== 0) return restic.failed(result, what)
  // An ID that is not there is only a warning for restic.
  if (result.stderr.includes(`Ignoring "${id}"`)) return failed({ kind: 'not-found', message: `${what}: it is not in the repository` })
  if (before === null) {
    const changed = result.stdout
      .split('\n')
      .map(parseObject)
      .find((line) => line?.['message_type'] === 'changed' && line['old_snapshot_id'] === id)
    return answered({ id: changed === undefined || changed === null ? id : asString(changed['new_snapshot_id']) })
  }
  const after = await listSnapshots(restic, {}, options)
  if (!after.ok) return after
  const successor = successorOf(id, before.value, after.value)
  if (successor === null) return failed({ kind: 'failed', message: `${what}: its new ID is not to be found` })
  return answered({ id: successor })
}

/** Which snapshot took the place of the old one, where restic does not tell: the one that is new and names the same origin. */
function successorOf(id: string, before: readonly KeptSnapshot[], after: readonly KeptSnapshot[]): string | null {
  if (after.some((snapshot) => snapshot.id === id)) return id
  const origin = before.find((snapshot) => snapshot.id === id)?.original ?? id
  const known = new Set(before.map((snapshot) => snapshot.id))
  const made = after.filter((snapshot) => !known.has(snapshot.id) && snapshot.original === origin)
  return made.length === 1 ? (made[0]?.id ?? null) : null
}
