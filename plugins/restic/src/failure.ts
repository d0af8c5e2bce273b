import type { Failure, FailureKind, ToolResult } from '@stackbk/contract'

import { passwordProblem, type PasswordSource } from './password.js'
import type { RepositoryPlace } from './place.js'
import { lastWords } from './words.js'

interface Circumstances {
  readonly place: RepositoryPlace
  readonly password: PasswordSource
}

/**
 * Why a call of restic did not end well. The exit codes are restic's (since 0.17): 10 no repository, 11 locked, 12 wrong
 * password, 130 interrupted; any other is a failure without a kind of its own.
 *
 * @param what that failed, as a sentence without a full stop
 */
export function failureOf(result: ToolResult, what: string, { place, password }: Circumstances): Failure {
  const words = lastWords(result.stderr)
  const said = words === '' ? {} : { toolOutput: words }
  switch (result.outcome) {
    case 'not-started':
      return {
        kind: 'tool-missing',
        message: result.startError ?? 'restic cannot be started',
        fix: 'Install restic 0.17 or newer',
      }
    case 'cancelled':
      return { kind: 'cancelled', message: `${what}: it was cancelled`, ...said }
    case 'timed-out':
      return { kind: 'timed-out', message: `${what}: it took longer than allowed`, ...said }
    case 'stalled':
      return { kind: 'stalled', message: `${what}: restic made no more progress`, ...said }
    case 'exited':
      break
  }
  switch (result.exitCode) {
    case 10:
      return {
        kind: 'repository-missing',
        message: `there is no restic repository at ${place.display}`,
        ...(saysOnlyThatItIsMissing(words) ? {} : said),
        fix: 'Mount the disk that holds it, or correct RESTIC_REPOSITORY',
      }
    case 11:
      return {
        kind: 'repository-locked',
        message: `the repository ${place.display} is locked by another restic`,
        ...(words === '' ? {} : { toolOutput: holderIn(words) }),
        fix: 'Wait until the other one has ended; where it is dead, and on another host, run: restic unlock',
        transient: true,
      }
    case 12:
      return {
        kind: 'wrong-password',
        message: `the password does not open the repository ${place.display}`,
        ...said,
        fix: 'Correct the password file, or the password that is configured',
      }
    case 130:
      return { kind: 'failed', message: `${what}: restic was interrupted`, ...said, transient: true }
    case null:
      return { kind: 'failed', message: `${what}: restic was ended by ${result.endedBySignal ?? 'a signal'}`, ...said, transient: true }
    default:
      return passwordProblem(password) ?? saidFailure(what, words)
  }
}

/** What restic says of a folder on this host without a repository: nothing that the message does not say. */
function saysOnlyThatItIsMissing(words: string): boolean {
  return /^repository does not exist: unable to open config file: stat \/.*\/config: no such file or directory$/.test(words)
}

/** Who holds it, and since when: of the lines that restic has for it, the last is advice about its own command line. */
function holderIn(words: string): string {
  const who = /locked (?:exclusively )?by (PID .*)/.exec(words)?.[1]
  const since = /lock was created at .*/.exec(words)?.[0]
  return who === undefined ? words : [who, since].filter((part) => part !== undefined).join(', ')
}

function saidFailure(what: string, words: string): Failure {
  if (/Resolving password failed|an empty password is not allowed/.test(words)) {
    return {
      kind: 'configuration',
      message: 'the repository password could not be read',
      toolOutput: words,
      fix: 'Correct RESTIC_PASSWORD_FILE or RESTIC_PASSWORD_COMMAND',
    }
  }
  return { kind: kindBySaying(words), message: what, ...(words === '' ? {} : { toolOutput: words }) }
}

/** For exit code 1 restic has nothing but words. */
function kindBySaying(words: string): FailureKind {
  if (
    /no matching ID found|no snapshot found|path .* not found|failed to load snapshot .*(?:no such file|not exist|not found)/.test(words)
  ) {
    return 'not-found'
  }
  if (/ciphertext verification failed|invalid data returned|wrong hash|does not exist in the index/.test(words)) return 'corrupt'
  return 'failed'
}

/** Whether the failure is about the call or the repository as a whole, so that asking once more for each snapshot makes no sense. */
export function isOfWholeRepository(failure: Failure): boolean {
  return failure.kind !== 'failed' && failure.kind !== 'not-found' && failure.kind !== 'corrupt'
}

/** The system's words for a path, a connection or a machine that does not work now. They say nothing of what the repository holds. */
const circumstances =
  /permission denied|operation not permitted|too many open files|cannot allocate memory|no space left on device|stale (?:nfs )?file handle|transport endpoint is (?:not connected|shutdown)|connection (?:refused|reset|timed out)|broken pipe|no route to host|network is unreachable|host is down|i\/o timeout|no such host|temporary failure in name resolution|no such device/i

/** Words for data that is not what it should be, or not there. */
const damage = /ciphertext verification failed|invalid data returned|wrong hash|hash (?:does not match|mismatch)|does not exist in the index|not found in (?:the )?index|pack .*(?:does not exist|damaged)|id .* not found in repository|unable to decrypt|invalid character/i

/** Returns whether these words say why something could not be read now, and none of them speaks of damage. */
export function isOfCircumstances(words: readonly string[]): boolean {
  return words.some((one) => circumstances.test(one)) && !words.some((one) => damage.test(one))
}
