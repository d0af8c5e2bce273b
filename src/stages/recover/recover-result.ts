import type { Problem } from '../../errors.js'
import type { ResultHeader } from '../result.js'

export interface RecoveredStack {
  readonly name: string
  /** Where it came back to; of an extraction, the folder below which its files lie. */
  readonly directory: string
  /** `null` where none could be chosen. */
  readonly snapshotId: string | null
  /** `partial`: it runs, and not everything came back as it was. `skipped`: not reached, because the run was interrupted. */
  readonly status: 'ok' | 'partial' | 'failed' | 'skipped'
  /** Files, folders and links that came out of the snapshot. */
  readonly files: number
  readonly bytes: number
  /** Containers were started. */
  readonly started: boolean
  /** All that ran when the snapshot was made runs, healthy where it was healthy. */
  readonly healthy: boolean
  readonly problems: readonly Problem[]
}

export interface RecoverBody {
  readonly stacks: readonly RecoveredStack[]
}

export type RecoverResult = ResultHeader & RecoverBody
