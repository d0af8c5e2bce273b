import { userInfo } from 'node:os'

import type { Environment } from '../config/configuration.js'
import { type Problem, StackbkError } from '../errors.js'
import { blockIn, Crontab, withBlock, withoutBlock } from '../host/crontab.js'
import { systemDataFolder } from '../host/data-folder.js'
import { RunLock } from '../host/run-lock.js'
import { isLingering, isSystemdHere, lookAtCalendar, unitFolder, type UnitScope } from '../host/systemd.js'
import { concluded, type Outcome, type ResultHeader } from './result.js'
import type { Run } from './run.js'
import { asCron, cronBlock, fieldsIn } from './schedule/cron-block.js'
import { earliest, type InstalledSchedule, installedSchedules, nextOfCron, timerRecord } from './schedule/installed.js'
import { extrasOf, recordIn, type ScheduleRecord } from './schedule/record.js'
import { hasCloud, sourcesOf } from './schedule/sources.js'
import { type Surroundings, surroundingsOf } from './schedule/surroundings.js'
import { putTimer, removeTimer } from './schedule/timer.js'
import { scheduleUnits, timerUnit, type UnitFile } from './schedule/units.js'

/** When nothing is said: at night, and not when everybody's timers run. */
const usualTime = '*-*-* 02:30:00'

export interface ScheduleInstallBody {
  readonly kind: InstalledSchedule['kind']
  readonly scope: UnitScope
  readonly at: string
  /** ISO 8601 UTC; `null` where it cannot be told. */
  readonly nextRun: string | null
  /** The units, or the lines for the crontab under the name `crontab`. */
  readonly files: readonly UnitFile[]
  /** When a verify or a drill runs. Absent: it is not scheduled. */
  readonly verify?: string
  readonly drill?: string
  /** What was there of the other kind, and is gone: both would run every night. */
  readonly replaced: readonly InstalledSchedule['kind'][]
}
export type ScheduleInstallResult = ResultHeader & ScheduleInstallBody

export interface ScheduleRemoveBody {
  readonly removed: readonly { readonly kind: InstalledSchedule['kind']; readonly scope: UnitScope }[]
}
export type ScheduleRemoveResult = ResultHeader & ScheduleRemoveBody

export interface ScheduleShowBody {
  readonly schedules: readonly InstalledSchedule[]
  /** The earliest of them. ISO 8601 UTC; `null` without any. */
  readonly nextRun: string | null
}
export type ScheduleShowResult = ResultHeader & ScheduleShowBody

export interface ScheduleInstallRequest {
  /** `undefined`: as it is now, else at night. */
  readonly at: string | undefined
  /** When `verify` and `drill` run. `undefined`: as it is now, else never. `none`: never. */
  readonly verify?: string | undefined
  readonly drill?: string | undefined
  readonly user: boolean
  readonly cron: boolean
  /** Only say what would be written. */
  readonly print: boolean
  readonly environment: Environment
  /** Node and the program, by absolute paths. */
  readonly program: readonly string[]
  readonly dataFolder: string
}

/** What is about to be put in place. */
interface Plan {
  readonly request: ScheduleInstallRequest
  readonly scope: UnitScope
  readonly record: ScheduleRecord
  readonly surroundings: Surroundings
  readonly problems: readonly Problem[]
}

/**
 * Puts a schedule in place, as a systemd timer or in the crontab; one that is there is brought up to date, one of the other
 * kind goes. Throws `usage` for a time that is none, `tool-missing` where there is no systemd or no cron, `busy` where another
 * call does the same.
 */
export async function installSchedule(run: Run, request: ScheduleInstallRequest): Promise<Outcome<ScheduleInstallResult>> {
  const scope: UnitScope = request.user || request.cron ? 'user' : 'system'
  if (!request.print && !request.cron) assertSystemd(scope)
  return alone(run, async () => {
    const isRoots = scope === 'system' || process.getuid?.() === 0
    const dataFolder = isRoots ? systemDataFolder(request.environment) : request.dataFolder
    const surroundings = surroundingsOf({ configuration: run.configuration, ...request, scope, isRoots, dataFolder })
    const at = request.at ?? (await presentTime(run, request, scope)) ?? usualTime
    const extras = await extrasFor(run, request, scope)
    const record: ScheduleRecord = { schemaVersion: 1, at, configuration: surroundings.configuration, sync: await hasCloud(run), ...extras, program: request.program, dataFolder }
    const plan = { request, scope, record, surroundings, problems: [...run.configuration.problems, ...surroundings.problems, ...(record.sync ? [] : [withoutCloud])] }
    return request.cron ? installCron(run, plan) : installTimer(run, plan)
  })
}

