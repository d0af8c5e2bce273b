import type { AnyDescriptor, Exec, Log, SettingValues } from '@stackbk/contract'
import { isSecret, type Secret } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { createRedactor } from '@stackbk/tool-runner/processes'

import { loadConfiguration, type Configuration } from '../config/configuration.js'
import { StackbkError, type Problem } from '../errors.js'
import { appendLine } from '../host/append-line.js'
import { rotate } from '../host/rotation.js'
import { ChildRecord, runMark } from '../host/child-record.js'
import { RunLock } from '../host/run-lock.js'
import { RunLog } from '../host/run-log.js'
import { ensureFolder, type StateFolder } from '../host/state-folder.js'
import type { Offers } from '../providers/collect.js'
import { EventQueue } from '../providers/events.js'
import { LiveProviders } from '../providers/live-providers.js'
import { Journal } from '../stacks/journal.js'
import type { Reporter } from './reporter.js'
import { concluded, type RunFacts } from './result.js'
import type { Run } from './run.js'

export interface OpenRunRequest {
  readonly facts: RunFacts
  readonly configuration: Configuration
  readonly offers: Offers
  readonly hooks: ConstructorParameters<typeof EventQueue>[0]
  readonly state: StateFolder
  readonly dryRun: boolean
  /** It changes something: it has a lock, a log and a record of its tools. */
  readonly changes: boolean
  readonly signal: AbortSignal
  readonly reporter: Reporter
  /** Shows a line of the log to the user; where it is shown is the terminal's business. */
  readonly onLog: Log
}

/** A run and what ends with it. */
export interface OpenedRun {
  readonly run: Run
  /** Puts the result into the history, unless the run changed nothing by its nature. */
  readonly remember: (result: object, exitCode: number) => void
  /** The same for a run that ended early. One that was refused before anything was touched leaves no trace. */
  readonly rememberError: (error: unknown, exitCode: number) => void
  /** What could not be noted of the run so far, as warnings beside its result: it was no reason to stop it. */
  readonly troubles: () => readonly Problem[]
  /** Closes providers, records and locks, in this order. */
  readonly close: () => Promise<void>
}

/** Of what a tool says in the end so much goes into the run log. Characters. */
const mostStderr = 2000

/** Wrong usage or configuration, and another run at work. */
const refusals = [2, 75]

