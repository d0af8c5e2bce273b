import type { Failure, FailureKind } from '@stackbk/contract'

import { NoAccessKey } from './client.js'
import type { EndedBy } from './patience.js'

/** What was asked of the server, for the sentence that says it failed. */
export interface Attempt {
  /** `uploading 3 files to s3:bucket/restic`. */
  readonly what: string
  /** A question that fails has not reached the remote; a transfer that fails may have done a part. */
  readonly isTransfer: boolean
}

interface Cause {
  /** Of the error's name, code, status and words. */
  readonly pattern: RegExp
  readonly kind: FailureKind
  readonly transient: boolean
  readonly reason: string
  readonly fix: string
}

const checkRemote = 'Check ENDPOINT, and that the server is up; then run: stackbk sync --test'

/** The first that fits counts, so the order matters. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const causes: readonly Cause[] = [
  {
    pattern: /NoSuchBucket/,
    kind: 'remote-unreachable',
    transient: false,
    reason: 'there is no such bucket',
    fix: 'Create the bucket, or correct BUCKET and REGION in [plugin:s3]. stackbk does not create buckets',
  },
  {
    pattern: /CredentialsProviderError|Could not load credentials|CredentialsError/,
    kind: 'configuration',
    transient: false,
    reason: 'there is no access key',
    fix: 'Set ACCESS_KEY_ID, and SECRET_FILE or SECRET_ACCESS_KEY, in [plugin:s3]',
  },
  {
    pattern: /InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId|AuthFailure|ExpiredToken|InvalidToken|InvalidSecurity|NotSignedUp|\b401\b/,
    kind: 'remote-unreachable',
    transient: false,
    reason: 'the server does not accept the access key',
    fix: 'Correct ACCESS_KEY_ID and its secret in [plugin:s3], or create a new access key',
  },
  {
    pattern: /RequestTimeTooSkewed|RequestExpired/,
    kind: 'remote-unreachable',
    transient: false,
    reason: "this host's clock and the server's differ too much",
    fix: 'Set the clock of this host, such as with: timedatectl set-ntp true',
  },
  {
    pattern: /PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|InvalidRegion|\b301\b/,
    kind: 'remote-unreachable',
    transient: false,
    reason: 'the bucket is in another region, or at another address',
    fix: 'Correct REGION and ENDPOINT in [plugin:s3]',
  },
  {
    pattern: /QuotaExceeded|StorageFull|InsufficientStorage|storage cap|no space left|ENOSPC|EDQUOT|disk quota|NotEnoughStorage|\b507\b/i,
    kind: 'transfer-failed',
    transient: false,
    reason: 'there is no room left',
    fix: 'Make room, here or on the remote, or have its quota raised',
  },
  {
    pattern: /InvalidStorageClass/,
    kind: 'configuration',
    transient: false,
    reason: 'the server does not know that storage class',
    fix: 'Correct or remove STORAGE_CLASS in [plugin:s3]',
  },
  {
    pattern: /object ?lock/i,
    kind: 'configuration',
    transient: false,
    reason: 'the bucket was made without object lock, or does not permit locking',
    fix: 'Take OBJECT_LOCK_MODE out of [plugin:s3], or make a bucket with object lock',
  },
  {
    pattern: /InvalidObjectState/,
    kind: 'transfer-failed',
    transient: false,
    reason: 'the file lies in an archive and has to be restored there first',
    fix: "Restore the objects with the provider's own tools, then run it again",
  },
  {
    pattern: /SlowDown|ServiceUnavailable|InternalError|RequestTimeout\b|RequestLimitExceeded|Throttl|TooManyRequests|OperationAborted|BadDigest|IncompleteBody|ECONNRESET|EPIPE|socket hang up|aborted|premature|\b(429|500|502|503|504)\b/i,
    kind: 'transfer-failed',
    transient: true,
    reason: 'the connection broke off or the server was busy',
    fix: checkRemote,
  },
  {
    pattern: /CERT_|_CERT|LEAF_SIGNATURE|certificate|EPROTO|wrong version number|ERR_SSL|ERR_TLS/i,
    kind: 'remote-unreachable',
    transient: false,
    reason: "the server's certificate is not accepted",
    fix: 'Check ENDPOINT; for a certificate of your own name its authority in NODE_EXTRA_CA_CERTS',
  },
  {
    pattern: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ETIMEDOUT|ENETDOWN|TimeoutError|timed out|AggregateError/i,
    kind: 'remote-unreachable',
    transient: true,
    reason: 'the server does not answer',
    fix: `${checkRemote}. Where the name of the bucket is no host of its own: FORCE_PATH_STYLE=true`,
  },
  {
    pattern: /AccessDenied|Forbidden|AllAccessDisabled|AccountProblem|\b403\b/,
    kind: 'transfer-failed',
    transient: false,
    reason: 'that is not permitted',
    fix: 'Give the access key the right to list, read, write and delete in this bucket (see the README of the plugin)',
  },
  {
    pattern: /EACCES|EPERM|EROFS|EISDIR|ENOTDIR/,
    kind: 'transfer-failed',
    transient: false,
    reason: 'a file here cannot be read or written',
    fix: 'Check the permissions of the repository, or of the folder that is restored to',
  },
  {
    pattern: /Deserialization|not valid XML|Unexpected token|char '|Expected .* but found|Unclosed|is not expected/i,
    kind: 'remote-unreachable',
    transient: false,
    reason: 'the answer is not that of an S3 server',
    fix: 'Check ENDPOINT: it is the address of the S3 service, not that of a web page',
  },
]

/** Why a call failed. */
export function failureOf(error: unknown, endedBy: EndedBy | null, { what, isTransfer }: Attempt): Failure {
  switch (endedBy) {
    case 'cancelled':
      return { kind: 'cancelled', message: `${what} was cancelled` }
    case 'timed-out':
      return { kind: 'timed-out', message: `${what} took too long`, fix: checkRemote }
    case 'stalled':
      return { kind: 'stalled', message: `${what} stalled`, fix: checkRemote, transient: true }
    case null:
      break
  }
  if (error instanceof NoAccessKey) return error.failure
  const toolOutput = wordsOf(error)
  const cause = causes.find(({ pattern }) => pattern.test(toolOutput))
  if (cause === undefined) return { kind: isTransfer ? 'transfer-failed' : 'remote-unreachable', message: `${what} failed`, toolOutput, fix: checkRemote, transient: true }
  const kind = cause.kind === 'transfer-failed' && !isTransfer ? 'remote-unreachable' : cause.kind
  return { kind, message: `${what} failed: ${cause.reason}`, toolOutput, fix: cause.fix, transient: cause.transient }
}

