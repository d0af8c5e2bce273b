import type { Failure, FailureKind } from '@stackbk/contract'

import type { RcloneRun } from './rclone.js'

/** What was asked of rclone, for the sentence that says it failed. */
export interface Attempt {
  /** `uploading 3 files to cloud:/backup/restic`. */
  readonly what: string
  /** The remote's name, for the fix. */
  readonly remote: string
  /** A question that fails has not reached the remote; a transfer that fails may have done a part. */
  readonly isTransfer: boolean
}

interface Cause {
  readonly pattern: RegExp
  readonly kind: FailureKind
  readonly transient: boolean
  readonly reason: string
  readonly fix: (attempt: Attempt) => string
}

const checkRemote = ({ remote }: Attempt): string => `Check the remote with: rclone lsd ${remote}:`

/** rclone's exit code says little (mostly 1); the cause is in its words. The first that fits counts, so the order matters. */
const causes: readonly Cause[] = [
  {
    pattern: /didn't find section in config file|didn't find backend called|Failed to load config file|unable to decrypt configuration|decrypt configuration|password for (the )?configuration/i,
    kind: 'configuration',
    transient: false,
    reason: 'its configuration does not hold that remote, or cannot be read',
    fix: () => 'Check it with: rclone listremotes, and RCLONE_CONFIG. For an encrypted configuration RCLONE_CONFIG_PASS or RCLONE_PASSWORD_COMMAND must be set in the environment',
  },
  {
    pattern: /"--bwlimit" flag|"bwlimit" =/,
    kind: 'configuration',
    transient: false,
    reason: 'the bandwidth limit is not valid',
    fix: () => 'Set BANDWIDTH as rclone writes it, such as 10M or "08:00,512k 23:00,off"',
  },
  {
    pattern: /unknown (shorthand )?flag|unknown command|invalid argument .* for "--/,
    kind: 'configuration',
    transient: false,
    reason: 'rclone refused its arguments',
    fix: () => 'Check the RCLONE_ variables of the environment, and the version with: rclone version',
  },
  {
    pattern: /knownhosts:|host key (is|mismatch|verification)|key mismatch/i,
    kind: 'remote-unreachable',
    transient: false,
    reason: "the server's host key is not the one that is known",
    fix: ({ remote }) => `Find out whether the server was replaced, then correct known_hosts of the remote ${remote}`,
  },
  {
    pattern:
      /401 Unauthorized|StatusCode: 401|unable to authenticate|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId|AuthFailure|AuthenticationFailed|invalid_grant|invalid_client|ExpiredToken|token (has )?expired|empty token found|530 .*(log|user)|Login incorrect|Authentication failed|invalid (user ?name|password|credentials)|NoCredentialProviders|failed to (refresh|retrieve) (cached )?(credentials|token)|couldn't fetch token|bad_auth_token/i,
    kind: 'remote-unreachable',
    transient: false,
    reason: 'the remote does not accept the credentials',
    fix: ({ remote }) => `Correct the credentials of ${remote} with: rclone config, then try: rclone lsd ${remote}:`,
  },
  {
    pattern: /no space left|disk quota|quota ?exceeded|storageQuota|Insufficient Storage|file too big for remaining disk space|not enough (free )?space|disk full|InsufficientStorage|storage limit|out of space/i,
    kind: 'transfer-failed',
    transient: false,
    reason: 'there is no space left',
    fix: ({ remote }) => `Free space, here or on the remote; see: rclone about ${remote}:`,
  },
  {
    pattern: /TLS handshake timeout|i\/o timeout|timeout awaiting|context deadline exceeded|connection refused|no such host|network is unreachable|no route to host|host is down|server misbehaving|name resolution|dial tcp|connection timed out/i,
    kind: 'remote-unreachable',
    transient: true,
    reason: 'the remote does not answer',
    fix: checkRemote,
  },
  {
    pattern: /x509:|certificate (is|has|signed|verify)|tls: (failed|bad|handshake|first record)|server gave HTTP response to HTTPS/i,
    kind: 'remote-unreachable',
    transient: false,
    reason: "the remote's certificate is not accepted",
    fix: checkRemote,
  },
  {
    pattern: /InvalidBucketName|BucketAlreadyExists|IllegalLocationConstraint/,
    kind: 'configuration',
    transient: false,
    reason: 'the bucket cannot be used or created',
    fix: () => 'Check RCLONE_PATH, which begins with the name of the bucket',
  },
  {
    pattern: /connection reset|broken pipe|unexpected EOF|connection lost|closed network connection|\bEOF$|StatusCode: 5\d\d|\b50[0234] [A-Z]|Too Many Requests|StatusCode: 429|SlowDown|RequestTimeout|rate ?limit|Service Unavailable|source file is being updated|corrupted on transfer/im,
    kind: 'transfer-failed',
    transient: true,
    reason: 'the connection broke off or the remote was busy',
    fix: checkRemote,
  },
  {
    pattern: /AccessDenied|403 Forbidden|StatusCode: 403|permission denied|read-only file system|SSH_FX_PERMISSION_DENIED|insufficient ?permission|operation not permitted/i,
    kind: 'transfer-failed',
    transient: false,
    reason: 'that is not permitted',
    fix: ({ remote }) => `Give the account of ${remote} the right to read, write and delete there, and check RCLONE_PATH`,
  },
  {
    pattern: /is a file not a directory|not a directory/i,
    kind: 'configuration',
    transient: false,
    reason: 'there is a file where the folder should be',
    fix: () => 'Check RCLONE_PATH',
  },
]

