import { nearestName } from '../config/nearest-name.js'
import { isCommandLineError, StackbkError } from '../errors.js'

/** An error for people: what failed, why, what to do next. */
export interface ErrorText {
  readonly code: string
  readonly message: string
  readonly why: string
  readonly fix: string
}

/** Any error in that form. What is none of ours is a bug, and says so. `knownFlags`: those of the command, without dashes. */
export function errorText(error: unknown, knownFlags: readonly string[] = []): ErrorText {
  if (error instanceof StackbkError) {
    return { code: error.code, message: error.message, why: error.detail, fix: error.fix }
  }
  if (isCommandLineError(error)) {
    const [message = '', ...more] = error.message.split('\n')
    const suggestions = (error as { suggestions?: readonly string[] }).suggestions ?? []
    return { code: 'usage', message, why: more.filter((line) => line.trim() !== '' && !/see more help/i.test(line)).join(' '), fix: suggestions.join('; ') || (nearestFlag(error, knownFlags) ?? 'See: stackbk --help') }
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'bug', message: 'stackbk has met an error of its own', why: text, fix: 'Please report it, with the lines above' }
}

/** oclif names the flags that it does not know, in `flags`. */
function nearestFlag(error: Error, known: readonly string[]): string | null {
  const [unknown] = (error as { flags?: unknown }).flags instanceof Array ? ((error as { flags?: unknown }).flags as string[]) : []
  const nearest = unknown === undefined ? null : nearestName(unknown.replace(/^-+/, ''), known)
  return nearest === null ? null : `Did you mean --${nearest}?`
}

/** The three lines. A reason of several lines keeps them. */
export function formatError({ message, why, fix }: ErrorText): string {
  const lines = [`Error: ${message}`]
  if (why !== '') lines.push(...why.split('\n').map((line) => `  ${line}`))
  if (fix !== '') lines.push(`Next:  ${fix}`)
  return lines.join('\n')
}
