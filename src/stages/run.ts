import type { Engine, Exec, Freezer, Log, Runtime, Transport } from '@stackbk/contract'

import type { Configuration, Environment, Need } from '../config/configuration.js'
import type { StateFolder } from '../host/state-folder.js'
import type { EventQueue } from '../providers/events.js'
import type { Notifiers } from '../providers/notifiers.js'
import type { Journal } from '../stacks/journal.js'
import type { Reporter } from './reporter.js'
import type { ReplayFindings, RunFacts } from './result.js'
import type { Telling } from './telling.js'

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
  readonly notifiers: Notifiers
  /** Who is told of this run, and of earlier ones that could not tell it themselves. */
  readonly telling: Pick<Telling, 'begin' | 'catchUp'>
  /** Each is created at its first use. Throws (kind `configuration`) when there is none. */
  readonly runtime: () => Promise<Runtime>
  readonly engine: () => Promise<Engine>
  readonly transport: () => Promise<Transport>
  /** The ids of all freezers that can be used. */
  readonly freezerIds: () => readonly string[]
  /** Throws (kind `configuration`) when there is none of this id. */
  readonly freezer: (id: string) => Promise<Freezer>
  /** What goes into the history beside the result. */
  readonly notes: RunNotes
  readonly replayed: ReplayFindings
  /** No person watches the run: there is no terminal. Absent: one may. */
  readonly isUnattended?: boolean
  /** A schedule has called, so that nobody waits for the end. */
  readonly isScheduled?: boolean
  /** For what the core itself needs a tool for. */
  readonly exec: Exec
  /**
   * Takes a further lock for the rest of the run, released with it. Throws (kind `busy`) when another run holds it. A dry
   * run only looks.
   */
  readonly lock: (...subjects: readonly LockSubject[]) => Promise<void>
  /** Providers of another configuration than this run's own. Throws (kind `configuration`) where that one is wrong. */
  readonly withConfiguration: (request: OtherConfiguration) => OtherProviders
}

export interface RunNotes {
  /** What the repository took at the end of a backup. */
  repositoryBytes?: number
}

/** A configuration beside this run's own, such as that of a disaster kit. */
export interface OtherConfiguration {
  readonly file: string
  /** What counts where the file is silent. */
  readonly environment: Environment
  readonly needs: readonly Need[]
  /** In which its providers keep what must last: not what this host's own keep. */
  readonly dataFolder: string
  /** What its providers run their tools with. */
  readonly exec: Exec
}

export interface OtherProviders extends Pick<Run, 'engine' | 'transport'> {
  readonly close: () => Promise<void>
}

/** What two runs must not change at once. */
export interface LockSubject {
  readonly kind: 'engine' | 'journal' | 'stacks' | 'repository'
  readonly id: string
}
