import type { Interfaces } from '@oclif/core'
import { displayPath, type Finding, type LogLevel } from '@stackbk/contract'

import { checkConfiguration, loadConfiguration, salvageNotifications, type Configuration, type Environment, type Need, type NotificationSettings } from '../config/configuration.js'
import { exitCodeOf, exitCodes, isDeclined, messageWithReason, StackbkError, type Problem, type SignalName } from '../errors.js'
import { forbidExit, reserveStandardOutput, writeDocument } from '../host/foreign-code.js'
import { type Output, surviveLostOutput } from '../host/output.js'
import { catchSignals, type Interruption } from '../host/signals.js'
import { stateFolder } from '../host/state-folder.js'
import { assertTrusted } from '../host/trust.js'
import { catchStrayErrors } from '../host/stray-errors.js'
import { collectOffers, type Offers } from '../providers/collect.js'
import { pluginBehind } from '../providers/plugin-loading.js'
import type { OpenedRun } from '../stages/open-run.js'
import { RecoveryRecords } from '../stages/recover/record.js'
import type { Reporter } from '../stages/reporter.js'
import { newRunId, type RunFacts } from '../stages/result.js'
import type { Run } from '../stages/run.js'
import { Journal } from '../stacks/journal.js'
import { type GlobalFlags, readGlobalFlags, type usualWait } from './arguments.js'
import { Command, Flags } from './command-line.js'
import { assertConfirmed } from './confirmation.js'
import { assertUtf8 } from './exact-arguments.js'
import { errorDocument, errorText, formatError } from './error-text.js'
import { localTime } from './local-time.js'
import { plainReporter } from './plain-reporter.js'
import { presentProblems } from './present-problems.js'
import { shownText } from './shown-text.js'
import { type Askable, mayAsk } from './terminal.js'
import { isToldOf } from './told-commands.js'

/** The group of the flags that every command takes. */
export const globalGroup = 'GLOBAL'

/** What a command gives back: the document that `--json` prints, the same for people, and the exit code. */
export interface CommandOutcome<T> {
  readonly result: T
  readonly exitCode: number
}

export interface RunRequest {
  readonly needs: readonly Need[]
  /** It changes stacks, the repository or the remote. Default: true. */
  readonly changes?: boolean
  readonly dryRun?: boolean
  /** How long it waits for another run, as `--wait` says. Milliseconds. Default: as the configuration says. */
  readonly wait?: number | typeof usualWait | undefined
  /** Without any configuration file, every key has its default. Default: `fail`. */
  readonly whenMissing?: 'fail' | 'defaults'
  /** In which the configuration counts. Default: the process's own. */
  readonly environment?: Environment
}

/**
 * What every command of stackbk is: it parses, calls one function, shows one result. Signals, exit codes, `--json` and the
 * form of errors are here and nowhere else.
 */
export abstract class StackbkCommand<T extends object> extends Command {
  static override baseFlags = {
    config: Flags.string({ char: 'c', description: 'configuration file', helpGroup: globalGroup, helpValue: 'FILE' }),
    json: Flags.boolean({ description: 'print one JSON document on standard output', helpGroup: globalGroup }),
    'no-color': Flags.boolean({ description: 'no colour (also NO_COLOR)', helpGroup: globalGroup }),
    quiet: Flags.boolean({ char: 'q', description: 'print only errors and warnings', helpGroup: globalGroup }),
    verbose: Flags.boolean({ char: 'v', description: 'print more details', helpGroup: globalGroup }),
    yes: Flags.boolean({ char: 'y', description: 'answer every confirmation with yes', helpGroup: globalGroup }),
  }

  readonly #startedAt = new Date()
  /** What a person calls it, where that is not its own name. */
  protected readonly calledAs: string | null = null
  /** Its text is for a file or a shell, so it stays as it is in a terminal too. */
  protected isVerbatim = false
  #interruption: Interruption | null = null
  #opened: OpenedRun | null = null
  #reporter: Reporter | null = null

  /** Parses and calls one function of a stage. */
  protected abstract act(): Promise<CommandOutcome<T>>

  /** The result for people; nothing for one that has been told already. */
  protected abstract present(result: T): string

