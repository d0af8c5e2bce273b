import type { AnyDescriptor, Exec, Log, SettingValues } from '@stackbk/contract'
import { isSecret, type Secret } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { createRedactor } from '@stackbk/tool-runner/processes'

import { loadConfiguration, type Configuration, type NotificationSettings } from '../config/configuration.js'
import { isDeclined, StackbkError, type Problem } from '../errors.js'
import { appendLine } from '../host/append-line.js'
import { rotate } from '../host/rotation.js'
import { ChildRecord, runMark } from '../host/child-record.js'
import { RunLock } from '../host/run-lock.js'
import { RunLog } from '../host/run-log.js'
import { ensureFolder, type StateFolder } from '../host/state-folder.js'
import type { Offers } from '../providers/collect.js'
import { EventQueue } from '../providers/events.js'
import { LiveProviders } from '../providers/live-providers.js'
import { Notifiers } from '../providers/notifiers.js'
import { Journal } from '../stacks/journal.js'
import type { Reporter } from './reporter.js'
import { concluded, type RunFacts } from './result.js'
import type { Run } from './run.js'
import { LogTail } from './telling/log-tail.js'
import { Telling } from './telling.js'

export interface OpenRunRequest {
  readonly facts: RunFacts
  readonly configuration: Configuration
  readonly offers: Offers
  readonly hooks: ConstructorParameters<typeof EventQueue>[0]
  readonly state: StateFolder
  readonly dryRun: boolean
  /** It changes something: it has a lock, a log and a record of its tools. */
  readonly changes: boolean
  /** How long it waits for another run that holds a lock. */
  readonly lockWaitMs: number
  /** Whoever is to hear of this host's backups is told how it ends. */
  readonly isTold: boolean
  /** Somebody sits before it: a call that is refused has told him. */
  readonly isAttended: boolean
  /** Who is to hear of it, where the configuration as a whole cannot be used. */
  readonly notifications?: NotificationSettings | undefined
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
  /** Whether the run uses anything that this package provides. */
  readonly uses: (plugin: string) => boolean
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
  const isTold = request.isTold && !dryRun
  const notifications = request.notifications ?? configuration
  const redact = createRedactor([...secretsIn(configuration, offers), ...Notifiers.secretsOf(notifications, offers)])
  let runLog: RunLog | null = null
  /** What tools were asked before the run did anything: a call that is refused leaves no log. */
  const early: Parameters<Log>[] = []
  let isRefused = false
  const tail = new LogTail()
  const writeEarly = (): void => {
    if (early.length === 0 || isRefused) return
    ensureFolder(state.root)
    runLog ??= new RunLog({ path: state.log, runId: id, redact })
    for (const line of early.splice(0)) runLog.write(...line)
  }
  const log: Log = (level, message, fields) => {
    request.onLog(level, redact(message), fields)
    tail.add(level, message, fields)
    if (!isRecorded) return
    if (runLog === null) early.push([level, message, { at: new Date().toISOString(), ...fields }])
    else runLog.write(level, message, fields)
    if (level !== 'debug') writeEarly()
  }

  let children: ChildRecord | null = null
  const record = (): ChildRecord => (children ??= new ChildRecord(state.children, id))
  const exec = createExec({
    environment: { [runMark]: id },
    onStarting: (tool) => {
      if (isRecorded) record().starting(tool.file)
    },
    onStart: (process, tool) => {
      if (isRecorded) record().started(process, tool.file, tool.stop ?? { signal: 'SIGTERM', graceMs: 10_000 })
    },
    onEnd: (process, tool, result) => {
      if (isRecorded) record().ended(process)
      const fields = { tool: tool.file, args: tool.args, outcome: result.outcome, exitCode: result.exitCode, ms: Math.round(result.durationMs) }
      // Standard output is for us: Compose prints whole models there, passwords and all.
      if (typeof result.callerError === 'string') log('error', `code that runs ${tool.file} threw: the call has failed`, { stack: result.callerError })
      log('debug', 'tool ended', result.stderr === '' ? fields : { ...fields, stderr: result.stderr.slice(-mostStderr) })
    },
  })

