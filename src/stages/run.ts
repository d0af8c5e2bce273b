import type { Engine, Exec, Freezer, Log, Runtime, Transport } from '@stackbk/contract'

import type { Configuration } from '../config/configuration.js'
import type { StateFolder } from '../host/state-folder.js'
import type { EventQueue } from '../providers/events.js'
import type { Journal } from '../stacks/journal.js'
import type { Reporter } from './reporter.js'
import type { RunFacts } from './result.js'

/** What every stage works with: one command's run. */
export interface Run extends RunFacts {
  readonly configuration: Configuration
  readonly state: StateFolder
  readonly journal: Journal
  /** Aborted by the first signal. What starts stacks does not listen to it. */
  readonly signal: AbortSignal
  readonly log: Log
  readonly reporter: Reporter
  readonly events: EventQueue
  /** Each is created at its first use. Throws (kind `configuration`) when there is none. */
  readonly runtime: () => Promise<Runtime>
  readonly engine: () => Promise<Engine>
  readonly transport: () => Promise<Transport>
  /** The ids of all freezers that can be used. */
  readonly freezerIds: () => readonly string[]
  /** Throws (kind `configuration`) when there is none of this id. */
  readonly freezer: (id: string) => Promise<Freezer>
  /** For what the core itself needs a tool for. */
  readonly exec: Exec
  /**
   * Takes a further lock for the rest of the run, released with it. Throws (kind `busy`) when another run holds it. A dry
   * run only looks.
   */
  readonly lock: (...subjects: readonly LockSubject[]) => Promise<void>
}

/** What two runs must not change at once. */
export interface LockSubject {
  readonly kind: 'engine' | 'journal' | 'stacks' | 'repository'
  readonly id: string
}