  override async run(): Promise<void> {
    const output = surviveLostOutput()
    const interruption = catchSignals((name) => this.#onSignal(name))
    this.#interruption = interruption
    const strays = catchStrayErrors((error) => interruption.abort(error), (error) => this.#isOfIdlePlugin(error))
    const allowExit = forbidExit()
    const release = this.#globals.json ? reserveStandardOutput() : () => {}
    try {
      assertUtf8(this.argv)
      const { result, exitCode } = await this.act()
      const stray = strays.first()
      this.#opened?.remember(result, stray === null ? exitCode : exitCodes.first([exitCode, exitCodeOf(stray)]))
      await this.#end()
      this.#show(withProblems(result, this.#opened?.troubles() ?? []))
      process.exitCode = exitCode
    } catch (error) {
      await this.#openToTell(error).catch((trouble: unknown) => this.#onLog('error', 'nobody could be told', { reason: String(trouble) }))
      this.#opened?.rememberError(error, this.#codeFor(error))
      await this.#end()
      this.#showError(error)
      for (const problem of this.#opened?.troubles() ?? []) warn(problem)
    } finally {
      const stray = strays.first()
      if (stray !== null) this.#addFailure(stray)
      await this.#tellOfLostOutput(output)
      release()
      allowExit()
      strays.dispose()
      interruption.dispose()
      output.close()
    }
  }

  /** The global flags, known even when the arguments do not parse. */
  get #globals(): GlobalFlags {
    return readGlobalFlags(this.argv, { ...StackbkCommand.baseFlags, ...this.ctor.flags })
  }

  /** What the user says about being asked, for a question that this command has. */
  protected get askable(): Askable {
    return this.#globals
  }

  /** Whether a question may be asked that a flag could have answered. */
  protected mayAsk(): boolean {
    return mayAsk(this.#globals)
  }

  /** Asks for a confirmation, unless `--yes` has given it. The list of what goes on ends first: only one can paint at a time. */
  protected async confirmed(question: string): Promise<void> {
    await this.#reporter?.close()
    await assertConfirmed(question, this.#globals)
  }

  /** The checked configuration alone, for commands that use no provider. Warnings are told on standard error. */
  protected configuration(needs: readonly Need[], offers: Offers | null = null, whenMissing: 'fail' | 'defaults' = 'fail', environment: Environment = process.env): Configuration {
    const configuration = loadConfiguration({
      file: this.#globals.config,
      environment,
      descriptors: offers?.usable.map((offer) => offer.descriptor) ?? [],
      needs,
      whenMissing,
    })
    if (!this.#globals.quiet) {
      for (const problem of configuration.problems) warn(problem)
    }
    return configuration
  }

  /** What the plugins provide. */
  protected offers(): Promise<Offers> {
    return collectOffers(this.config)
  }

  /** Everything that a stage works with. Closed when the command ends, however it ends. */
  protected async openRun(request: RunRequest): Promise<Run> {
    const offers = await this.offers()
    const needs = isToldOf(this.id) ? [...request.needs, 'notifications' as const] : request.needs
    return this.#open(request, offers, this.configuration(needs, offers, request.whenMissing, request.environment))
  }

  async #open(request: RunRequest, offers: Offers, configuration: Configuration, notifications?: NotificationSettings | null): Promise<Run> {
    const { openRun } = await import('../stages/open-run.js')
    const state = stateFolder(process.env)
    if (request.changes ?? true) assertTrusted('the state folder', state.root)
    this.#opened = openRun({
      facts: this.facts(),
      configuration,
      offers,
      hooks: this.config,
      state,
      dryRun: request.dryRun ?? false,
      changes: request.changes ?? true,
      lockWaitMs: lockWaitOf(request.wait, configuration),
      isTold: isToldOf(this.id) && !(this.id === 'sync' && request.changes === false),
      isAttended: process.stdin.isTTY && process.stderr.isTTY,
      notifications: notifications ?? undefined,
      signal: this.#interruption?.signal ?? new AbortController().signal,
      reporter: await this.#makeReporter(),
      onLog: (level, message, fields) => this.#onLog(level, message, fields),
    })
    return this.#opened.run
  }

  async #makeReporter(): Promise<Reporter> {
    const { json: isJson, quiet: isQuiet } = this.#globals
    const { silentReporter } = await import('../stages/reporter.js')
    if (isQuiet) return silentReporter
    const stream = isJson ? process.stderr : process.stdout
    if (stream.isTTY && !isJson && process.env['TERM'] !== 'dumb') {
      const { listReporter } = await import('./list-reporter.js')
      this.#reporter = listReporter()
    } else {
      this.#reporter = plainReporter((line) => stream.write(`${line}\n`))
    }
    return this.#reporter
  }

