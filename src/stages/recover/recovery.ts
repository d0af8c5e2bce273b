import type { Runtime } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import type { Run } from '../run.js'
import type { PlannedMoves } from './file-moves.js'
import { keptPathsOf, type KeptPaths } from './kept-paths.js'
import { numberOfMoves, RecoveryRecords, type RecoveryRecord } from './record.js'

/** A recovery under way: its record, on disk before each step. */
export class Recovery {
  readonly run: Run
  readonly runtime: Runtime
  readonly problems: Problem[] = []
  /** What was planned for the files and for the volumes, for the report. */
  readonly planned: PlannedMoves[] = []
  /** What was moved aside by a recovery that writes over what is there. */
  readonly movedAside: string[] = []
  /** Folders in which something is kept for the user. */
  readonly keptAside: string[] = []
  readonly #records: RecoveryRecords
  #record: RecoveryRecord

  constructor(run: Run, runtime: Runtime, record: RecoveryRecord) {
    this.run = run
    this.runtime = runtime
    this.#records = new RecoveryRecords(run.state.recoveries)
    this.#record = record
  }

  get record(): RecoveryRecord {
    return this.#record
  }

  /** Throws when it cannot be written: then the step must not begin. */
  note(change: Partial<RecoveryRecord>): RecoveryRecord {
    const next = { ...this.#record, ...change }
    this.#records.write(next)
    this.#record = next
    this.run.log('info', `recovery: ${next.phase}`, { stack: next.name, moves: numberOfMoves(next) })
    return next
  }

  forget(): void {
    this.#records.remove(this.#record.key)
  }

  /** What stays in its place. */
  async kept(): Promise<KeptPaths> {
    const { name, directory, excludes = [], excludeRoots, foreignPaths = [], subvolumes = [] } = this.#record
    const engine = await this.run.engine().catch(() => null)
    return keptPathsOf(this.run, engine, { name, directory, excludes, excludeRoots, foreignPaths, subvolumes })
  }

  complain(severity: Problem['severity'], code: string, message: string, fix: string): void {
    this.problems.push({ severity, code, message, fix, stack: this.#record.name })
  }
}
