import type { Place } from './place.js'

/** Connecting may take so long. Seconds. */
const connectionLimit = 20

/** A line that has gone dead is known to be so after a minute. */
const [aliveInterval, aliveCount] = [15, 4]

/**
 * The options of every call of SSH. It asks nothing, neither for a password nor whether to trust a host: whose key is not known
 * is refused. What else the user's own SSH configuration says of the host (a jump host, another name) holds.
 */
export function sshOptions(place: Place, { connectTimeoutMs = connectionLimit * 1000 }: { readonly connectTimeoutMs?: number } = {}): readonly string[] {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    'UpdateHostKeys=no',
    `ConnectTimeout=${Math.max(1, Math.min(connectionLimit, Math.ceil(connectTimeoutMs / 1000)))}`,
    `ServerAliveInterval=${aliveInterval}`,
    `ServerAliveCountMax=${aliveCount}`,
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'ForwardX11=no',
    'RequestTTY=no',
    'LogLevel=ERROR',
    ...(place.identityFile === null ? [] : ['IdentitiesOnly=yes', `IdentityFile=${quoted(place.identityFile)}`]),
    ...(place.knownHosts === null ? [] : [`UserKnownHostsFile=${quoted(place.knownHosts)}`, 'GlobalKnownHostsFile=/dev/null']),
  ]
  return [
    ...options.flatMap((option) => ['-o', option]),
    ...(place.port === null ? [] : ['-p', String(place.port)]),
    ...(place.user === null ? [] : ['-l', place.user]),
  ]
}

/** `-e` of rsync: one text, that rsync cuts at blanks. Within quotes they stay; a quote in them is written twice. */
export function remoteShell(options: readonly string[]): string {
  return ['ssh', ...options].map((word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "''")}'`)).join(' ')
}

/** As a value of SSH's own configuration, in which a `%` begins a placeholder. */
function quoted(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`
}
