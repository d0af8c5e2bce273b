import { homedir, userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'

import { distrustOf } from './trust.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Where installed plugins are, as oclif determines it. */
export function dataFolder(environment: Environment): string {
  return environment['STACKBK_DATA_DIR'] || join(environment['XDG_DATA_HOME'] || join(environment['HOME'] || homedir(), '.local', 'share'), 'stackbk')
}

/**
 * Where the system's schedule finds plugins. `sudo` may keep the variables of another user, and that user's programs can write
 * what those name: then it is root's own folder.
 */
export function systemDataFolder(environment: Environment): string {
  const own = join(ownHome(), '.local', 'share', 'stackbk')
  if (environment['STACKBK_DATA_DIR']) return distrustOf(environment['STACKBK_DATA_DIR']) === null ? environment['STACKBK_DATA_DIR'] : own
  const shared = environment['XDG_DATA_HOME']
  return shared && isAbsolute(shared) && distrustOf(shared) === null ? join(shared, 'stackbk') : own
}

/** The home folder that the system has for this user, whatever HOME says. */
export function ownHome(): string {
  try {
    return userInfo().homedir
  } catch {
    return homedir()
  }
}