/** rclone's exit codes that say something of their own. https://rclone.org/docs/#exit-code */
const exitCode = { directoryNotFound: 3, fileNotFound: 4, temporary: 5, lessSerious: 6, fatal: 7, limitExceeded: 8 } as const

/** For an rclone that somebody else killed. */
const killed = -1

/** Why a call of rclone failed; for a run that did not end with 0. */
export function failureOf(run: RcloneRun, attempt: Attempt): Failure {
  const toolOutput = run.words.text
  const { what } = attempt
  switch (run.result.outcome) {
    case 'not-started':
      return { kind: 'tool-missing', message: run.result.startError ?? 'rclone cannot be started', fix: 'Install rclone 1.60 or newer' }
    case 'timed-out':
      return { kind: 'timed-out', message: `${what} took too long`, toolOutput, fix: checkRemote(attempt) }
    case 'stalled':
      return { kind: 'stalled', message: `${what} stalled`, toolOutput, fix: checkRemote(attempt), transient: true }
    case 'cancelled':
      return run.hasStalled
        ? { kind: 'stalled', message: `${what} stalled`, toolOutput, fix: checkRemote(attempt), transient: true }
        : { kind: 'cancelled', message: `${what} was cancelled`, toolOutput }
    case 'exited':
      return failureOfWords(run, attempt, toolOutput)
  }
}

/** Whether the call failed because its folder is not there, and for nothing else. */
export function isMissingFolder(run: RcloneRun): boolean {
  return run.result.outcome === 'exited' && run.result.exitCode === exitCode.directoryNotFound && !run.words.isAboutObjects
}

function failureOfWords(run: RcloneRun, attempt: Attempt, toolOutput: string): Failure {
  const { what } = attempt
  const cause = causes.find(({ pattern }) => pattern.test(toolOutput))
  if (cause !== undefined) {
    const kind = cause.kind === 'transfer-failed' && !attempt.isTransfer ? 'remote-unreachable' : cause.kind
    return { kind, message: `${what} failed: ${cause.reason}`, toolOutput, fix: cause.fix(attempt), transient: cause.transient }
  }
  const kind = attempt.isTransfer ? 'transfer-failed' : 'remote-unreachable'
  const message = `${what} failed`
  const fix = checkRemote(attempt)
  switch (run.result.exitCode ?? killed) {
    case exitCode.directoryNotFound:
    case exitCode.fileNotFound:
      return { kind: 'not-found', message: `${what} failed: it is not there`, toolOutput, fix }
    case exitCode.lessSerious:
    case exitCode.fatal:
    case exitCode.limitExceeded:
      return { kind, message, toolOutput, fix, transient: false }
    default:
      // What is not known may pass: trying again costs little.
      return { kind, message, toolOutput, fix, transient: true }
  }
}