  const providersOf = (chosen: Configuration, runner: Exec, dataFolder: string): LiveProviders =>
    new LiveProviders({
      offers,
      idOf: (kind) => chosenId(chosen, kind),
      settingsOf: (descriptor: AnyDescriptor): SettingValues => chosen.settingsOf(descriptor),
      signal,
      log,
      exec: runner,
      dryRun,
      cacheFolder: state.cache,
      dataFolder,
      ...(command === 'resume' ? { onDistrust: ({ message, detail }) => (log('warning', message, { detail }), request.reporter.warning(`${message}: ${detail}`)) } : {}),
    })
  const providers = providersOf(configuration, exec, state.providers)
  const lock = new RunLock(`stackbk ${command}`, dryRun, {
    waitMs: request.lockWaitMs,
    signal,
    onWait: (message) => {
      log('info', message)
      request.reporter.notice(message)
    },
    // Another user can take the name of the lock, and must not be able to keep stopped stacks down.
    ...(command === 'resume' ? { onOverruled: (message) => (log('warning', message), request.reporter.warning(message)) } : {}),
  })
  const notifiers = new Notifiers({ offers, settings: notifications, log, exec, cacheFolder: state.cache, dataFolder: state.providers })
  const host = notifications.backup.hostname
  let historyTrouble: string | null = null
  const appendToHistory = (result: object, exitCode: number, notes: object = {}): void => {
    try {
      ensureFolder(state.root)
      rotate(state.history)
      appendLine(state.history, redact(JSON.stringify({ ...result, ...notes, exitCode })))
    } catch (error) {
      historyTrouble = error instanceof Error ? error.message : String(error)
      log('warning', 'the run could not be put into the history', { reason: historyTrouble })
    }
  }
  const telling = new Telling({ facts: request.facts, host, state, notifiers, events: () => run.events, log, remember: appendToHistory })
  const run: Run = {
    ...request.facts,
    dryRun,
    configuration,
    state,
    journal: new Journal(state.journal),
    signal,
    log,
    reporter: request.reporter,
    events: new EventQueue(request.hooks, { id, command, dryRun, host }, (plugin, reason, stack) => log('warning', `${plugin} failed to take an event`, { reason, stack }), (event) => (isTold ? telling.tell(event) : Promise.resolve())),
    notifiers,
    telling,
    notes: {},
    replayed: { problems: [] },
    isUnattended: !request.isAttended,
    runtime: () => providers.get('runtime'),
    engine: () => providers.get('engine'),
    transport: () => providers.get('transport'),
    freezerIds: () => providers.freezerIds(),
    freezer: (id) => providers.freezer(id),
    exec,
    lock: (...subjects) => lock.take(subjects),
    withConfiguration: ({ file, environment, needs, exec: runner, dataFolder }) => {
      const descriptors = offers.usable.map(({ descriptor }) => descriptor)
      const others = providersOf(loadConfiguration({ file, environment, descriptors, needs }), runner, dataFolder)
      return { engine: () => others.get('engine'), transport: () => others.get('transport'), close: () => others.close() }
    },
  }
  for (const { plugin, reason, stack } of offers.unusable) {
    if (stack !== undefined) log('debug', 'a plugin cannot be used', { plugin, reason, stack })
  }
  if (isRecorded || isTold) run.events.add('run-started')
  const announce = (result: object, exitCode: number): void => {
    if (!isRecorded && !isTold) return
    const text = redact(tail.text())
    run.events.add('run-finished', { result: JSON.parse(redact(JSON.stringify(result))) as object, exitCode, ...(text === '' ? {} : { log: text }) })
  }
  const remember = (result: object, exitCode: number): void => {
    announce(result, exitCode)
    if (isRecorded) appendToHistory(result, exitCode, run.notes)
  }
  const trouble = (code: string, what: string, reason: string | null | undefined): readonly Problem[] =>
    reason ? [{ severity: 'warning', code, message: `${what}: ${reason}`, fix: `Free space in ${state.root}` }] : []
  return {
    run,
    remember,
    rememberError: (error, exitCode) => {
      if (!(error instanceof StackbkError)) log('error', 'an unexpected error ended the run', { stack: error instanceof Error ? error.stack : String(error) })
      isRefused = refusals.includes(exitCode)
      const { code, message, detail, fix } = error instanceof StackbkError ? error : { code: 'bug', message: String(error), detail: '', fix: '' }
      const { result } = concluded(run, isDeclined(error) && run.interruptedBy() === null ? { declined: true } : {}, { status: 'failed', problems: [{ severity: 'error', code, message: detail === '' ? message : `${message}: ${detail}`, fix }] })
      if (!isRefused) return remember(result, exitCode)
      run.events.clear()
      if (isTold && !request.isAttended) announce(result, exitCode)
    },
    troubles: () => [
      ...trouble('run-log-incomplete', `lines of the run log ${state.log} could not be written`, runLog?.trouble),
      ...trouble('history-incomplete', `this run could not be put into the history ${state.history}`, historyTrouble),
      ...telling.problems(),
    ],
    uses: (plugin) => providers.uses(plugin),
    close: async () => {
      await run.events.deliver()
      telling.end()
      await notifiers.close()
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
