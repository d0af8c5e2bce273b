import type { Answer } from './answer.js'
import type { CallOptions, LiveProvider } from './live-provider.js'
import type { BindMount } from './tool.js'

/**
 * The name of the folder, at the root of a mount, that everything lies in which a freezer makes. A copy may have to lie inside
 * what it is a copy of, and may be left there by a kill: the core leaves folders of this name out of every snapshot.
 */
export const frozenFolderName = '.stackbk-frozen'

/** A still copy of some paths, and how to show it at the original ones, in this order. Plain JSON: it goes into the journal. */
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
  /**
   * All of these paths lie where this freezer can work, with nothing mounted below; if not, the failure (kind `unsupported`) says
   * why. Quick, and changes nothing.
   */
  canFreeze(paths: readonly string[], options?: CallOptions): Promise<Answer<void>>
  /**
   * For right before the stop: what need not wait until then, such as writing to disk what is still in memory, which `freeze`
   * would have to do in the window. Changes nothing that could be seen. Its failure means only that freezing may take longer.
   */
  settle?(paths: readonly string[], options?: CallOptions): Promise<Answer<void>>
  /**
   * `label` is part of the name of everything that is made, so that a leftover is found again: letters, digits, `.`, `_` and `-`,
   * at most 200. A failed answer has left nothing behind, unless its `toolOutput` says so.
   */
  freeze(paths: readonly string[], request: { readonly label: string } & CallOptions): Promise<Answer<FrozenCopy>>
  /** Removes exactly what `freeze` made. What is no longer there is no failure. */
  release(copy: FrozenCopy, options?: CallOptions): Promise<Answer<void>>
  /** Copies that a killed run left behind, whole or not, by the label that they were made with. They are there to be released, not read. */
  leftovers(paths: readonly string[], options?: CallOptions): Promise<Answer<readonly (FrozenCopy & { readonly label: string })[]>>
}
