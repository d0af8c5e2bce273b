import type { Failure, FailureKind } from '@stackbk/contract'

import type { Place } from './place.js'
import type { RsyncRun } from './rsync.js'

/** What was asked of rsync, for the sentence that says it failed. */
export interface Attempt {
  /** `uploading 3 files to backup@nas:/backup`. */
  readonly what: string
  readonly place: Place
  /** A question that fails has not reached the remote; a transfer that fails may have done a part. */
  readonly isTransfer: boolean
}

interface Cause {
  readonly pattern: RegExp
  readonly kind: FailureKind
  readonly transient: boolean
  readonly reason: string
  readonly fix: (place: Place) => string
}

const tryIt = (place: Place): string => `Try it with: ssh ${place.port === null ? '' : `-p ${place.port} `}${place.user === null ? '' : `${place.user}@`}${place.host}`

/** SSH's exit code says nothing and rsync's little; the cause is in their words. The first that fits counts, so the order matters. */
const causes: readonly Cause[] = [
  {
    pattern: /HOST IDENTIFICATION HAS CHANGED|Host key verification failed|No .* host key is known|host key .* (differs|revoked)|REVOKED HOST KEY/i,
    kind: 'remote-unreachable',
    transient: false,
    reason: "the server's host key is not the one that is known",
    fix: ({ host, port, knownHosts }) =>
      `Find out on the server itself that the key is its own, then put it into ${knownHosts ?? 'known_hosts'} with: ssh-keyscan ${port === null ? '' : `-p ${port} `}${host}`,
  },
  {
    pattern: /UNPROTECTED PRIVATE KEY|bad permissions|Load key .*(invalid format|error in libcrypto)|incorrect passphrase/i,
    kind: 'configuration',
    transient: false,
    reason: 'the private key cannot be used',
    fix: ({ identityFile }) => `Check IDENTITY_FILE: a private key without passphrase, readable by its owner alone: chmod 600 ${identityFile ?? 'FILE'}`,
  },
  {
    pattern: /Permission denied \((publickey|password|keyboard|gssapi|hostbased)|Too many authentication failures|No more authentication methods|Permission denied, please try again|account is (locked|not available)|User .* not allowed/i,
    kind: 'remote-unreachable',
    transient: false,
    reason: 'the server does not accept this key',
    fix: (place) => `Put the public key into authorized_keys of that user. ${tryIt(place)}`,
  },
  {
    pattern: /Bad configuration option|terminating, \d+ bad configuration|Bad owner or permissions on .*config/i,
    kind: 'configuration',
    transient: false,
    reason: 'the SSH configuration cannot be used',
    fix: tryIt,
  },
  {
    pattern: /Could not resolve|Name or service not known|Temporary failure in name resolution|Connection refused|Connection timed out|Operation timed out|No route to host|Network is unreachable|Host is down|kex_exchange_identification|banner exchange|Connection (closed|reset) by .* port|port \d+: (Connection|Broken pipe|Undefined)/i,
    kind: 'remote-unreachable',
    transient: true,
    reason: 'the server does not answer',
    fix: tryIt,
  },
  {
    pattern: /rsync: (command )?not found|(command )?not found: ?rsync|rsync: No such file or directory|remote command not found|\(code 127\)|not found\n|Failed to exec rsync/i,
    kind: 'remote-unreachable',
    transient: false,
    reason: 'there is no rsync on the server',
    fix: () => 'Install rsync there (on a NAS: switch its rsync service on), or set RSYNC_PATH in [plugin:rsync]',
  },
  {
    pattern: /protocol version mismatch|is your shell clean/i,
    kind: 'remote-unreachable',
    transient: false,
    reason: 'something else than rsync answers',
    fix: () => 'See that the login scripts of that user print nothing: ssh HOST true must be silent',
  },
  {
    pattern: /rrsync error:|rrsync: |SECURITY VIOLATION|disabled on this server|server is (read|write).only|configured to refuse/i,
    kind: 'transfer-failed',
    transient: false,
    reason: 'the server does not permit that call of rsync',
    fix: () => 'The key must be allowed to write and to delete: in authorized_keys no -ro and no -no-del for rrsync',
  },
  {
    pattern: /No space left on device|Disk quota exceeded|File too large/i,
    kind: 'transfer-failed',
    transient: false,
    reason: 'there is no room left',
    fix: () => 'Make room, here or on the server',
  },
  {
    pattern: /Read-only file system|Permission denied \(13\)|Operation not permitted|failed: Permission denied/i,
    kind: 'transfer-failed',
    transient: false,
    reason: 'that is not permitted',
    fix: ({ folder }) => `Give the user the right to read, write and delete in ${folder}, and check FOLDER`,
  },
  {
    pattern: /Too many levels of symbolic links/,
    kind: 'configuration',
    transient: false,
    reason: 'a symbolic link there is in the place of a folder of the copy, and newer versions of rsync follow none',
    fix: ({ folder }) => `Put a real folder, or a bind mount, in its place below ${folder}`,
  },
  {
    pattern: /unknown option|syntax or usage error|\(code 1\)|\(code 4\)|incompatible/i,
    kind: 'remote-unreachable',
    transient: false,
    reason: 'the rsync on the server refused its arguments',
    fix: () => 'Install rsync 3.1 or newer on the server',
  },
  {
    pattern: /Not a directory|Is a directory|not a directory/,
    kind: 'configuration',
    transient: false,
    reason: 'a file is in the place of a folder, or the other way round',
    fix: () => 'Check FOLDER in [plugin:rsync]',
  },
  {
    pattern: /connection unexpectedly closed|Broken pipe|Connection reset|Connection to .* closed|Timeout, server|client_loop|\(code (10|12|20|30|35)\)|timeout in data|vanished/i,
    kind: 'transfer-failed',
    transient: true,
    reason: 'the connection broke off',
    fix: tryIt,
  },
]

/** Why a call of rsync failed; for a run that did not end well. */
export function failureOf({ result, words }: RsyncRun, attempt: Attempt): Failure {
  const { what, place, isTransfer } = attempt
  const fix = tryIt(place)
  switch (result.outcome) {
    case 'not-started':
      return { kind: 'tool-missing', message: result.startError ?? 'rsync cannot be started', fix: 'Install rsync 3.2.4 or newer' }
    case 'timed-out':
      return { kind: 'timed-out', message: `${what} took too long`, toolOutput: words, fix }
    case 'stalled':
      return { kind: 'stalled', message: `${what} stalled`, toolOutput: words, fix, transient: true }
    case 'cancelled':
      return { kind: 'cancelled', message: `${what} was cancelled`, toolOutput: words }
    case 'exited':
      break
  }
  if (/Failed to exec ssh|exec ssh: No such file/i.test(words)) return { kind: 'tool-missing', message: 'no program ssh in PATH', toolOutput: words, fix: 'Install the SSH client' }
  const cause = causes.find(({ pattern }) => pattern.test(words))
  // What is not known may pass: trying again costs little.
  if (cause === undefined) return { kind: isTransfer ? 'transfer-failed' : 'remote-unreachable', message: `${what} failed`, toolOutput: words, fix, transient: true }
  const kind = cause.kind === 'transfer-failed' && !isTransfer ? 'remote-unreachable' : cause.kind
  return { kind, message: `${what} failed: ${cause.reason}`, toolOutput: words, fix: cause.fix(place), transient: cause.transient }
}

/** What rsync, and rrsync before it, say of a folder that is not there. */
const folderIsMissing = /change_dir(#\d)? .* failed: No such file or directory|rrsync error: .*No such file or directory/

/** Whether the call failed because the folder there is not there, and for nothing else. */
export function isMissingFolder(run: RsyncRun): boolean {
  if (run.result.outcome !== 'exited' || run.result.exitCode === 0) return false
  const reasons = reasonsIn(run)
  return reasons.length > 0 && reasons.every((line) => folderIsMissing.test(line))
}

/** Lines in which rsync, or rrsync, says what went wrong. The shell of the server may say this and that besides, when it is logged in to. */
export function reasonsIn({ words }: RsyncRun): readonly string[] {
  return words.split('\n').filter((line) => /^(rsync: |ERROR: |IO error|file has vanished|skipping |cannot |symlink has no)|rrsync error:/.test(line) || (/ failed: /.test(line) && !/^rsync error:/.test(line)))
}

/** Whether it failed because the way to the folder there is not there, so that rsync could not make its last part. */
export function lacksWay(run: RsyncRun): boolean {
  return isMissingFolder(run) || (run.result.outcome === 'exited' && run.result.exitCode !== 0 && /mkdir .* failed: No such file or directory/.test(run.words))
}

/** rsync's code for what it could not write or make. */
const fileTrouble = 11

/** Whether it ended as one that lacks the way does, and its reason was lost on the line: the server's half says it and is gone in the same moment (seen under load). */
export function endedInSilence({ result, words }: RsyncRun): boolean {
  return result.outcome === 'exited' && result.exitCode === fileTrouble && !/failed: |No space|quota/.test(words)
}
