import type { StatusResult } from '../stages/status.js'
import { localTime } from './local-time.js'
import { blocks, presentProblems } from './present-problems.js'
import { counted, formatBytes, formatDuration, table } from './table.js'
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
  const { repository, cloud, kit } = result
  const lines = [
    `repository  ${repository.path}${repository.reachable ? `, ${repository.snapshots === null ? 'unknown how many snapshots' : counted(repository.snapshots, 'snapshot')}, ${formatBytes(repository.bytes)}` : ' (not reachable)'}`,
    cloud === null ? 'cloud       not configured' : `cloud       ${cloud.remote}, ${lastSyncInWords(result, (ageMs) => `synced ${formatDuration(ageMs)} ago`)}, ${behindInWords(cloud.behindSnapshots)}`,
    ...drillLines(result),
    ...(kit === null ? [] : [`kit         ${kit.file}, written ${localTime(kit.writtenAt)}, ${kit.checkedAt === null ? 'never checked' : `checked ${localTime(kit.checkedAt)}`}`]),
    `next run    ${result.nextRun === null ? 'not scheduled' : localTime(result.nextRun)}`,
    ...(result.scheduled ?? []).map(({ command, nextRun, at }) => `next ${command.padEnd(6)} ${nextRun === null ? `off (${at})` : localTime(nextRun)}`),
  ]
  return blocks(rows.length === 0 ? 'no stacks' : table(['STACK', 'ENABLED', 'STATE', 'LAST GOOD', 'NEWEST', 'LAST STOP', 'UP AGAIN', ''], rows), lines.join('\n'), presentProblems(result.problems))
}

/** Returns the last drill, then a line for each earlier drill that is the last one of a stack. */
function drillLines({ lastDrill, drills = [] }: StatusResult): readonly string[] {
  if (lastDrill === null) return []
  const earlier = drills.filter(({ at }) => at !== lastDrill.at)
  const times = [...new Set(earlier.map(({ at }) => at))].map((at) => earlier.filter((drill) => drill.at === at))
  const line = (title: string, at: string, source: string, stacks: readonly { readonly name: string; readonly status: string }[]): string =>
    `${title.padEnd(12)}${localTime(at)} from ${source}: ${stacks.map(({ name, status }) => `${name} ${status}`).join(', ')}`
  return [line('last drill', lastDrill.at, lastDrill.source, lastDrill.stacks), ...times.map((stacks) => line('', stacks[0]?.at ?? '', stacks[0]?.source ?? '', stacks))]
}
