import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'

import { writeFileAtomically } from '../../host/atomic-write.js'
import { ensureFolder } from '../../host/state-folder.js'

/** A failure that was reported so long ago is not followed by an all-clear. Milliseconds. */
const forgottenAfterMs = 60 * 24 * 3_600_000

interface ReportedFailure {
  /** The name of a `[notify:NAME]`. */
  readonly notifier: string
  readonly command: string
  /** When the run failed. ISO 8601 UTC. */
  readonly at: string
}

/** Records which failures were delivered to which notifier, so that each receives the first success after it. */
export class ReportedFailures {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  /** Returns the notifiers that reported a failure of this command and no success since, with the time of the failure. */
  of(command: string): ReadonlyMap<string, string> {
    return new Map(this.#read().filter((one) => one.command === command).map(({ notifier, at }) => [notifier, at]))
  }

  /** Throws the system's error. */
  add(command: string, at: string, notifiers: readonly string[]): void {
    if (notifiers.length === 0) return
    const others = this.#read().filter((one) => one.command !== command || !notifiers.includes(one.notifier))
    this.#write([...others, ...notifiers.map((notifier) => ({ notifier, command, at }))])
  }

  /** Throws the system's error. */
  remove(command: string, notifiers: readonly string[]): void {
    const all = this.#read()
    const rest = all.filter((one) => one.command !== command || !notifiers.includes(one.notifier))
    if (rest.length < all.length) this.#write(rest)
  }

  /** A file that cannot be read costs an all-clear and nothing else. */
  #read(): readonly ReportedFailure[] {
    try {
      const { failures } = JSON.parse(readFileSync(this.#file, 'utf8')) as { readonly failures?: unknown }
      return Array.isArray(failures) ? failures.filter(isReported) : []
    } catch {
      return []
    }
  }

  #write(failures: readonly ReportedFailure[]): void {
    ensureFolder(dirname(this.#file))
    writeFileAtomically(this.#file, `${JSON.stringify({ schemaVersion: 1, failures }, null, 2)}\n`, { mode: 0o600 })
  }
}

function isReported(value: unknown): value is ReportedFailure {
  if (typeof value !== 'object' || value === null) return false
  const { notifier, command, at } = value as Partial<ReportedFailure>
  return typeof notifier === 'string' && typeof command === 'string' && typeof at === 'string' && Date.now() - Date.parse(at) < forgottenAfterMs
}