  /** What a result's header is made of, for commands that open no run. */
  protected facts(): RunFacts {
    return { id: newRunId(this.#startedAt), command: this.#name(), dryRun: false, startedAt: this.#startedAt, interruptedBy: () => this.#interruption?.received() ?? null }
  }

  /** Stacks that were left stopped are started with a broken configuration too: what is needed for that is in the journal. */
  protected async openRunForResume(wait?: RunRequest['wait']): Promise<Run> {
    try {
      return await this.openRun({ needs: [], wait })
    } catch (error) {
      const state = stateFolder(process.env)
      const waits = !new Journal(state.journal).isEmpty() || !new RecoveryRecords(state.recoveries).isEmpty()
      if (!waits || !(error instanceof StackbkError) || error.kind !== 'configuration') throw error
      this.#toStderr(`warning: ${formatError(errorText(error))}`)
      const offers = await this.offers()
      return this.#open({ needs: [], wait }, offers, this.#defaults(offers), this.#notificationsInSpite(offers))
    }
  }

  /** What ended a call before there was a run: whoever is to hear of this host's backups hears of that too, as far as the configuration says who. */
  async #openToTell(error: unknown): Promise<void> {
    const isRehearsal = this.argv.some((word) => word === '--dry-run' || word === '--test' || /^-[a-z]*n/.test(word))
    if (this.#opened !== null || !isToldOf(this.id) || isRehearsal || exitCodeOf(error) !== exitCodes.ofKind('configuration')) return
    const offers = await this.offers()
    const notifications = this.#notificationsInSpite(offers)
    if (notifications !== null && notifications.notifications.length > 0) await this.#open({ needs: [] }, offers, this.#defaults(offers), notifications)
  }

  #notificationsInSpite(offers: Offers): NotificationSettings | null {
    return salvageNotifications({ file: this.#globals.config, environment: process.env, descriptors: offers.usable.map(({ descriptor }) => descriptor) })
  }

  /** A run for what must work with a broken configuration too, and what is to be said of that. */
  protected async openRunInSpite(): Promise<{ run: Run; offers: Offers; findings: readonly Finding[] }> {
    const offers = await this.offers()
    const needed = 'a configuration without errors'
    try {
      const run = await this.openRun({ needs: [], changes: false })
      const warnings = this.#allWarnings(run.configuration, offers).map(({ message, fix }): Finding => ({ id: 'configuration', status: 'warning', found: message, needed: '', fix }))
      return { run, offers, findings: [{ id: 'configuration', status: 'ok', found: run.configuration.file, needed, fix: '' }, ...warnings] }
    } catch (error) {
      if (!(error instanceof StackbkError) || error.kind !== 'configuration') throw error
      const finding: Finding = { id: 'configuration', status: 'failed', found: messageWithReason(error), needed, fix: error.fix }
      return { run: await this.#open({ needs: [], changes: false }, offers, this.#defaults(offers)), offers, findings: [finding] }
    }
  }

  /** Also those of what this command itself does not need, such as a password file that others can read. */
  #allWarnings({ problems }: Configuration, offers: Offers): readonly Problem[] {
    const descriptors = offers.usable.map(({ descriptor }) => descriptor)
    const ofNeeds = (['password', 'notifications', 'remote-if-any'] as const).flatMap((need) => {
      try {
        return loadConfiguration({ file: this.#globals.config, environment: process.env, descriptors, needs: [need] }).problems
      } catch (error) {
        // What is wrong here is found when the provider that needs it is examined.
        return error instanceof StackbkError ? error.problems : []
      }
    })
    const more = ofNeeds.filter(({ severity, message }) => severity === 'warning' && !problems.some((known) => known.message === message))
    return [...problems, ...new Map(more.map((problem) => [problem.message, problem])).values()]
  }

  /** What an empty configuration would give. */
  #defaults(offers: Offers): Configuration {
    const descriptors = offers.usable.map((offer) => offer.descriptor)
    const file = this.#globals.config ?? '/etc/stackbk/config.ini'
    return checkConfiguration({ file, exists: false, text: '', mode: 0o600, environment: process.env, descriptors, needs: [] })
  }

  #name(): string {
    return this.calledAs ?? this.id?.replaceAll(':', ' ') ?? ''
  }

  #codeFor(error: unknown): number {
    const signal = this.#interruption?.received() ?? null
    return signal === null ? exitCodeOf(error) : exitCodes.ofSignal(signal)
  }

  /** One that an installed plugin throws where nobody can catch it, while the run uses nothing that it provides. */
  #isOfIdlePlugin(error: Error): boolean {
    const plugin = pluginBehind(error, this.config)
    if (plugin === null || this.#opened === null || this.#opened.uses(plugin)) return false
    this.#opened.run.log('warning', `${plugin} failed where nobody waits for it`, { reason: error.message })
    return true
  }

  #onSignal(name: SignalName): void {
    this.#reporter?.notice(`${name.slice(3)} received: ending in good order, every stack is started again first`)
  }

  #onLog(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    if (!this.#globals.verbose) return
    process.stderr.write(`${localTime(new Date())} ${level}: ${message}${shownFields(fields)}\n`)
  }

