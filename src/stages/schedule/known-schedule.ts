import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

import type { Environment } from '../../config/configuration.js'
import { blockIn } from '../../host/crontab.js'
import { realPathSoFar } from '../../host/mounts.js'
import { unitFolder } from '../../host/systemd.js'
import { recordIn } from './record.js'
import { timerUnit } from './units.js'

/** Where cron keeps the crontabs of users: Debian, then Red Hat and Arch. */
const crontabFolders: readonly string[] = ['/var/spool/cron/crontabs', '/var/spool/cron']

/**
 * Returns whether a timer or a crontab runs stackbk with this configuration, as files alone say: no tool is started. `null` if
 * none was found but a crontab cannot be read, as is usual for users other than root.
 */
export function hasSchedule(configuration: string, environment: Environment, folders: readonly string[] = crontabFolders): boolean | null {
  const own = realPathSoFar(configuration)
  const timers = (['system', 'user'] as const).map((scope) => textOf(join(unitFolder(scope, environment), timerUnit)))
  const crontabs = folders.map((folder) => textOf(join(folder, userInfo().username)))
  const records = [...timers, ...crontabs.map((text) => (text === null ? null : (blockIn(text) ?? []).join('\n')))].map((text) => recordIn(text ?? ''))
  if (records.some((record) => record !== null && realPathSoFar(record.configuration) === own)) return true
  return [...timers, ...crontabs].includes(null) ? null : false
}

/** A file's text, empty if there is none; `null` if it cannot be read. */
function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '') ? '' : null
  }
}
