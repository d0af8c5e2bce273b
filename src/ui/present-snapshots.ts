import type { ForgetResult, SnapshotsResult } from '../stages/snapshots.js'
import { localTime } from './local-time.js'
import { presentProblems, blocks } from './present-problems.js'
import { formatBytes, table } from './table.js'

/** A row a snapshot, oldest first; marks are those of its tags that say it is not good. */
export function presentSnapshots(result: SnapshotsResult): string {
  if (result.snapshots.length === 0) return 'no snapshots'
  const rows = result.snapshots.map(({ id, time, stack, host, bytes, tags, datedInFuture }) => [id.slice(0, 8), localTime(time), stack ?? '-', host, formatBytes(bytes), [...tags.filter((tag) => tag !== 'stackbk' && !tag.startsWith('stack:')), ...(datedInFuture === true ? ['future'] : [])].join(' ')])
  return blocks(table(['ID', 'TIME', 'STACK', 'HOST', 'SIZE', 'MARKS'], rows), presentProblems(result.problems))
}

export function presentForget(result: ForgetResult): string {
  const verb = result.dryRun ? 'would forget' : 'forgot'
  return blocks(presentProblems(result.problems), `${verb} ${result.removed.map((id) => id.slice(0, 8)).join(', ') || 'nothing'}`)
}
