import type { ResultHeader } from '../result.js'

export interface RestoreBody {
  /** The remote, without secrets. */
  readonly source: string
  readonly target: string
  /** What the target holds of the repository now. */
  readonly files: number
  readonly bytes: number
  readonly verification: {
    /** `unknown`: every file is intact, and the check of the repository could not be made. */
    readonly status: 'ok' | 'failed' | 'skipped' | 'unknown'
    readonly filesChecked: number
    /** Files whose content is not what their name says. */
    readonly corrupt: readonly string[]
  }
  /** Snapshots in the repository; null when it was not opened. */
  readonly snapshots: number | null
  readonly nextSteps: readonly string[]
}

export type RestoreResult = ResultHeader & RestoreBody
