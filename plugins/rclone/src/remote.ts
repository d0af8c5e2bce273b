import { answered, failed, type Answer, type SettingValues } from '@stackbk/contract'

/** Where the files go: a remote of rclone's configuration and a folder on it. */
export interface Remote {
  /** Without its colon. */
  readonly name: string
  /** The folder, without a slash at the end; `/` or empty for the remote's own root. */
  readonly folder: string
}

/**
 * The remote that is configured. A connection string (`:sftp,host=...:`) is refused: its passwords would stand on rclone's
 * command line for every user of the host to read.
 */
export function remoteOf(values: SettingValues): Answer<Remote> {
  const given = textOf(values['RCLONE_REMOTE']).trim()
  const name = given.endsWith(':') ? given.slice(0, -1) : given
  if (name === '') return failed({ kind: 'configuration', message: 'RCLONE_REMOTE is not set', fix: 'Set it to one of the names that this shows: rclone listremotes' })
  if (given.startsWith(':') || name.includes(',')) {
    return failed({
      kind: 'configuration',
      message: 'RCLONE_REMOTE is a connection string, and passwords in it would show in the list of processes',
      fix: 'Give the remote a name with: rclone config, and set RCLONE_REMOTE to that name',
    })
  }
  if (/[:/\\]/.test(name) || name.startsWith('-')) {
    return failed({
      kind: 'configuration',
      message: `RCLONE_REMOTE is not the name of a remote: ${name}`,
      fix: 'Set RCLONE_REMOTE to one of the names that this shows: rclone listremotes, and the folder on it as RCLONE_PATH',
    })
  }
  return answered({ name, folder: withoutEndSlash(textOf(values['RCLONE_PATH']).trim()) })
}

/** For people; nothing of it is secret. Empty where no remote is configured. */
export function locationOf(remote: Answer<Remote>): string {
  return remote.ok ? address(remote.value) : ''
}

/** As rclone takes it: the folder, or what is below it. */
export function address({ name, folder }: Remote, below = ''): string {
  if (below === '') return `${name}:${folder}`
  return `${name}:${folder === '' || folder.endsWith('/') ? folder : `${folder}/`}${below}`
}

/**
 * The same for a folder to work in. The slash at its end keeps bucket storage from asking first whether it is a file: where
 * that question fails (a server that is busy, a policy that forbids it) rclone may take the folder for a file and list none
 * (seen with 1.75).
 */
export function folderAddress(remote: Remote, below = ''): string {
  const plain = address(remote, below)
  return /[:/]$/.test(plain) ? plain : `${plain}/`
}

/** The remote with another folder for its root. */
export function folderOn(remote: Remote, below: string): Remote {
  return below === '' ? remote : { name: remote.name, folder: address(remote, below).slice(remote.name.length + 1) }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function withoutEndSlash(folder: string): string {
  const trimmed = folder.replace(/\/+$/, '')
  return trimmed === '' && folder.startsWith('/') ? '/' : trimmed
}
