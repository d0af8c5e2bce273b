import type { LogLevel } from '@stackbk/contract'

import { appendLine } from './append-line.js'
import { rotate } from './rotation.js'

/** The run log: one JSON object a line. It never fails a run: a full disk must not keep a stack down. */
export class RunLog {
  readonly #path: string | null
  readonly #runId: string
  readonly #redact: (text: string) => string
  /** The last word on why the log itself could not be written; `null` when all is well. */
  trouble: string | null = null

  /** Without a path (a dry run) nothing is written. */
  constructor(options: { path: string | null; runId: string; redact: (text: string) => string }) {
    this.#path = options.path
    this.#runId = options.runId
    this.#redact = options.redact
    if (this.#path === null) return
    try {
      rotate(this.#path)
    } catch (error) {
      this.trouble = error instanceof Error ? error.message : String(error)
    }
  }

  write(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (this.#path === null) return
    try {
      appendLine(this.#path, this.#redact(JSON.stringify({ at: new Date().toISOString(), runId: this.#runId, level, message, ...fields })))
    } catch (error) {
      this.trouble = error instanceof Error ? error.message : String(error)
    }
  }
}
