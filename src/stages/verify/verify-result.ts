import type { ResultHeader } from '../result.js'

export interface CorruptFile {
  readonly file: string
  readonly where: 'local' | 'remote'
  readonly healed: boolean
}

export interface VerifyBody {
  /** What was looked at, such as `structure`, `data 5 %`, `remote 100 %`. */
  readonly depth: string
  /** Files compared with their names. */
  readonly checked: number
  readonly corrupt: readonly CorruptFile[]
}

export type VerifyResult = ResultHeader & VerifyBody

export interface VerifyChoices {
  /** Share of the data to read, in percent; undefined: none of the local one, all of the remote's. */
  readonly percent: number | undefined
  readonly cloud: boolean
  readonly repair: boolean
  /** It waits for other runs, so they may wait for it: the engine's check locks the repository for as long as it takes. */
  readonly waits?: boolean
}
