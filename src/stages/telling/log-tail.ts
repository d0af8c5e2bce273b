import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

import type { LogLevel } from '@stackbk/contract'

/** The last so many lines of a log are told; the services that take them cut longer texts. */
const mostLines = 60
const mostCharacters = 8_000
const longestLine = 400

/** So much of a log's end holds the lines of its last run, or enough of them. Bytes. */
const readFromEnd = 256 * 1024

/** A line of the run log as it is on disk. */
interface LoggedLine {
  readonly at: string
  readonly runId: string
  readonly level: LogLevel
  readonly message: string
  readonly [field: string]: unknown
}

/** The end of a run's log as text for people. */
export class LogTail {
  readonly #lines: string[] = []

  /** What only somebody at work on stackbk itself wants to know is passed over: a tool that ended well. */
  add(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (level === 'debug' && (fields['exitCode'] === 0 || fields['outcome'] === undefined)) return
    const { at, runId: _runId, args: _args, ms: _ms, ...more } = fields
    const details = Object.entries(more).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    const line = [typeof at === 'string' ? at : new Date().toISOString(), `${level}:`, message, ...details].join(' ').replaceAll(/\s*\n\s*/g, ' | ')
    this.#lines.push(line.length > longestLine ? `${line.slice(0, longestLine)} …` : line)
    if (this.#lines.length > mostLines) this.#lines.shift()
  }

  text(): string {
    const kept: string[] = []
    let length = 0
    for (const line of this.#lines.toReversed()) {
      length += line.length + 1
      if (length > mostCharacters) break
      kept.unshift(line)
    }
    return kept.join('\n')
  }
}

/** What the log on disk says of a run that can no longer say it itself, and when it said its last. */
export function loggedBy(runId: string, path: string): { readonly tail: string; readonly lastAt: string | null } {
  const tail = new LogTail()
  let lastAt: string | null = null
  for (const { level, message, ...fields } of linesAtEnd(path).filter((line) => line.runId === runId)) {
    tail.add(level, message, fields)
    lastAt = fields.at
  }
  return { tail: tail.text(), lastAt }
}

function linesAtEnd(path: string): LoggedLine[] {
  let text: string
  try {
    const file = openSync(path, 'r')
    try {
      const { size } = fstatSync(file)
      const bytes = Buffer.alloc(Math.min(size, readFromEnd))
      readSync(file, bytes, 0, bytes.length, size - bytes.length)
      text = bytes.toString('utf8')
    } finally {
      closeSync(file)
    }
  } catch {
    return []
  }
  return text.split('\n').flatMap((line) => {
    try {
      const { runId, at, level = 'info', message = '', ...fields } = (JSON.parse(line) ?? {}) as Partial<LoggedLine>
      return typeof runId === 'string' && typeof at === 'string' ? [{ runId, at, level, message, ...fields }] : []
    } catch {
      return []
    }
  })
}
