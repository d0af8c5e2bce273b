import {
  answered,
  failed,
  type Answer,
  type CallOptions,
  type RetentionPolicy,
  type RetentionRequest,
  type RetentionResult,
} from '@stackbk/contract'

import { asObjects, asString, parseObjects, type JsonObject } from './json.js'
import type { Restic } from './restic.js'
import { listSnapshots } from './snapshots.js'
import { tagFilter } from './tags.js'

/**
 * One call for all stacks. Host and tags are always part of the filter, so that nothing of another host or stack is
 * thinned, and part of the grouping, so that each whole tag set keeps a quota of its own.
 */
export async function retainSnapshots(restic: Restic, request: RetentionRequest): Promise<Answer<RetentionResult>> {
  const { policy, host, tagSets, prune, dryRun } = request
  if (restic.place.problem !== null) return failed(restic.place.problem)
  if (tagSets.length === 0) return answered({ removed: [], kept: [] })
  if (host === '' || tagSets.some((tags) => tags.length === 0)) {
    return failed({ kind: 'usage', message: 'retention without a host or without tags would thin the snapshots of others' })
  }
  const keep = keepFlags(policy)
  if (keep.length === 0) return failed({ kind: 'usage', message: 'retention that keeps nothing would remove every snapshot' })

  const what = `retention in ${restic.place.display} failed`
  const result = await restic.run({
    command: 'forget',
    flags: [
      `--host=${host}`,
      ...tagSets.map((tags) => `--tag=${tagFilter(tags)}`),
      '--group-by=host,tags',
      ...keep,
      ...(prune ? ['--prune'] : []),
      ...(dryRun ? ['--dry-run'] : []),
    ],
    locking: dryRun ? 'if-possible' : 'needed',
    stdout: 'bytes',
    options: request,
  })
  // Exit code 3: some of them could not be removed.
  if (result.outcome !== 'exited' || result.exitCode !== 0) {
    return restic.failed(result, result.exitCode === 3 ? `${what} in part: not all snapshots could be removed` : what)
  }
  const groups = parseObjects(documentOf(result.stdoutBytes))
  if (groups === null) return failed({ kind: 'failed', message: `${what}: restic's answer is no JSON` })
  return answered({ removed: groups.flatMap((group) => idsOf(group, 'remove')), kept: groups.flatMap((group) => idsOf(group, 'keep')) })
}

/** Removes these snapshots. Those that are not there are not among the answer's. */
export async function forgetSnapshots(
  restic: Restic,
  ids: readonly string[],
  request: { readonly prune: boolean } & CallOptions,
): Promise<Answer<{ readonly removed: readonly string[] }>> {
  if (restic.place.problem !== null) return failed(restic.place.problem)
  if (ids.length === 0) return answered({ removed: [] })
  const what = 'the snapshots could not be removed'
  const result = await restic.run({
    command: 'forget',
    flags: request.prune ? ['--prune'] : [],
    operands: ids,
    locking: 'needed',
    keepBytes: 1024 * 1024,
    options: request,
  })
  if (result.outcome !== 'exited' || (result.exitCode !== 0 && result.exitCode !== 3)) return restic.failed(result, what)
  if (result.exitCode === 0) return answered({ removed: ids.filter((id) => !result.stderr.includes(`Ignoring "${id}"`)) })
  const left = await listSnapshots(restic, {}, request)
  if (!left.ok) return left
  const stillThere = ids.filter((id) => left.value.some((snapshot) => snapshot.id === id))
  return restic.failed(result, `${what}: ${stillThere.join(', ')}`)
}

function keepFlags(policy: RetentionPolicy): string[] {
  const numbers = (['last', 'daily', 'weekly', 'monthly', 'yearly'] as const).filter((period) => policy[period] > 0).map((period) => `--keep-${period}=${policy[period]}`)
  const { withinMs = 0 } = policy
  // restic counts in whole hours.
  return numbers.length === 0 || withinMs <= 0 ? numbers : [...numbers, `--keep-within=${Math.ceil(withinMs / 3_600_000)}h`]
}

/** The list alone: what a prune says before and after it is no JSON in every version. */
function documentOf(stdout: Uint8Array): string {
  const text = Buffer.from(stdout).toString('utf8')
  return text.split('\n').find((line) => line.startsWith('[')) ?? ''
}

function idsOf(group: JsonObject, which: 'keep' | 'remove'): string[] {
  return asObjects(group[which]).map((snapshot) => asString(snapshot['id']))
}
