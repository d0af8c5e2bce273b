import { posix } from 'node:path'

import { answered, failed, type Answer, type SettingValues } from '@stackbk/contract'

/** Where the files go, and how to get there. */
export interface Place {
  readonly host: string
  readonly user: string | null
  readonly port: number | null
  /** Absolute, without a slash at its end; `/` for the root of what we may use there. */
  readonly folder: string
  readonly identityFile: string | null
  readonly knownHosts: string | null
  /** rsync there. */
  readonly rsyncPath: string | null
}

export function placeOf(values: SettingValues): Answer<Place> {
  const host = textOf(values['HOST'])
  if (host === null) return failed({ kind: 'configuration', message: 'HOST is not set', fix: 'Set HOST in [plugin:rsync] to the host that the copy goes to' })
  if (host.startsWith('-')) return failed({ kind: 'configuration', message: `HOST is no host: ${host}`, fix: 'Set HOST in [plugin:rsync] to a host name or address' })
  const folder = textOf(values['FOLDER']) ?? '/'
  if (!folder.startsWith('/') || folder.split('/').includes('..')) {
    return failed({ kind: 'configuration', message: `FOLDER is no absolute path: ${folder}`, fix: 'Set FOLDER in [plugin:rsync] to a path that begins with /' })
  }
  return answered({
    host,
    user: textOf(values['USER']),
    port: typeof values['PORT'] === 'number' ? values['PORT'] : null,
    folder: posix.join(folder, '.').replace(/(?<=.)\/$/, ''),
    identityFile: textOf(values['IDENTITY_FILE']),
    knownHosts: textOf(values['KNOWN_HOSTS']),
    rsyncPath: textOf(values['RSYNC_PATH']),
  })
}

/** For people: `backup@nas:/volume1/backup`. Empty where none is configured. */
export function locationOf(place: Answer<Place>): string {
  return place.ok ? addressOf(place.value) : ''
}

export function addressOf({ user, host, folder }: Place, path = ''): string {
  return `${user === null ? '' : `${user}@`}${host}:${posix.join(folder, path)}`
}

/** A folder there as rsync takes it. The user is SSH's business. */
export function operandOf({ host, folder }: Place, path = ''): string {
  return `${host.includes(':') ? `[${host}]` : host}:${posix.join(folder, path, '/')}`
}

/** A folder there, absolute. */
export function absolute({ folder }: Place, path: string): string {
  return posix.join(folder, path)
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null
}
