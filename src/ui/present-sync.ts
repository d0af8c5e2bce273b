import type { SyncResult } from '../stages/sync/sync-result.js'
import { blocks, presentProblems } from './present-problems.js'
import { counted, formatBytes, formatDuration } from './table.js'

/** What was uploaded and deleted, or would be, and whether the remote holds everything now. After a test: that the remote answers. */
export function presentSync(result: SyncResult, { isTest = false } = {}): string {
  const duration = formatDuration(result.durationMs)
  if (isTest && result.status === 'ok') return blocks(presentProblems(result.problems), `${result.remote} answers (${duration}). Nothing was copied.`)
  const { uploaded, deleted } = result
  const sent = uploaded.files === 0 ? 'nothing' : `${counted(uploaded.files, 'file')}, ${formatBytes(uploaded.bytes)}`
  const gone = deleted.files === 0 ? 'nothing' : `${counted(deleted.files, 'file')} (${counted(deleted.snapshots, 'snapshot')}), ${formatBytes(deleted.bytes)}`
  const lines = result.dryRun
    ? [`remote        ${result.remote}`, `would upload  ${sent}`, `would delete  ${gone}`]
    : [`remote     ${result.remote}`, `uploaded   ${sent}`, `deleted    ${gone}`, `verified   ${result.verified ? 'the remote holds all that the repository has' : 'no'}`]
  return blocks(lines.join('\n'), presentProblems(result.problems), result.dryRun ? 'dry run: nothing was changed' : `sync ${result.status} in ${duration}`)
}
