import type { Answer, BindMount } from '@stackbk/contract'

import type { MountTable } from './mounts.js'
import type { Share } from './placement.js'
import type { Source } from './sources.js'
import type { Tools } from './tools.js'

/** How one kind of copy is made and removed. Where it lies, and whose it is, is the same for all. */
export interface Method {
  /** The provider's ID, and the ending of its folders' names. */
  readonly id: string
  readonly fileSystems: readonly string[]
  readonly tool: {
    readonly file: string
    /** What its `--version` must say. */
    readonly version: RegExp
    readonly needed: string
    readonly fix: string
  }
  /** Copies can be made from one mount of a file system to another. */
  readonly acrossMounts: boolean
  /** See `Freezer.keepsChangeTimes`. */
  readonly keepsChangeTimes: boolean
  /** What has to be asked of tools and files, outside the window. */
  check(sources: readonly Source[], work: Work): Promise<Answer<void>>
  /** Fills the folder, which is empty and may be gone again if this fails. */
  copy(share: Share, folder: string, work: Work): Promise<Answer<readonly BindMount[]>>
  /** Empties the folder of whatever `copy` made, whole or not. */
  empty(folder: string, work: Work): Promise<Answer<void>>
}

export interface Work {
  readonly tools: Tools
  readonly mounts: MountTable
  readonly signal?: AbortSignal | undefined
}
