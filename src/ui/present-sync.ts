import type { SyncResult } from '../stages/sync/sync-result.js'
import { blocks, presentProblems } from './present-problems.js'
import { formatBytes, formatDuration } from './table.js'

/** What went up, what went away, and whether the remote holds everything now. */
export function presentSync(result: SyncResult): string {
  const { uploaded, deleted } = result
  const verb = result.dryRun ? 'would be ' : ''
  const lines = [
    `remote     ${result.remote}`,
    `uploaded   ${uploaded.files} files, ${formatBytes(uploaded.bytes)}${verb === '' ? '' : ' (would be)'}`,
    `deleted    ${deleted.files} files, ${deleted.snapshots} of them snapshots, ${formatBytes(deleted.bytes)}${verb === '' ? '' : ' (would be)'}`,
    `verified   ${result.verified ? 'the remote holds all that the repository has' : 'no'}`,
  ]
  return blocks(lines.join('\n'), presentProblems(result.problems), `sync ${result.status} in ${formatDuration(result.durationMs)}`)
}
