import type { ScheduleInstallResult, ScheduleRemoveResult, ScheduleShowResult } from '../stages/schedule.js'
import { localTime } from './local-time.js'
import { blocks, presentProblems } from './present-problems.js'
import { table } from './table.js'

/** What is in place now, and when it runs; with `--print` the files themselves, each under a line with its name. */
export function presentScheduleInstall(result: ScheduleInstallResult, isPrint: boolean): string {
  if (isPrint) return [...result.problems.map(({ severity, message, fix }) => `# ${severity}: ${message}. ${fix}\n`), ...result.files.map(({ file, text }) => `# ${file}\n${text}`)].join('\n').trimEnd()
  const lines = [
    `scheduled  ${kindInWords(result)}, ${result.at}`,
    `next run   ${result.nextRun === null ? 'not known' : localTime(result.nextRun)}`,
    ...(result.verify === undefined ? [] : [`verify     ${result.verify}`]),
    ...(result.drill === undefined ? [] : [`drill      ${result.drill}`]),
    ...(result.kind === 'cron' ? [] : [`files      ${result.files.map(({ file }) => file).join('\n           ')}`]),
    ...(result.replaced.length === 0 ? [] : [`replaced   ${result.replaced.map((kind) => (kind === 'cron' ? 'the lines in the crontab' : 'the systemd timer')).join(', ')}`]),
  ]
  return blocks(lines.join('\n'), presentProblems(result.problems))
}

export function presentScheduleRemove(result: ScheduleRemoveResult): string {
  return blocks(result.removed.length === 0 ? 'nothing was scheduled' : `removed: ${result.removed.map(kindInWords).join(', ')}`, presentProblems(result.problems))
}

export function presentScheduleShow(result: ScheduleShowResult): string {
  if (result.schedules.length === 0) return 'no schedule\n  next: Run: stackbk schedule install'
  const rows = result.schedules.flatMap((schedule) => [
    [kindInWords(schedule), schedule.at, schedule.nextRun === null ? (schedule.active ? 'not known' : 'off') : localTime(schedule.nextRun), schedule.configuration],
    ...(schedule.extras ?? []).map(({ command, at, nextRun }) => [`  ${command}`, at, nextRun === null ? 'off' : localTime(nextRun), '']),
  ])
  return blocks(table(['SCHEDULE', 'AT', 'NEXT RUN', 'CONFIGURATION'], rows), presentProblems(result.problems))
}

function kindInWords({ kind, scope }: Pick<ScheduleInstallResult, 'kind' | 'scope'>): string {
  return kind === 'cron' ? 'crontab' : `systemd timer of the ${scope}`
}
