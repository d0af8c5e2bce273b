import type { Answer } from './answer.js'
import type { CallOptions, LiveProvider } from './live-provider.js'
import type { BindMount } from './tool.js'

/** A still copy of some paths, and how to show it at the original ones. Plain JSON: it goes into the journal. */
export interface FrozenCopy {
  readonly id: string
  readonly bindMounts: readonly BindMount[]
}

/** Freezes a file system for an instant, so that the stack can start before it is read. */
export interface Freezer extends LiveProvider {
  /**
   * The copy's files have the change times and inode numbers of the originals, so that an engine knows those again that it has
   * read before. False: it reads all of them, and at the next backup of the originals once more.
   */
  readonly keepsChangeTimes: boolean
  /** All of these paths lie where this freezer can work, with nothing mounted below; if not, the failure (kind `unsupported`) says why. */
  canFreeze(paths: readonly string[], options?: CallOptions): Promise<Answer<void>>
  /** `label` is part of the name of everything that is made, so that a leftover is found again. */
  freeze(paths: readonly string[], request: { readonly label: string } & CallOptions): Promise<Answer<FrozenCopy>>
  release(copy: FrozenCopy, options?: CallOptions): Promise<Answer<void>>
  /** Copies that a killed run left behind, by the label that they were made with. */
  leftovers(paths: readonly string[], options?: CallOptions): Promise<Answer<readonly (FrozenCopy & { readonly label: string })[]>>
}
