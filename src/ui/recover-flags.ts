import { resolve } from 'node:path'

import { StackbkError } from '../errors.js'
import type { RecoverChoices } from '../stages/recover.js'
import { Flags } from './command-line.js'

/** What `recover` and `restore --recover` share. */
export const recoverFlags = {
  all: Flags.boolean({ default: false, description: 'all stacks of the repository (but those that the dirlist switches off)' }),
  host: Flags.string({ description: 'of this host (default: this one, or the only one in the repository)', helpValue: 'NAME' }),
  'create-external': Flags.boolean({ default: false, description: 'make external networks and volumes that are not here, as they were' }),
  'host-volumes': Flags.boolean({ default: false, description: 'also make volumes whose options point to a device, a network or a path of the host' }),
  'ignore-space': Flags.boolean({ default: false, description: 'do not ask whether there is room enough' }),
  into: Flags.string({ description: "recover each stack's folder into this folder (default: where it was; or the configured stacks folder, if the snapshot's host had another one)", helpValue: 'DIR' }),
  'no-start': Flags.boolean({ default: false, description: 'make the containers, start nothing' }),
  overwrite: Flags.boolean({ default: false, description: 'overwrite existing data without keeping a copy of it' }),
  path: Flags.string({ description: 'only this file or folder (absolute, or within the stack)', helpValue: 'FILE' }),
  service: Flags.string({ description: 'only this service, with its data', helpValue: 'NAME' }),
  snapshot: Flags.string({ description: 'this one (default: the newest good one, else the newest live one)', helpValue: 'ID' }),
  target: Flags.string({ description: 'extract below this folder, and nothing else', helpValue: 'DIR' }),
}

/** Throws `usage`: without `--recover` they would do nothing. */
export function assertOnlyWithRecover(flags: Partial<Readonly<Record<string, unknown>>>): void {
  const given = [...Object.keys(recoverFlags), 'stack'].filter((name) => flags[name] !== undefined && flags[name] !== false)
  if (given.length > 0) throw new StackbkError({ kind: 'usage', message: `--${given[0]} is for --recover`, fix: 'Add --recover, or leave it out' })
}

interface Given {
  readonly all: boolean
  readonly host?: string | undefined
  readonly 'create-external': boolean
  readonly 'host-volumes': boolean
  readonly into?: string | undefined
  readonly 'ignore-space': boolean
  readonly 'no-start': boolean
  readonly overwrite: boolean
  readonly path?: string | undefined
  readonly service?: string | undefined
  readonly snapshot?: string | undefined
  readonly target?: string | undefined
}

/** The flags as a stage takes them. */
export function recoverChoices(flags: Given, names: readonly string[]): Omit<RecoverChoices, 'repository' | 'confirm'> {
  return {
    names,
    all: flags.all,
    host: flags.host,
    createExternal: flags['create-external'],
    hostVolumes: flags['host-volumes'],
    into: flags.into === undefined ? undefined : resolve(flags.into),
    ignoreSpace: flags['ignore-space'],
    noStart: flags['no-start'],
    overwrite: flags.overwrite,
    path: flags.path,
    service: flags.service,
    snapshot: flags.snapshot,
    target: flags.target === undefined ? undefined : resolve(flags.target),
  }
}