  async #end(): Promise<void> {
    await this.#reporter?.close()
    await this.#opened?.close().catch((error: unknown) => this.#onLog('error', 'the run did not close', { reason: String(error) }))
  }

  #show(result: T): void {
    if (this.#globals.json) {
      writeDocument(`${JSON.stringify(result, withShownNames, 2)}\n`)
      return
    }
    if (this.#globals.quiet) {
      const { problems = [] } = result as { problems?: readonly Problem[] }
      const wrong = presentProblems(problems.filter((problem) => problem.severity === 'error'))
      if (wrong !== '') this.#toStderr(wrong)
      return
    }
    const text = this.present(result)
    if (text !== '') process.stdout.write(`${this.isVerbatim ? displayPath(text) : shownText(text, process.stdout)}\n`)
  }

  #toStderr(text: string): void {
    process.stderr.write(`${shownText(text, process.stderr)}\n`)
  }

  /** A result that stands, and something that went wrong beside it. */
  #addFailure(error: unknown): void {
    this.#toStderr(formatError(errorText(error)))
    const code = typeof process.exitCode === 'number' ? process.exitCode : 0
    process.exitCode = exitCodes.first([code, exitCodeOf(error)])
  }

  /** Half a document must not look like a whole one. */
  async #tellOfLostOutput(output: Output): Promise<void> {
    await new Promise<void>((resolve) => writeDocument('', resolve))
    const reason = output.lost()
    if (reason === null) return
    this.#addFailure(new StackbkError({ kind: 'failed', code: 'output-lost', message: 'the output could not be written', detail: reason, fix: 'Make room where it goes to, or send it elsewhere' }))
  }

  #showError(error: unknown): void {
    const exitCode = this.#codeFor(error)
    const text = errorText(error, { name: this.#name(), flags: Object.keys({ ...StackbkCommand.baseFlags, ...this.ctor.flags }) })
    // An error that ends the command later must not hide that a stack could not be started again.
    const replayed = this.#opened?.run.replayed.problems ?? []
    if (this.#globals.json) {
      const problems = [...(error instanceof StackbkError ? error.problems : []), ...replayed]
      writeDocument(`${JSON.stringify(errorDocument(text, exitCode, problems), null, 2)}\n`)
    } else {
      this.#toStderr(isDeclined(error) ? text.message : formatError(text))
      if (replayed.length > 0) this.#toStderr(presentProblems(replayed))
    }
    process.exitCode = exitCode
  }
}

/** Names of files that are not UTF-8 are written as `\\xFC`: what reads JSON refuses or replaces half characters. */
function withShownNames(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? displayPath(value) : value
}

/** The fields of a line of the log. Most name a stack of containers; where it is that of an error it is lines to be read, not one of JSON. */
function shownFields(fields: Readonly<Record<string, unknown>> | undefined): string {
  if (fields === undefined) return ''
  const { stack, ...others } = fields
  if (typeof stack !== 'string' || !stack.includes('\n')) return ` ${JSON.stringify(fields)}`
  return `${Object.keys(others).length === 0 ? '' : ` ${JSON.stringify(others)}`}\n${stack.replaceAll(/^/gm, '  ')}`
}

/** How long a scheduled run waits if the configuration says nothing: a drill or a large restore should cost no night. */
const usualWaitMs = 3_600_000

function lockWaitOf(wait: RunRequest['wait'], { backup }: Configuration): number {
  if (typeof wait === 'number') return wait
  return backup.lockWaitMs ?? (wait === undefined ? 0 : usualWaitMs)
}

function warn({ message, fix }: Problem): void {
  process.stderr.write(`${shownText(`warning: ${message}${fix === '' ? '' : `. ${fix}`}`, process.stderr)}\n`)
}

function withProblems<T>(result: T, more: readonly Problem[]): T {
  if (more.length === 0) return result
  const { problems = [] } = result as { readonly problems?: readonly Problem[] }
  return { ...result, problems: [...problems, ...more] }
}

/** The parsed flags of a command, its own and the global ones. */
export type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<(typeof StackbkCommand)['baseFlags'] & T['flags']>