/** Takes every schedule away that this user may: the system's timer for root, one's own timer, one's own crontab's lines. */
export async function removeSchedule(run: Run, environment: Environment): Promise<Outcome<ScheduleRemoveResult>> {
  return alone(run, async () => {
    const problems: Problem[] = []
    const removed: ScheduleRemoveBody['removed'][number][] = []
    for (const scope of ['system', 'user'] as const) {
      if (scope === 'system' && process.getuid?.() !== 0) {
        if (timerRecord(unitFolder(scope, environment)) !== null) problems.push({ severity: 'warning', code: 'not-removed', message: 'the timer of the system was kept', fix: 'As root run: stackbk schedule remove' })
      } else if (await removeTimer(run, scope, environment)) removed.push({ kind: 'systemd', scope })
    }
    if (await removeCron(run)) removed.push({ kind: 'cron', scope: 'user' })
    return concluded(run, { removed }, { status: 'ok', problems })
  })
}

/** What is scheduled, and when it runs next. Changes nothing. */
export async function showSchedule(run: Run, environment: Environment): Promise<Outcome<ScheduleShowResult>> {
  const found = await installedSchedules({ exec: run.exec, environment, signal: run.signal })
  const schedules = found.map(({ record: _, ...schedule }) => schedule)
  const problems = schedules.filter(({ active }) => !active).map(switchedOff)
  return concluded(run, { schedules, nextRun: earliest(schedules) }, { status: 'ok', problems })
}

/** That a schedule is there and does nothing, and what to do about it. */
export function switchedOff({ kind, scope }: InstalledSchedule): Problem {
  const [message, fix] =
    kind === 'cron'
      ? ['the lines in the crontab run nothing', 'Run: stackbk schedule install --cron']
      : [`the timer of the ${scope} is there, and is not switched on`, `Run: systemctl ${scope === 'user' ? '--user ' : ''}enable --now ${timerUnit}`]
  return { severity: 'warning', code: 'schedule-off', message, fix }
}

/** Two that read and write the same crontab at once would lose a line. */
async function alone<T>(run: Run, act: () => Promise<T>): Promise<T> {
  const lock = new RunLock(`stackbk ${run.command}`, run.dryRun)
  await lock.take([{ kind: 'schedule', id: String(process.getuid?.() ?? '') }])
  try {
    return await act()
  } finally {
    await lock.release()
  }
}

function assertSystemd(scope: UnitScope): void {
  if (!isSystemdHere()) {
    throw new StackbkError({ kind: 'tool-missing', code: 'no-systemd', message: 'this machine does not run systemd', detail: 'there is no /run/systemd/system', fix: 'For a crontab: stackbk schedule install --cron. To see the units, or take them elsewhere: --print' })
  }
  if (scope === 'system' && process.getuid?.() !== 0) {
    throw new StackbkError({ kind: 'usage', code: 'not-root', message: "the system's timer needs root", detail: `this is ${userName()}`, fix: 'Run it as root, or add --user for a timer of this user' })
  }
}

const withoutCloud: Problem = { severity: 'warning', code: 'no-cloud', message: 'no cloud is configured: the schedule only backs up', fix: 'When one is, run again: stackbk schedule install' }

/** Of a user whom the system has no name for: the number. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? '')
  }
}

/** A second install without a time keeps the first one's. */
async function presentTime(run: Run, { cron, environment }: ScheduleInstallRequest, scope: UnitScope): Promise<string | null> {
  if (!cron) return timerRecord(unitFolder(scope, environment))?.at ?? null
  return fieldsIn(blockIn((await new Crontab(run.exec, run.signal).read()) ?? '') ?? [])
}

/** A second install without a time keeps the first one's, also that of a schedule of the other kind, which it replaces. */
async function extrasFor(run: Run, { verify, drill, environment }: ScheduleInstallRequest, scope: UnitScope): Promise<Pick<ScheduleRecord, 'verify' | 'drill'>> {
  const cron = (blockIn((await new Crontab(run.exec, run.signal).read()) ?? '') ?? []).join('\n')
  const present = timerRecord(unitFolder(scope, environment)) ?? recordIn(cron)
  const chosen = (given: string | undefined, now: string | undefined): string | undefined => (given === undefined ? now : given.trim().toLowerCase() === 'none' ? undefined : given)
  const [verifyAt, drillAt] = [chosen(verify, present?.verify), chosen(drill, present?.drill)]
  return { ...(verifyAt === undefined ? {} : { verify: verifyAt }), ...(drillAt === undefined ? {} : { drill: drillAt }) }
}

function extrasIn({ verify, drill }: ScheduleRecord): Pick<ScheduleInstallBody, 'verify' | 'drill'> {
  return { ...(verify === undefined ? {} : { verify }), ...(drill === undefined ? {} : { drill }) }
}

/** Throws `usage` for a time that systemd does not know or that never comes. Returns `null` if nothing here can say so. */
async function assertCalendar(run: Run, at: string): Promise<Awaited<ReturnType<typeof lookAtCalendar>>> {
  const look = await lookAtCalendar(run.exec, at, run.signal)
  if (look !== null && look.next === null) {
    throw new StackbkError({ kind: 'usage', code: 'bad-calendar', message: `'${at}' is never due again`, detail: `systemd reads it as ${look.normalized}`, fix: "Give a time that recurs, such as '*-*-* 02:30:00'" })
  }
  return look
}

