import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import type { Environment } from '../../config/configuration.js'
import { StackbkError } from '../../errors.js'
import { writeFileAtomically } from '../../host/atomic-write.js'
import { makeFolder } from '../../host/make-folder.js'
import { isMasked, isSystemdHere, Systemd, timerStamp, unitFolder, type UnitScope } from '../../host/systemd.js'
import type { Run } from '../run.js'
import { timerRecord } from './installed.js'
import { extrasOf, type ScheduleRecord } from './record.js'
import { resumeUnit, serviceUnits, timerOf, timerUnit, timerUnits, type UnitFile, unitPaths } from './units.js'

type Tools = Pick<Run, 'exec' | 'signal'>

/**
 * Puts the units in place and switches them on. All or none: where systemd does not take them, what was there before is there
 * again. Throws `failed` with systemd's own words.
 */
export async function putTimer({ exec, signal }: Tools, request: { readonly scope: UnitScope; readonly folder: string; readonly environment: Environment; readonly files: readonly UnitFile[]; readonly record: ScheduleRecord }): Promise<void> {
  const { scope, folder, environment, files, record } = request
  const masked = files.find(({ file }) => isMasked(file))
  if (masked !== undefined) {
    throw new StackbkError({ kind: 'failed', code: 'unit-masked', message: `${masked.file} is masked`, detail: 'it is a link to /dev/null', fix: `Run: rm ${masked.file}` })
  }
  const former = timesOf(timerRecord(folder))
  const times = timesOf(record)
  const changed = [...times].filter(([timer, at]) => former.get(timer) !== at).map(([timer]) => timer)
  const before = files.map(({ file }) => ({ file, text: existsSync(file) ? readFileSync(file, 'utf8') : null }))
  const systemd = new Systemd(exec, scope, signal)
  try {
    writeUnits(folder, files)
    await systemd.control('daemon-reload')
    for (const timer of changed) await forgetLastTime(systemd, timer, timerStamp(scope, environment, timer))
    await systemd.control('enable', '--', ...times.keys(), resumeUnit)
    await systemd.control('start', '--', ...times.keys())
    await removeObsolete(systemd, { scope, folder, environment, files })
  } catch (error) {
    for (const { file, text } of before) {
      if (text === null) rmSync(file, { force: true })
      else writeFileAtomically(file, text)
    }
    if (before.every(({ text }) => text === null)) removeLinks(folder)
    await systemd.control('daemon-reload').catch(() => undefined)
    throw error
  }
}

/** Returns when each timer of a schedule runs. */
function timesOf(record: ScheduleRecord | null): ReadonlyMap<string, string> {
  return new Map<string, string>(record === null ? [] : [[timerUnit, record.at] as const, ...extrasOf(record).map(({ command, at }) => [timerOf(command), at] as const)])
}

/** Removes the units of a verify or a drill that is no longer scheduled. */
async function removeObsolete(systemd: Systemd, { scope, folder, environment, files }: { readonly scope: UnitScope; readonly folder: string; readonly environment: Environment; readonly files: readonly UnitFile[] }): Promise<void> {
  const obsolete = unitPaths(folder).filter((path) => existsSync(path) && !isMasked(path) && !files.some(({ file }) => file === path))
  if (obsolete.length === 0) return
  const timers = timerUnits.filter((timer) => obsolete.includes(join(folder, timer)))
  if (timers.length > 0) await systemd.control('disable', '--now', '--', ...timers)
  for (const path of obsolete) rmSync(path, { force: true })
  for (const timer of timers) rmSync(timerStamp(scope, environment, timer), { force: true })
  await systemd.control('daemon-reload')
}

/** Takes the units of a scope away. A run at work goes on. @returns whether there were any */
export async function removeTimer({ exec, signal }: Tools, scope: UnitScope, environment: Environment): Promise<boolean> {
  const folder = unitFolder(scope, environment)
  const paths = unitPaths(folder).filter((path) => existsSync(path) && !isMasked(path))
  if (timerRecord(folder) === null || paths.length === 0) return false
  const systemd = new Systemd(exec, scope, signal)
  const isHere = isSystemdHere()
  if (isHere) {
    await systemd.control('disable', '--now', '--', ...timerUnits.filter((timer) => timer === timerUnit || existsSync(join(folder, timer))))
    await systemd.control('disable', '--', resumeUnit)
  }
  for (const timer of timerUnits) rmSync(timerStamp(scope, environment, timer), { force: true })
  for (const path of paths) rmSync(path, { force: true })
  removeLinks(folder)
  if (isHere) {
    await systemd.control('daemon-reload')
    // Of units that are gone it may say that it does not know them.
    await systemd.control('reset-failed', '--', ...serviceUnits).catch(() => undefined)
  }
  return true
}

/** By which systemctl switches them on. */
function removeLinks(folder: string): void {
  for (const [target, unit] of [...timerUnits.map((timer) => ['timers', timer] as const), ['multi-user', resumeUnit], ['default', resumeUnit]] as const) rmSync(join(folder, `${target}.target.wants`, unit), { force: true })
}

function writeUnits(folder: string, files: readonly UnitFile[]): void {
  try {
    makeFolder(folder)
    for (const { file, text } of files) writeFileAtomically(file, text, { mode: 0o644 })
  } catch (error) {
    throw new StackbkError({ kind: 'failed', code: 'unit-not-written', message: 'the units cannot be written', detail: (error as Error).message, fix: `Check who may write ${folder}, and that there is room` })
  }
}

/**
 * `Persistent=` makes up at once for what lies between the last time and now. After a change of the time that would be a run in
 * the middle of the day.
 */
async function forgetLastTime(systemd: Systemd, timer: string, stamp: string): Promise<void> {
  await systemd.control('stop', '--', timer)
  rmSync(stamp, { force: true })
}
