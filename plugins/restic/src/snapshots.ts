import { answered, failed, type Answer, type CallOptions, type Snapshot, type SnapshotFilter } from '@stackbk/contract'

import { asNumber, asObject, asString, asStrings, parseObjects, type JsonObject } from './json.js'
import type { Restic } from './restic.js'
import { decodeTag, tagFilter } from './tags.js'

/** A snapshot as restic keeps it; `original` is the ID that it had before its tags were changed. */
export interface KeptSnapshot extends Snapshot {
  readonly original: string | null
}

/** Oldest first. */
export async function listSnapshots(
  restic: Restic,
  filter: SnapshotFilter = {},
  options: CallOptions = {},
): Promise<Answer<readonly KeptSnapshot[]>> {
  if (restic.place.problem !== null) return failed(restic.place.problem)
  const what = `the snapshots of ${restic.place.display} cannot be listed`
  const result = await restic.run({
    command: 'snapshots',
    flags: [
      ...(filter.host === undefined ? [] : [`--host=${filter.host}`]),
      ...(filter.tags === undefined || filter.tags.length === 0 ? [] : [`--tag=${tagFilter(filter.tags)}`]),
    ],
    locking: 'none',
    // One document, which may be long: never by lines.
    stdout: 'bytes',
    options,
  })
  if (result.outcome !== 'exited' || result.exitCode !== 0) return restic.failed(result, what)
  const listed = parseObjects(Buffer.from(result.stdoutBytes).toString('utf8'))
  if (listed === null) return failed({ kind: 'failed', message: `${what}: restic's answer is no JSON` })
  return answered(listed.map(snapshotOf).sort((one, other) => one.time.localeCompare(other.time)))
}

function snapshotOf(kept: JsonObject): KeptSnapshot {
  const summary = asObject(kept['summary'])
  return {
    id: asString(kept['id']),
    time: utc(asString(kept['time'])),
    host: asString(kept['hostname']),
    paths: asStrings(kept['paths']),
    tags: asStrings(kept['tags']).map(decodeTag),
    parent: asString(kept['parent']) || null,
    tree: asString(kept['tree']),
    bytes: summary === null ? null : asNumber(summary['total_bytes_processed']),
    files: summary === null ? null : asNumber(summary['total_files_processed']),
    original: asString(kept['original']) || null,
  }
}

/** restic writes the zone of the host that made it, and nanoseconds. */
export function utc(time: string): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? time : date.toISOString()
}