/** Whether the server says that the object (not the bucket) is not there. */
export function isMissing(error: unknown): boolean {
  const { name, status } = factsOf(error)
  return name === 'NoSuchKey' || name === 'NotFound' || (status === 404 && name !== 'NoSuchBucket')
}

/** Whether a range begins behind the end of the object. */
export function isBehindTheEnd(error: unknown): boolean {
  const { name, status } = factsOf(error)
  return name === 'InvalidRange' || status === 416
}

/** The server's own words: name, code and status, then what it says. */
export function wordsOf(error: unknown): string {
  const { name, code, status, message } = factsOf(error)
  const facts = [name === 'Error' ? '' : name, code === name ? '' : code, status === undefined ? '' : String(status)].filter((fact) => fact !== '')
  const said = message.replaceAll(/\s+/g, ' ').trim()
  return [facts.join(' '), said === name ? '' : said].filter((part) => part !== '').join(': ')
}

function factsOf(error: unknown): { readonly name: string; readonly code: string; readonly status: number | undefined; readonly message: string } {
  const { name, Code, code, message, $metadata } = (typeof error === 'object' && error !== null ? error : { message: String(error) }) as {
    name?: unknown
    Code?: unknown
    code?: unknown
    message?: unknown
    $metadata?: { httpStatusCode?: number }
  }
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  return { name: text(name), code: text(Code) || text(code), status: $metadata?.httpStatusCode, message: text(message) }
}
