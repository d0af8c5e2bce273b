import type { ResultHeader } from '../result.js'

export interface SyncBody {
  /** Where to, without secrets. */
  readonly remote: string
  readonly uploaded: { readonly files: number; readonly bytes: number }
  readonly deleted: { readonly files: number; readonly snapshots: number; readonly bytes: number }
  /** 1 for a transfer that went through at once, one more for each try again; 0 when there was nothing to send. */
  readonly attempts: number
  /** The remote holds all that the local repository has, by name and size, looked at after the transfer. */
  readonly verified: boolean
}

export type SyncResult = ResultHeader & SyncBody
