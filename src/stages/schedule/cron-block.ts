import { shellWord } from '@stackbk/contract'

import { StackbkError } from '../../errors.js'
import { extrasOf, extraWords, recordLine, runWords, type ScheduleRecord } from './record.js'
import type { Surroundings } from './surroundings.js'

/** cron(8) of Debian and of Red Hat refuse a longer command. Characters. */
const longestCommand = 990

/** How often a resume at boot asks for the engine, and how long it waits in between. */
const bootTries = 10
const bootWaitSeconds = 30

const days: Readonly<Record<string, number>> = { sun: 0, mon: 1, tue: 2, wed: 3, thu: 4, fri: 5, sat: 6 }

/** What both systemd and cron know by the same name. */
const names: Readonly<Record<string, string>> = { hourly: '0 * * * *', daily: '0 0 * * *', midnight: '0 0 * * *', weekly: '0 0 * * 1', monthly: '0 0 1 * *', quarterly: '0 0 1 1,4,7,10 *', semiannually: '0 0 1 1,7 *', yearly: '0 0 1 1 *', annually: '0 0 1 1 *' }

/**
 * A time as a crontab's five fields: those themselves, or what of systemd's calendar expressions cron can say too (`daily`,
 * `02:30`, `*-*-* 02:30:00`, `Mon..Fri 03:00`, `Sat,Sun *-*-* 4:05`). `null` for anything else.
 */
export function asCron(calendar: string): string | null {
  const text = calendar.trim().replaceAll(/\s+/g, ' ')
  const name = names[text.toLowerCase().replace(/^@/, '')]
  if (name !== undefined) return name
  if (/^[\d*,/a-z-]+(?: [\d*,/a-z-]+){4}$/i.test(text)) return text
  const [, week, monthDay = '*', hour, minute] = /^(?:([a-z][a-z,.]*) )?(?:\*-\*-(\*|\d\d?) )?(\d\d?|\*):(\d\d?)(?::00?)?$/i.exec(text) ?? []
  if (hour === undefined || minute === undefined) return null
  const weekDays = week === undefined ? '*' : weekDaysOf(week)
  if (weekDays === null || Number(hour) > 23 || Number(minute) > 59) return null
  // cron takes either of the two where both are given, systemd wants both.
  if (weekDays !== '*' && monthDay !== '*') return null
  return `${Number(minute)} ${hour === '*' ? '*' : Number(hour)} ${monthDay === '*' ? '*' : Number(monthDay)} * ${weekDays}`
}

/** `Mon..Fri`, `Sat,Sun`: as cron counts days. */
function weekDaysOf(text: string): string | null {
  const parts = text.split(',').map((part) => {
    const [first, last, ...more] = part.split('..').map(dayOf)
    if (first === undefined || first === null || more.length > 0) return null
    if (!part.includes('..')) return String(first)
    if (last === undefined || last === null) return null
    // Sunday ends the week here, and cron knows it as 7 too.
    const end = last === 0 ? 7 : last
    return first <= end ? `${first}-${end}` : null
  })
  return parts.includes(null) ? null : parts.join(',')
}

function dayOf(text: string): number | null {
  return /^(?:sun|mon|tue(?:s)?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?)(?:day)?$/i.test(text) ? (days[text.slice(0, 3).toLowerCase()] ?? null) : null
}

/** The lines between the markers in a crontab. Throws `usage` for what cron would cut off, `configuration` for credentials. */
export function cronBlock(record: ScheduleRecord, fields: string, surroundings: Surroundings): readonly string[] {
  if (surroundings.credentials.length > 0) {
    throw new StackbkError({
      kind: 'configuration',
      code: 'credential-without-systemd',
      message: 'cron cannot provide credentials',
      detail: `the configuration names: ${surroundings.credentials.map(({ name }) => `credential:${name}`).join(', ')}`,
      fix: 'Name a file with mode 0600 there, or use a systemd timer: stackbk schedule install',
    })
  }
  // cron gives its own HOME, that of the crontab's user.
  const variables = Object.entries(surroundings.variables).filter(([name]) => name !== 'HOME').map(([name, value]) => shellWord(`${name}=${value}`))
  const call = (...command: readonly string[]): string => ['/usr/bin/env', ...variables, ...surroundings.program.map(shellWord), ...command, '--config', shellWord(surroundings.configuration), '--quiet'].join(' ')
  const tries = Array.from({ length: bootTries }, (_, index) => index + 1).join(' ')
  const resume = `for try in ${tries}; do ${call('resume')}; [ $? -eq 4 ] || break; sleep ${bootWaitSeconds}; done`
  return [
    recordLine(record),
    `# Back up all enabled stacks${record.sync ? ', then sync' : ''}. It says something only where something is wrong: cron mails that.`,
    `${fields} ${cronCommand(call(...runWords(record)))}`,
    ...extrasOf(record).flatMap(({ command, at }) => [`# ${command === 'verify' ? 'Check the repository' : 'Test a full recovery, isolated from production'}.`, `${asCron(at) ?? at} ${cronCommand(call(...extraWords(command, record)))}`]),
    '# At boot, start what an interrupted run left stopped, as soon as the engine answers.',
    `@reboot ${cronCommand(resume)}`,
  ]
}

/** The fields of the line that runs stackbk; `null` where there is none any more. */
export function fieldsIn(block: readonly string[]): string | null {
  const line = block.find((candidate) => /^[\d*]/.test(candidate))
  return line === undefined ? null : line.split(/\s+/).slice(0, 5).join(' ')
}

/** To cron a `%` is the end of the line unless it is escaped, within quotes too. */
function cronCommand(command: string): string {
  const written = command.replaceAll('%', '\\%')
  // eslint-disable-next-line no-control-regex
  const hasControl = /[\u0000-\u001f\u007f]/.test(written)
  if (written.length <= longestCommand && !hasControl) return written
  throw new StackbkError({
    kind: 'usage',
    code: 'not-schedulable',
    message: 'the call cannot be written into a crontab',
    detail: hasControl ? 'a path in it has a control character' : `it has ${written.length} characters, and cron allows ${longestCommand}`,
    fix: 'Call this again with a shorter PATH (PATH=/usr/local/bin:/usr/bin:/bin stackbk schedule install --cron), or use a systemd timer',
  })
}
