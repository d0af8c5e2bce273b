import { type Failure, type FailureKind, failureInOneLine, newWords } from '@stackbk/contract'

/** What a run or a check has to say against something. Part of every JSON result. */
export interface Problem {
  readonly severity: 'error' | 'warning'
  /** Stable, in kebab-case: scripts match on it. */
  readonly code: string
  readonly message: string
  /** What to do next; empty when nothing is to be done. */
  readonly fix: string
  readonly stack?: string
}

/** The kinds of failure of the contract and the two that only the core knows. */
export type ErrorKind = FailureKind | 'interrupted' | 'busy' | 'nothing-to-do' | 'overdue' | 'partial'

export type SignalName = 'SIGHUP' | 'SIGINT' | 'SIGTERM'

/** Anything that ends a command early, with what failed, why, and what to do next. */
export class StackbkError extends Error {
  override readonly name = 'StackbkError'
  readonly kind: ErrorKind
  /** The tool's own words, or further lines; empty when there are none. */
  readonly detail: string
  readonly fix: string
  /** Kebab-case, for `--json`. */
  readonly code: string
  readonly problems: readonly Problem[]
  /** The command that holds the lock (`stackbk backup`), if this is about a lock and the holder says so. */
  readonly holder: string | null

  constructor(error: {
    kind: ErrorKind
    message: string
    detail?: string
    fix?: string
    code?: string
    problems?: readonly Problem[]
    holder?: string | null
  }) {
    super(error.message)
    this.kind = error.kind
    this.detail = error.detail ?? ''
    this.fix = error.fix ?? ''
    this.code = error.code ?? error.kind
    this.problems = error.problems ?? []
    this.holder = error.holder ?? null
  }
}

/** A provider's failure as an error to throw. */
export function errorFrom(failure: Failure): StackbkError {
  return new StackbkError({
    kind: failure.kind,
    message: failure.message,
    detail: failure.toolOutput ?? '',
    fix: failure.fix ?? '',
  })
}

/** A provider's failure as a line of a report. */
export function problemFrom(failure: Failure, more: { severity?: Problem['severity']; code?: string; stack?: string } = {}): Problem {
  return {
    severity: more.severity ?? 'error',
    code: more.code ?? failure.kind,
    message: failureInOneLine(failure),
    fix: failure.fix ?? '',
    ...(more.stack === undefined ? {} : { stack: more.stack }),
  }
}

/** Returns an error's message with all of its reason that says something new. */
export function messageWithReason({ message, detail }: Pick<StackbkError, 'message' | 'detail'>): string {
  return [message, newWords(message, detail)].filter((part) => part !== '').join(': ')
}

const codeOfKind: Readonly<Record<ErrorKind, number>> = {
  interrupted: 130,
  busy: 75,
  usage: 2,
  configuration: 2,
  'nothing-to-do': 2,
  'tool-missing': 4,
  'tool-too-old': 4,
  'tool-not-answering': 4,
  'repository-missing': 10,
  'repository-locked': 11,
  'wrong-password': 12,
  guard: 7,
  'remote-unreachable': 5,
  'transfer-failed': 5,
  corrupt: 6,
  partial: 3,
  overdue: 3,
  'not-found': 1,
  unsupported: 1,
  'timed-out': 1,
  stalled: 1,
  cancelled: 1,
  failed: 1,
}

const codeOfSignal: Readonly<Record<SignalName, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

/** Where several apply, the first of these. From the contract's table. */
const precedence = [129, 130, 143, 75, 2, 4, 10, 11, 12, 7, 5, 6, 3, 1]

export const exitCodes = {
  ofKind: (kind: ErrorKind): number => codeOfKind[kind],
  /** Of a problem's code, where it is the name of a kind of failure; else 1. */
  ofCode: (code: string): number => (Object.hasOwn(codeOfKind, code) ? codeOfKind[code as ErrorKind] : 1),
  ofSignal: (signal: SignalName): number => codeOfSignal[signal],
  /** The one to exit with where several apply; 0 for none. */
  first: (codes: readonly number[]): number => precedence.find((code) => codes.includes(code)) ?? codes.find((code) => code !== 0) ?? 0,
}

/** The code of a call that needed a confirmation and got none. */
const notConfirmed = 'not-confirmed'

/** Returns the error of a question that was answered with no, or left: nothing was done, and nothing has gone wrong. `isLeft`: without an answer. */
export function declined({ isLeft = false } = {}): StackbkError {
  return new StackbkError({ kind: isLeft ? 'interrupted' : 'cancelled', code: notConfirmed, message: 'nothing was changed' })
}

/** Returns true for what {@link declined} made. A call without a terminal to ask in is wrong use, and not declined. */
export function isDeclined(error: unknown): boolean {
  return error instanceof StackbkError && error.code === notConfirmed && error.kind !== 'usage'
}

/** The exit code of anything thrown. What is neither ours nor a wrong use of the command line is a bug: 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof StackbkError) return exitCodes.ofKind(error.kind)
  return isCommandLineError(error) ? 2 : 1
}

/** oclif's own errors about flags and arguments, whichever copy of it threw them. */
export function isCommandLineError(error: unknown): error is Error & { oclif: { exit?: number } } {
  return error instanceof Error && typeof (error as { oclif?: unknown }).oclif === 'object'
}
