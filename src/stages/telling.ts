import type { Log, StackbkEvent } from '@stackbk/contract'

import type { Problem } from '../errors.js'
import type { StateFolder } from '../host/state-folder.js'
import type { EventQueue } from '../providers/events.js'
import type { Notifiers, Untold } from '../providers/notifiers.js'
import { wasDeclined } from './history.js'
import type { ResultHeader, RunFacts } from './result.js'
import { loggedBy } from './telling/log-tail.js'
import { ReportedFailures } from './telling/reported-failures.js'
import { type RunRecord, RunRecords } from './telling/run-record.js'
import { severityOf } from './telling/severity.js'

/** What the shell says of a process that was killed. */
const killedExitCode = 137

/** A stack that a killed run had left stopped, and what came of it. */
export interface BroughtBack {
  readonly name: string
  readonly status: 'ok' | 'failed'
}

export interface TellingOptions {
  readonly facts: RunFacts
  readonly host: string
  readonly state: StateFolder
  readonly notifiers: Notifiers
  readonly events: () => EventQueue
  readonly log: Log
  /** Puts a result into the history. */
  readonly remember: (result: object, exitCode: number) => void
}

/** Who is told of a run, and of those before it that could not tell it themselves. */
export class Telling {
  readonly #options: TellingOptions
  readonly #records: RunRecords
  readonly #reported: ReportedFailures
  readonly #untold = new Map<string, Untold>()
  readonly #owedTo = new Map<string, readonly string[] | null>()
  #lost: readonly RunRecord[] = []
  #hasBegun = false
  #isOver = false

  constructor(options: TellingOptions) {
    this.#options = options
    this.#records = new RunRecords(options.state.runs)
    this.#reported = new ReportedFailures(options.state.reportedFailures)
  }

  /**
   * The run holds its locks and is about to change something: that it is under way is noted, so that its end is missed if none
   * comes. Runs that ended without telling anybody are found. Once a run; throws nothing.
   */
  begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    const { facts, log } = this.#options
    try {
      this.#lost = this.#records.ofTheDead()
      this.#records.write({ runId: facts.id, command: facts.command, startedAt: facts.startedAt.toISOString(), event: null, owedTo: null })
    } catch (error) {
      log('warning', 'that the run is under way could not be noted: if it is killed, nobody hears of it', { reason: String(error) })
    }
  }

  /** Tells that this run has begun, and first of the runs that were found. `stacks`: what was left stopped and has been seen to. */
  async catchUp(stacks: readonly BroughtBack[], stillWaiting: readonly string[]): Promise<void> {
    const { events } = this.#options
    const lost = this.#lost
    this.#lost = []
    const lastKilled = lost.findLast(({ event }) => event === null)
    const reports = lost.map((record) => {
      // The stacks are those of the last run that was killed, whichever earlier one there was.
      const event = record.event ?? this.#killedEvent(record, record === lastKilled ? stacks : [], record === lastKilled ? stillWaiting : [])
      this.#owedTo.set(event.runId, record.owedTo)
      return event
    })
    for (const event of reports.toReversed()) events().putFirst(event)
    await events().deliver()
  }

  /** One event of the queue, while no stack is down. Throws nothing. */
  async tell(event: StackbkEvent): Promise<void> {
    const { notifiers, log, facts } = this.#options
    // Nothing happened that anybody has to know, and neither is it the success that ends an earlier failure.
    if (event.event === 'run-finished' && wasDeclined(event.result)) return
    const severity = severityOf(event)
    const only = this.#owedTo.get(event.runId) ?? null
    const recovers = event.event === 'run-finished' && severity !== 'failure' ? this.#reported.of(event.command) : new Map<string, string>()
    const untold = await notifiers.tell(event, severity, only, recovers)
    for (const one of untold) this.#untold.set(one.name, one)
    if (event.event !== 'run-finished') return
    if (event.runId === facts.id) this.#isOver = true
    try {
      // Good news of yesterday are none; bad ones are.
      if (severity === 'failure' && untold.length > 0) this.#records.write({ runId: event.runId, command: event.command, startedAt: startOf(event), event, owedTo: untold.map(({ name }) => name) })
      else this.#records.remove(event.runId)
      const delivered = notifiers.sections.map(({ name }) => name).filter((name) => (only === null || only.includes(name)) && !untold.some((one) => one.name === name))
      if (severity === 'failure') this.#reported.add(event.command, event.at, delivered)
      else this.#reported.remove(event.command, delivered)
    } catch (error) {
      log('warning', 'the failed notification could not be recorded', { reason: String(error) })
    }
  }

  /** The run has ended, also where nobody had to hear of it. */
  end(): void {
    if (this.#hasBegun && !this.#isOver) this.#records.remove(this.#options.facts.id)
  }

  /** Those that could not be told, as warnings: no reason for any exit code. */
  problems(): readonly Problem[] {
    return [...this.#untold.values()].map(({ name, message, fix }) => ({ severity: 'warning', code: 'not-told', message: `notification to [notify:${name}] failed: ${message}`, fix }))
  }

  #killedEvent({ runId, command, startedAt }: RunRecord, stacks: readonly BroughtBack[], stillWaiting: readonly string[]): StackbkEvent {
    const { state, host, remember } = this.#options
    const { tail, lastAt } = loggedBy(runId, state.log)
    const finishedAt = lastAt !== null && lastAt > startedAt ? lastAt : startedAt
    const up = stacks.filter(({ status }) => status === 'ok').map(({ name }) => name)
    const down = [...new Set([...stacks.filter(({ status }) => status === 'failed').map(({ name }) => name), ...stillWaiting])]
    const after = [up.length === 0 ? '' : `. It had left stopped, and up again now: ${up.join(', ')}`, down.length === 0 ? '' : `. Still stopped: ${down.join(', ')}`].join('')
    const problem: Problem = {
      severity: 'error',
      code: 'killed',
      message: `the run begun at ${startedAt} never came to its end: it was killed, or the machine went down${after}`,
      fix: down.length > 0 ? 'Run: stackbk resume' : `See what it did last in ${state.log}`,
    }
    const result: ResultHeader = { schemaVersion: 1, command, runId, status: 'failed', dryRun: false, startedAt, finishedAt, durationMs: Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)), problems: [problem] }
    remember(result, killedExitCode)
    return { schemaVersion: 1, event: 'run-finished', runId, at: new Date().toISOString(), command, dryRun: false, host, result, exitCode: killedExitCode, ...(tail === '' ? {} : { log: tail }) }
  }
}

function startOf({ at, result }: StackbkEvent): string {
  const { startedAt } = (result ?? {}) as { readonly startedAt?: unknown }
  return typeof startedAt === 'string' ? startedAt : at
}
