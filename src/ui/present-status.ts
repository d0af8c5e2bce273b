import type { StatusResult } from '../stages/status.js'
import { blocks, presentProblems } from './present-problems.js'
import { formatBytes, formatDuration, table } from './table.js'
import { behindInWords, isRepositoryUnread, lastSyncInWords } from './unread-repository.js'

/** A row a stack, then repository and cloud, then what is overdue. */
export function presentStatus(result: StatusResult): string {
  const isUnknown = isRepositoryUnread(result)
  const rows = result.stacks.map((stack) => [
    stack.name,
    stack.enabled ? 'on' : 'off',
    stack.state,
    stack.lastSnapshot === null ? (isUnknown ? 'unknown' : 'never') : `${formatDuration(stack.ageMs)} ago`,
    stack.newestSnapshot === null ? (isUnknown ? 'unknown' : '-') : `${formatDuration(stack.newestSnapshot.ageMs)} ago${stack.newestSnapshot.marks.length === 0 ? '' : ` (${stack.newestSnapshot.marks.join(', ')})`}`,
    formatDuration(stack.lastDowntimeMs),
    formatDuration(stack.lastReadyMs),
    stack.overdue ? 'overdue' : '',
  ])
  const { repository, cloud, kit, lastDrill } = result
  const lines = [
    `repository  ${repository.path}${repository.reachable ? `, ${repository.snapshots ?? 'unknown'} snapshots, ${formatBytes(repository.bytes)}` : ' (not reachable)'}`,
    cloud === null ? 'cloud       not configured' : `cloud       ${cloud.remote}, ${lastSyncInWords(result, (ageMs) => `synced ${formatDuration(ageMs)} ago`)}, ${behindInWords(cloud.behindSnapshots)}`,
    ...(lastDrill === null ? [] : [`last drill  ${lastDrill.at} from ${lastDrill.source}: ${lastDrill.stacks.map(({ name, status }) => `${name} ${status}`).join(', ')}`]),
    ...(kit === null ? [] : [`kit         ${kit.file}, written ${kit.writtenAt}, ${kit.checkedAt === null ? 'never checked' : `checked ${kit.checkedAt}`}`]),
    `next run    ${result.nextRun ?? 'not scheduled'}`,
    ...(result.scheduled ?? []).map(({ command, nextRun, at }) => `next ${command.padEnd(6)} ${nextRun ?? `off (${at})`}`),
  ]
  return blocks(rows.length === 0 ? 'no stacks' : table(['STACK', 'ENABLED', 'STATE', 'LAST GOOD', 'NEWEST', 'DOWN', 'READY', ''], rows), lines.join('\n'), presentProblems(result.problems))
}