/** Puts together what a stage works with. Writes nothing yet: the first line of the log or of a record makes its file. */
export function openRun(request: OpenRunRequest): OpenedRun {
  const { configuration, state, offers, signal, dryRun } = request
  const { id, command } = request.facts
  const isRecorded = request.changes && !dryRun
  const redact = createRedactor(secretsIn(configuration, offers))
  let runLog: RunLog | null = null
  /** What tools were asked before the run did anything: a call that is refused leaves no log. */
  const early: Parameters<Log>[] = []
  let isRefused = false
  const writeEarly = (): void => {
    if (early.length === 0 || isRefused) return
    ensureFolder(state.root)
    runLog ??= new RunLog({ path: state.log, runId: id, redact })
    for (const line of early.splice(0)) runLog.write(...line)
  }
  const log: Log = (level, message, fields) => {
    request.onLog(level, redact(message), fields)
    if (!isRecorded) return
    if (runLog === null) early.push([level, message, { at: new Date().toISOString(), ...fields }])
    else runLog.write(level, message, fields)
    if (level !== 'debug') writeEarly()
  }

  let children: ChildRecord | null = null
  const record = (): ChildRecord => (children ??= new ChildRecord(state.children, id))
  const exec = createExec({
    environment: { [runMark]: id },
    onStart: (process, tool) => {
      if (isRecorded) record().started(process, tool.file, tool.stop ?? { signal: 'SIGTERM', graceMs: 10_000 })
    },
    onEnd: (process, tool, result) => {
      if (isRecorded) record().ended(process)
      const fields = { tool: tool.file, args: tool.args, outcome: result.outcome, exitCode: result.exitCode, ms: Math.round(result.durationMs) }
      // Standard output is for us: Compose prints whole models there, passwords and all.
      log('debug', 'tool ended', result.stderr === '' ? fields : { ...fields, stderr: result.stderr.slice(-mostStderr) })
    },
  })

  const providersOf = (chosen: Configuration, runner: Exec): LiveProviders =>
    new LiveProviders({
      offers,
      idOf: (kind) => chosenId(chosen, kind),
      settingsOf: (descriptor: AnyDescriptor): SettingValues => chosen.settingsOf(descriptor),
      signal,
      log,
      exec: runner,
      dryRun,
      cacheFolder: state.cache,
    })
  const providers = providersOf(configuration, exec)
  const lock = new RunLock(`stackbk ${command}`, dryRun)
  const run: Run = {
    ...request.facts,
    dryRun,
    configuration,
    state,
    journal: new Journal(state.journal),
    signal,
    log,
    reporter: request.reporter,
    events: new EventQueue(request.hooks, { id, command, dryRun }, (plugin, reason) => log('warning', `${plugin} failed to take an event`, { reason })),
    runtime: () => providers.get('runtime'),
    engine: () => providers.get('engine'),
    transport: () => providers.get('transport'),
    freezerIds: () => providers.freezerIds(),
    freezer: (id) => providers.freezer(id),
    exec,
    lock: (...subjects) => lock.take(subjects),
    withConfiguration: ({ file, environment, needs, exec: runner }) => {
      const descriptors = offers.usable.map(({ descriptor }) => descriptor)
      const others = providersOf(loadConfiguration({ file, environment, descriptors, needs }), runner)
      return { engine: () => others.get('engine'), transport: () => others.get('transport'), close: () => others.close() }
    },
  }
  if (isRecorded) run.events.add('run-started')
  let historyTrouble: string | null = null
  const remember = (result: object, exitCode: number): void => {
    if (!isRecorded) return
    run.events.add('run-finished', { result })
    try {
      ensureFolder(state.root)
      rotate(state.history)
      appendLine(state.history, redact(JSON.stringify({ ...result, exitCode })))
    } catch (error) {
      historyTrouble = error instanceof Error ? error.message : String(error)
      log('warning', 'the run could not be put into the history', { reason: historyTrouble })
    }
  }
  const trouble = (code: string, what: string, reason: string | null | undefined): readonly Problem[] =>
    reason ? [{ severity: 'warning', code, message: `${what}: ${reason}`, fix: `Free space in ${state.root}` }] : []
  return {
    run,
    remember,
    rememberError: (error, exitCode) => {
      isRefused = refusals.includes(exitCode)
      if (isRefused) return
      const { code, message, fix } = error instanceof StackbkError ? error : { code: 'bug', message: String(error), fix: '' }
      remember(concluded(run, {}, { status: 'failed', problems: [{ severity: 'error', code, message, fix }] }).result, exitCode)
    },
    troubles: () => [
      ...trouble('run-log-incomplete', `lines of the run log ${state.log} could not be written`, runLog?.trouble),
      ...trouble('history-incomplete', `this run could not be put into the history ${state.history}`, historyTrouble),
    ],
    close: async () => {
      await run.events.deliver()
      await providers.close()
      writeEarly()
      children?.close()
      await lock.release()
    },
  }
}

function chosenId(configuration: Configuration, kind: 'runtime' | 'engine' | 'transport'): string {
  switch (kind) {
    case 'runtime':
      return configuration.docker.runtime
    case 'engine':
      return configuration.backup.engine
    case 'transport':
      return configuration.cloud.provider
  }
}

/** Every secret that the configuration holds, so that no line of the log shows one. */
function secretsIn(configuration: Configuration, offers: Offers): Secret[] {
  return offers.usable.flatMap(({ descriptor }) => (descriptor.kind === 'notifier' ? [] : Object.values(configuration.settingsOf(descriptor)).filter(isSecret)))
}
