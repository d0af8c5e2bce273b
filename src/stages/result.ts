import { randomBytes } from 'node:crypto'

import { displayPath } from '@stackbk/contract'

import { exitCodes, type Problem, type SignalName } from '../errors.js'

export type RunStatus = 'ok' | 'partial' | 'failed' | 'interrupted'

/** What every result has, whatever the command. Keys are part of the contract that users script against. */
export interface ResultHeader {
  readonly schemaVersion: 1
  readonly command: string
  readonly runId: string
  readonly status: RunStatus
  readonly dryRun: boolean
  /** ISO 8601 UTC. */
  readonly startedAt: string
  readonly finishedAt: string
  readonly durationMs: number
  readonly problems: readonly Problem[]
}

/** A result and the exit code that goes with it. */
export interface Outcome<T extends ResultHeader> {
  readonly result: T
  readonly exitCode: number
}

/** What the header is made of. */
export interface RunFacts {
  readonly id: string
  readonly command: string
  readonly dryRun: boolean
  readonly startedAt: Date
  readonly interruptedBy: () => SignalName | null
  /** What the replay of the journal found in this run. Every result names it: see {@link concluded}. */
  readonly replayed?: ReplayFindings
}

/** Filled by the replay of the journal; empty before, and where nothing was left to do. */
export interface ReplayFindings {
  problems: readonly Problem[]
}

/** Sorts by time and is the only one of its second. */
export function newRunId(startedAt: Date): string {
  return `${startedAt.toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${randomBytes(3).toString('hex')}`
}

/**
 * Closes a result: times, status, exit code. `codes` are all that apply; the contract's precedence decides among them, a
 * signal before any. What the replay of the journal found is added: with a stack that could not be started no command is `ok`.
 */
export function concluded<T extends object>(
  run: RunFacts,
  body: T,
  end: { status: Exclude<RunStatus, 'interrupted'>; problems: readonly Problem[]; codes?: readonly number[] },
): Outcome<ResultHeader & T> {
  const finishedAt = new Date()
  const signal = run.interruptedBy()
  const replayed = (run.replayed?.problems ?? []).filter((problem) => !end.problems.some((one) => isSameProblem(one, problem)))
  const status = end.status === 'ok' && run.replayed?.problems.some(({ severity }) => severity === 'error') ? 'partial' : end.status
  const implied = status === 'ok' ? 0 : status === 'partial' ? 3 : 1
  const codes = end.codes?.some((code) => code !== 0) ? end.codes : [implied]
  return {
    result: {
      schemaVersion: 1,
      command: run.command,
      runId: run.id,
      status: signal === null ? status : 'interrupted',
      dryRun: run.dryRun,
      startedAt: run.startedAt.toISOString(),
      finishedAt: finishedAt.toISOString(),
      durationMs: Math.max(0, finishedAt.getTime() - run.startedAt.getTime()),
      ...body,
      problems: [...replayed, ...end.problems].map((problem) => ({ ...problem, message: displayPath(problem.message), fix: displayPath(problem.fix) })),
    },
    exitCode: signal === null ? exitCodes.first(codes) : exitCodes.ofSignal(signal),
  }
}

/** A command that consists of two names what the first one has named already, perhaps in another form of its message. */
function isSameProblem(one: Problem, other: Problem): boolean {
  return one.code === other.code && one.severity === other.severity && one.stack === other.stack && (one.stack !== undefined || one.message === other.message)
}
