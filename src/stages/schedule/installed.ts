import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Exec } from '@stackbk/contract'

import type { Environment } from '../../config/configuration.js'
import { blockIn, Crontab } from '../../host/crontab.js'
import { realPathSoFar } from '../../host/mounts.js'
import { isSystemdHere, Systemd, timeOf, unitFolder, type UnitScope } from '../../host/systemd.js'
import { asCron, fieldsIn } from './cron-block.js'
import { type ExtraCommand, extrasOf, recordIn, type ScheduleRecord } from './record.js'
import { timerOf, timerUnit } from './units.js'

/** A schedule that is in place. */
export interface InstalledSchedule {
  readonly kind: 'systemd' | 'cron'
  /** `system`: whoever is logged in or not; `user`: of the one who runs this. */
  readonly scope: UnitScope
  /** The time as it was asked for; of a crontab its five fields. */
  readonly at: string
  readonly configuration: string
  /** It is switched on. */
  readonly active: boolean
  /** ISO 8601 UTC; `null` where it is not switched on, or that cannot be told. */
  readonly nextRun: string | null
  /** What else is scheduled. Absent: only the run. */
  readonly extras?: readonly ScheduledExtra[]
}

/** A verify or a drill that is scheduled besides the nightly run. */
export interface ScheduledExtra {
  readonly command: ExtraCommand
  readonly at: string
  /** ISO 8601 UTC; `null` if it is switched off, or unknown. */
  readonly nextRun: string | null
}

/** With what only checks of it need. */
export interface FoundSchedule extends InstalledSchedule {
  readonly record: ScheduleRecord
}

interface Look {
  readonly exec: Exec
  readonly environment: Environment
  readonly signal: AbortSignal
}

/** All schedules that concern this user: the system's timer, the user's own, and the user's crontab. Writes nothing. */
export async function installedSchedules(look: Look): Promise<readonly FoundSchedule[]> {
  const found = await Promise.all([timer(look, 'system'), timer(look, 'user'), crontab(look)])
  return found.filter((schedule) => schedule !== null)
}

/** Returns the schedules that use this configuration. */
export async function schedulesOf(look: Look, configuration: string): Promise<readonly InstalledSchedule[]> {
  const own = realPathSoFar(configuration)
  return (await installedSchedules(look)).filter((schedule) => realPathSoFar(schedule.configuration) === own)
}

/** The first of their next runs. */
export function earliest(schedules: readonly InstalledSchedule[]): string | null {
  return schedules.map(({ nextRun }) => nextRun).filter((time) => time !== null).toSorted()[0] ?? null
}

/** What the timer in a folder says of itself; `null` where there is none of ours. */
export function timerRecord(folder: string): ScheduleRecord | null {
  try {
    return recordIn(readFileSync(join(folder, timerUnit), 'utf8'))
  } catch {
    return null
  }
}

/** Found by its file, so that one is seen where no systemd runs too. */
async function timer({ exec, environment, signal }: Look, scope: UnitScope): Promise<FoundSchedule | null> {
  const record = timerRecord(unitFolder(scope, environment))
  if (record === null) return null
  const none = new Map<string, string>()
  const look = async (unit: string): Promise<{ readonly active: boolean; readonly nextRun: string | null }> => {
    const known = isSystemdHere() ? await new Systemd(exec, scope, signal).properties(unit, ['ActiveState', 'NextElapseUSecRealtime']).catch(() => none) : none
    const active = known.get('ActiveState') === 'active'
    return { active, nextRun: active ? timeOf(known.get('NextElapseUSecRealtime') ?? '') : null }
  }
  const { active, nextRun } = await look(timerUnit)
  const extras = await Promise.all(extrasOf(record).map(async ({ command, at }): Promise<ScheduledExtra> => ({ command, at, nextRun: (await look(timerOf(command))).nextRun })))
  return { kind: 'systemd', scope, at: record.at, configuration: record.configuration, active, nextRun, ...(extras.length === 0 ? {} : { extras }), record }
}

async function crontab({ exec, signal }: Look): Promise<FoundSchedule | null> {
  const block = blockIn((await new Crontab(exec, signal).read()) ?? '')
  const record = block === null ? null : recordIn(block.join('\n'))
  if (block === null || record === null) return null
  const fields = fieldsIn(block)
  const nextRun = fields === null ? null : await nextOfCron(fields)
  const extras = await Promise.all(extrasOf(record).map(async ({ command, at }): Promise<ScheduledExtra> => ({ command, at, nextRun: await nextOfCron(asCron(at) ?? at) })))
  return { kind: 'cron', scope: 'user', at: fields ?? record.at, configuration: record.configuration, active: nextRun !== null, nextRun, ...(extras.length === 0 ? {} : { extras }), record }
}

/** In this host's time, as cron reckons; `null` for what is no crontab's time, or never comes. */
export async function nextOfCron(fields: string): Promise<string | null> {
  const { Cron } = await import('croner')
  try {
    return new Cron(fields, { mode: '5-part' }).nextRun()?.toISOString() ?? null
  } catch {
    return null
  }
}
