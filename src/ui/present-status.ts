import type { StatusResult } from '../stages/status.js'
import { blocks, presentProblems } from './present-problems.js'
import { formatBytes, formatDuration, table } from './table.js'

/** A row a stack, then repository and cloud, then what is overdue. */
export function presentStatus(result: StatusResult): string {
  // A repository that is still to be created holds nothing, and that is known.
  const isUnknown = result.repository.snapshots === null && !result.problems.some(({ code, severity }) => code === 'repository-missing' && severity === 'warning')
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
    cloud === null ? 'cloud       not configured' : `cloud       ${cloud.remote}, ${cloud.lastSync === null ? 'never synced' : `synced ${formatDuration(cloud.ageMs)} ago`}, ${cloud.behindSnapshots === null ? 'unknown how many snapshots behind' : `${cloud.behindSnapshots} ${cloud.behindSnapshots === 1 ? 'snapshot' : 'snapshots'} behind`}`,
    ...(lastDrill === null ? [] : [`last drill  ${lastDrill.at} from ${lastDrill.source}: ${lastDrill.stacks.map(({ name, status }) => `${name} ${status}`).join(', ')}`]),
    ...(kit === null ? [] : [`kit         ${kit.file}, written ${kit.writtenAt}, ${kit.checkedAt === null ? 'never checked' : `checked ${kit.checkedAt}`}`]),
    `next run    ${result.nextRun ?? 'not scheduled'}`,
    ...(result.scheduled ?? []).map(({ command, nextRun, at }) => `next ${command.padEnd(6)} ${nextRun ?? `off (${at})`}`),
  ]
  return blocks(rows.length === 0 ? 'no stacks' : table(['STACK', 'ENABLED', 'STATE', 'LAST GOOD', 'NEWEST', 'DOWN', 'READY', ''], rows), lines.join('\n'), presentProblems(result.problems))
}
