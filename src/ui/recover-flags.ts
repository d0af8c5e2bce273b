import { resolve } from 'node:path'

import { StackbkError } from '../errors.js'
import type { RecoverChoices } from '../stages/recover.js'
import { Flags } from './command-line.js'

/** What `recover` and `restore --recover` share. */
export const recoverFlags = {
  all: Flags.boolean({ default: false, description: 'all stacks, except those disabled in the dirlist' }),
  host: Flags.string({ description: 'only snapshots of this host (default: this host, or the only one)', helpValue: 'NAME' }),
  'create-external': Flags.boolean({ default: false, description: 'create missing external networks and volumes as they were' }),
  'host-volumes': Flags.boolean({ default: false, description: 'also create volumes that use a device, a share or a host path' }),
  'ignore-space': Flags.boolean({ default: false, description: 'skip the free-space check' }),
  into: Flags.string({ description: "put stack folders below DIR (default: where they were, or the configured stacks folder if the host had another one)", helpValue: 'DIR' }),
  'no-start': Flags.boolean({ default: false, description: 'create the containers, start nothing' }),
  overwrite: Flags.boolean({ default: false, description: 'replace existing files without keeping a copy' }),
  path: Flags.string({ description: 'only this file or folder (absolute, or within the stack)', helpValue: 'FILE' }),
  service: Flags.string({ description: 'only this service, with its data', helpValue: 'NAME' }),
  snapshot: Flags.string({ description: 'snapshot to use (default: the latest good one, or the latest live one)', helpValue: 'ID' }),
  target: Flags.string({ description: 'only extract below DIR; no container is touched', helpValue: 'DIR' }),
}

const withRecover = 'WITH --recover'

/** Flags of `restore` that only count with `--recover`, under a heading of their own in its help. */
export function onlyWithRecover<T extends Readonly<Record<string, object>>>(flags: T): T {
  return Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, { ...flag, helpGroup: withRecover }])) as unknown as T
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
