import type { ResultHeader } from '../result.js'

export interface DrillStackReport {
  readonly name: string
  /** `null`: there is none to rehearse. */
  readonly snapshotId: string | null
  /** How old what would come back is, when the drill began. */
  readonly dataAgeMs: number | null
  /** From the first byte of the copy to the healthy stack, fetching the whole copy included; `null` where it did not come so far. */
  readonly recoveryMs: number | null
  readonly healthy: boolean
  /** `skipped`: none is configured, or the stack did not come so far. */
  readonly probe: 'ok' | 'failed' | 'skipped'
  readonly filesCompared: number
  /** How many of them are not what the snapshot holds. */
  readonly mismatches: number
  /** `partial`: its data is as in the snapshot, and not all services could be proven in isolation. */
  readonly status: 'ok' | 'partial' | 'failed' | 'skipped'
}

export interface DrillBody {
  /** Where the data came from: the remote, or with `--local` the repository. */
  readonly source: string
  readonly stacks: readonly DrillStackReport[]
  /** With `--keep`: where everything is, and the label of its containers; else `null`. */
  readonly kept: { readonly folder: string; readonly label: string } | null
}

export type DrillResult = ResultHeader & DrillBody
