import { newWords } from '@stackbk/contract'

import { nearestName } from '../config/nearest-name.js'
import { exitCodeOf, isCommandLineError, type Problem, StackbkError } from '../errors.js'
import { writeDocument } from '../host/foreign-code.js'
import { readGlobalFlags } from './arguments.js'
import { shownText } from './shown-text.js'

/** An error for people: what failed, why, what to do next. */
export interface ErrorText {
  readonly code: string
  readonly message: string
  readonly why: string
  readonly fix: string
}

/** The command that was called, for errors of the command line. */
export interface CalledCommand {
  /** Its words with blanks between; empty for none. */
  readonly name: string
  /** Names of its flags without dashes, the global ones too. */
  readonly flags: readonly string[]
}

/** Any error in that form. What is none of ours is a bug, and says so. */
export function errorText(error: unknown, command: CalledCommand = { name: '', flags: [] }): ErrorText {
  if (error instanceof StackbkError) {
    // oclif wraps the message of an error that a flag's own parser throws.
    const message = error.message.replace(/^Parsing --\S+ \n\t/, '').replace(/\nSee more help with --help$/, '')
    return { code: error.code, message, why: newWords(message, error.detail), fix: error.fix }
  }
  if (isCommandLineError(error)) return commandLineText(error, command)
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'bug', message: 'internal error: this is a bug in stackbk', why: text, fix: 'Please report it, with the lines above' }
}

/** The three lines. A reason of several lines keeps them. */
export function formatError({ message, why, fix }: ErrorText): string {
  const lines = [`Error: ${message}`]
  if (why !== '') lines.push(...why.split('\n').map((line) => `  ${line}`))
  if (fix !== '') lines.push(`Next:  ${fix}`)
  return lines.join('\n')
}

/** An error before a result, as `--json` prints it. */
export function errorDocument({ code, message, why, fix }: ErrorText, exitCode: number, problems: readonly Problem[] = []): object {
  return { error: { code, message: why === '' ? message : `${message}: ${why}`, fix, exitCode }, ...(problems.length > 0 ? { problems } : {}) }
}

/** Shows what ended a call that no command of ours was there to show; gives the exit code. `argv`: what was given. */
export function showError(error: unknown, argv: readonly string[]): number {
  const exitCode = exitCodeOf(error)
  const text = errorText(error)
  if (readGlobalFlags(argv).json) writeDocument(`${JSON.stringify(errorDocument(text, exitCode), null, 2)}\n`)
  else process.stderr.write(`${shownText(formatError(text), process.stderr)}\n`)
  return exitCode
}

/** oclif puts all in one text of several lines; the flags that it does not know it also names, in `flags`. */
function commandLineText(error: Error, command: CalledCommand): ErrorText {
  const [first = '', ...more] = error.message.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !/see more help/i.test(line))
  const { suggestions = [], flags: given } = error as { suggestions?: readonly string[]; flags?: unknown }
  const help = `See: stackbk ${command.name === '' ? '' : `${command.name} `}--help`
  const unknown = Array.isArray(given) ? (given as string[]) : []
  if (/^Nonexistent flags?:/.test(first) && unknown.length > 0) {
    const nearest = nearestName(unknown[0]?.replace(/^-+/, '') ?? '', command.flags)
    return {
      code: 'usage',
      message: `there is no flag ${unknown.join(', ')}`,
      why: command.flags.length === 0 ? '' : `${command.name} takes ${command.flags.toSorted().map((name) => `--${name}`).join(', ')}`,
      fix: nearest === null ? help : `Did you mean --${nearest}?`,
    }
  }
  const parsed = /^Parsing (--\S+)/.exec(first)?.[1]
  const fix = suggestions.join('; ') || help
  const [reason = '', ...others] = more
  if (parsed !== undefined) return { code: 'usage', message: `${parsed}: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`, why: others.join('\n'), fix }
  return { code: 'usage', message: first.replace(/:$/, ''), why: more.join('\n'), fix }
}
