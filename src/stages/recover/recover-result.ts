import type { Problem } from '../../errors.js'
import type { ResultHeader } from '../result.js'
import type { KeptPath } from './kept-paths.js'

/** What a recovery does to what is there. */
export interface RecoveryChanges {
  /** What gives way to the snapshot's version. */
  readonly replaced: readonly string[]
  /** What stays in its place, and why; at most a thousand are named. */
  readonly kept: readonly KeptPath[]
  readonly keptCount: number
  /** What the snapshot does not hold and nothing keeps in its place: it is moved out of the stack, and kept. At most a thousand are named; of a whole folder the folder alone. */
  readonly removed: readonly string[]
  readonly removedCount: number
  /** Where what was removed is kept, below its full path; empty in a dry run. */
  readonly keptAside: readonly string[]
}

export interface RecoveredStack {
  readonly name: string
  /** Where it came back to; of an extraction, the folder below which its files lie. */
  readonly directory: string
  /** The folder that it had when the snapshot was made, if that is another one. Absent: the same. */
  readonly movedFrom?: string
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
  /** `null` where nothing was compared: an extraction, a stack that was not reached. */
  readonly changes: RecoveryChanges | null
  readonly problems: readonly Problem[]
}

/** Returns the old folder of a stack that moves, as a result names it. */
export function movedFromOf({ origin, directory }: { readonly origin: string; readonly directory: string }): Pick<RecoveredStack, 'movedFrom'> {
  return origin === directory ? {} : { movedFrom: origin }
}

export interface RecoverBody {
  readonly stacks: readonly RecoveredStack[]
}

export type RecoverResult = ResultHeader & RecoverBody
