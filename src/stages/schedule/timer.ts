import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import type { Environment } from '../../config/configuration.js'
import { StackbkError } from '../../errors.js'
import { writeFileAtomically } from '../../host/atomic-write.js'
import { makeFolder } from '../../host/make-folder.js'
import { isMasked, isSystemdHere, Systemd, timerStamp, unitFolder, type UnitScope } from '../../host/systemd.js'
import type { Run } from '../run.js'
import { timerRecord } from './installed.js'
import type { ScheduleRecord } from './record.js'
import { resumeUnit, resumeWithoutDisksUnit, serviceUnit, timerUnit, type UnitFile, unitPaths } from './units.js'

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
  const isNewTime = timerRecord(folder)?.at !== record.at
  const before = files.map(({ file }) => ({ file, text: existsSync(file) ? readFileSync(file, 'utf8') : null }))
  const systemd = new Systemd(exec, scope, signal)
  try {
    writeUnits(folder, files)
    await systemd.control('daemon-reload')
    if (isNewTime) await forgetLastTime(systemd, timerStamp(scope, environment, timerUnit))
    await systemd.control('enable', '--', timerUnit, resumeUnit)
    await systemd.control('start', '--', timerUnit)
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

/** Takes the units of a scope away. A run at work goes on. @returns whether there were any */
export async function removeTimer({ exec, signal }: Tools, scope: UnitScope, environment: Environment): Promise<boolean> {
  const folder = unitFolder(scope, environment)
  const paths = unitPaths(folder).filter((path) => existsSync(path) && !isMasked(path))
  if (timerRecord(folder) === null || paths.length === 0) return false
  const systemd = new Systemd(exec, scope, signal)
  const isHere = isSystemdHere()
  if (isHere) {
    await systemd.control('disable', '--now', '--', timerUnit)
    await systemd.control('disable', '--', resumeUnit)
  }
  rmSync(timerStamp(scope, environment, timerUnit), { force: true })
  for (const path of paths) rmSync(path, { force: true })
  removeLinks(folder)
  if (isHere) {
    await systemd.control('daemon-reload')
    // Of units that are gone it may say that it does not know them.
    await systemd.control('reset-failed', '--', serviceUnit, resumeUnit, resumeWithoutDisksUnit).catch(() => undefined)
  }
  return true
}

/** By which systemctl switches them on. */
function removeLinks(folder: string): void {
  for (const [target, unit] of [['timers', timerUnit], ['multi-user', resumeUnit], ['default', resumeUnit]] as const) rmSync(join(folder, `${target}.target.wants`, unit), { force: true })
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
async function forgetLastTime(systemd: Systemd, stamp: string): Promise<void> {
  await systemd.control('stop', '--', timerUnit)
  rmSync(stamp, { force: true })
}