async function installTimer(run: Run, plan: Plan): Promise<Outcome<ScheduleInstallResult>> {
  const { request, scope, record, surroundings } = plan
  const look = await assertCalendar(run, record.at)
  for (const extra of extrasOf(record)) await assertCalendar(run, extra.at)
  const sources = await sourcesOf(run)
  const folder = unitFolder(scope, request.environment)
  const files = scheduleUnits({ folder, scope, record, surroundings, docker: { healthTimeoutMs: run.configuration.docker.healthTimeoutMs, graceSeconds: longestGraceSeconds(run) }, sources: sources.paths, runsForeignCommands: runsForeignCommands(run) })
  if (!request.print) await putTimer(run, { scope, folder, environment: request.environment, files, record })
  const replaced = !request.print && (await removeCron(run)) ? (['cron'] as const) : []
  const problems = [...plan.problems, ...sources.problems, ...(look === null ? [unchecked] : []), ...lingering(scope)]
  // systemd reckons in the machine's time, this shell perhaps in another.
  const placed = request.print ? undefined : (await installedSchedules({ exec: run.exec, environment: request.environment, signal: run.signal })).find((found) => found.kind === 'systemd' && found.scope === scope)
  return concluded(run, { kind: 'systemd', scope, at: record.at, nextRun: placed?.nextRun ?? look?.next ?? null, ...extrasIn(record), files, replaced }, { status: 'ok', problems })
}

const unchecked: Problem = { severity: 'warning', code: 'calendar-unchecked', message: 'the time could not be checked: there is no systemd-analyze here', fix: 'Where the units go, run: systemd-analyze calendar' }

function lingering(scope: UnitScope): readonly Problem[] {
  const username = userName()
  if (scope !== 'user' || isLingering(username)) return []
  return [{ severity: 'warning', code: 'not-lingering', message: `timers of ${username} run only while ${username} is logged in`, fix: `Run: loginctl enable-linger ${username}` }]
}

/** A password command, a notification by command: what those need nobody can know. */
function runsForeignCommands(run: Run): boolean {
  return run.configuration
    .resolved()
    .some(({ declaration, value, origin }) => value !== null && (origin.kind === 'file' || origin.kind === 'environment') && (/(?:^|_)COMMAND$/.test(declaration.key) || (declaration.key === 'TYPE' && value === 'command')))
}

async function assertCronTime(at: string): Promise<{ readonly fields: string; readonly nextRun: string }> {
  const fields = asCron(at)
  const nextRun = fields === null ? null : await nextOfCron(fields)
  if (fields !== null && nextRun !== null) return { fields, nextRun }
  throw new StackbkError({ kind: 'usage', code: 'bad-calendar', message: `'${at}' is not a valid cron schedule`, detail: fields === null ? 'it takes five fields, or a time of day on some days of the week' : `the fields '${fields}' are invalid, or never due`, fix: "Give five fields, such as '30 2 * * *', or a time such as 'Mon..Fri 02:30'" })
}

async function installCron(run: Run, plan: Plan): Promise<Outcome<ScheduleInstallResult>> {
  const { request, scope, record, surroundings, problems } = plan
  const { fields, nextRun } = await assertCronTime(record.at)
  for (const extra of extrasOf(record)) await assertCronTime(extra.at)
  const block = cronBlock(record, fields, surroundings)
  if (!request.print) await writeCron(run, block)
  const hadTimer = request.print ? [] : [process.getuid?.() === 0 && (await removeTimer(run, 'system', request.environment)), await removeTimer(run, 'user', request.environment)]
  const replaced = hadTimer.includes(true) ? (['systemd'] as const) : []
  return concluded(run, { kind: 'cron', scope, at: record.at, nextRun, ...extrasIn(record), files: [{ file: 'crontab', text: withBlock('', block) }], replaced }, { status: 'ok', problems })
}

/** Of all stacks: the unit must not be killed while one of them still stops. */
function longestGraceSeconds({ configuration }: Run): number {
  return Math.max(configuration.docker.graceSeconds, ...configuration.stackSections.map((name) => configuration.stack(name).graceSeconds))
}

async function writeCron(run: Run, block: readonly string[]): Promise<void> {
  const crontab = new Crontab(run.exec, run.signal)
  const before = await crontab.mustRead()
  const after = withBlock(before, block)
  if (after !== before) await crontab.write(after)
}

async function removeCron(run: Run): Promise<boolean> {
  const crontab = new Crontab(run.exec, run.signal)
  const text = (await crontab.read()) ?? ''
  const rest = withoutBlock(text)
  if (rest === text) return false
  await crontab.write(rest)
  return true
}
