import type { Answer } from './answer.js'
import type { CallOptions, LiveProvider } from './live-provider.js'

/** A file on the remote. Paths are relative to the remote's root, `/` between folders, no `/` at the start. */
export interface RemoteFile {
  readonly path: string
  readonly size: number
  /** ISO 8601; `null` where the remote keeps no time. */
  readonly modifiedAt: string | null
}

export interface RemoteSpace {
  /** `null`: not known, or without limit. */
  readonly totalBytes: number | null
  readonly freeBytes: number | null
}

export interface TransportTraits {
  /** A file appears under its name only when whole. */
  readonly appearsWhole: boolean
  /** What `move` puts under a name appears there only when whole, as where the remote itself renames; false where it is sent again. */
  readonly movesWhole: boolean
  /** `move` replaces what is there in one step. */
  readonly movesAtomically: boolean
  /** `read` can take a part of a file. */
  readonly readsRanges: boolean
}

export interface TransferRequest extends CallOptions {
  /** Relative to both roots. */
  readonly files: readonly string[]
  /** The folder on this host. */
  readonly localRoot: string
  /** The folder below the remote's root that stands in for it; absent: the root itself. With `moveAll` a way to upload beside the place where files belong. */
  readonly remoteFolder?: string
  /**
   * What to do with a file that is there with the same size: `keep` it (right for content-named files) or `replace` it.
   * One of another size is replaced in both.
   */
  readonly whenSameSize: 'keep' | 'replace'
  /** Ended when nothing moved for so long; the failure is then `stalled` and transient. */
  readonly stallTimeoutMs?: number
  /** A limit for the whole call; absent: none. */
  readonly timeoutMs?: number
}

export interface TransferResult {
  /** Files that were really moved, and their bytes. */
  readonly files: number
  readonly bytes: number
}

/**
 * The way to the cloud, thin on purpose: order, guards, retries and verification live once in the core, so every transport
 * is as safe as the others. Rules:
 * - no call retries for long by itself: a failure that may pass has `transient: true`, and the core tries again;
 * - a folder that is not there lists as empty; a remote that is not there is a failure of kind `remote-unreachable`;
 * - `remove` and `move` of what is not there is no failure.
 */
export interface Transport extends LiveProvider {
  /** For people: what and where, without secrets, such as `cloud:/backup/restic`. Empty where none is configured. */
  readonly location: string
  /** Can the remote be reached with these credentials? Answers within `timeoutMs`. */
  probe(request: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Answer<void>>
  /** Names of the remotes that the tool's own configuration holds. For a first configuration. Absent: it has none of its own. */
  remotes?(options?: CallOptions): Promise<Answer<readonly string[]>>
  traits(options?: CallOptions): Promise<Answer<TransportTraits>>
  /** All files below the folder, at any depth; `''` for all. For the path of a file: that file. */
  list(prefix: string, options?: CallOptions): Promise<Answer<readonly RemoteFile[]>>
  upload(request: TransferRequest): Promise<Answer<TransferResult>>
  download(request: TransferRequest): Promise<Answer<TransferResult>>
  /** A file's bytes; kind `not-found` when it is not there. `range` in bytes, end excluded. */
  read(path: string, request?: { readonly range?: { readonly start: number; readonly end: number } } & CallOptions): Promise<Answer<Uint8Array>>
  move(from: string, to: string, options?: CallOptions): Promise<Answer<void>>
  /** `move` for many, at the cost of one: from below one folder to below another, which may lie within the first; `''` is the root. Absent: `move` each. */
  moveAll?(files: readonly string[], request: { readonly from: string; readonly to: string } & CallOptions): Promise<Answer<void>>
  remove(files: readonly string[], options?: CallOptions): Promise<Answer<void>>
  space(options?: CallOptions): Promise<Answer<RemoteSpace>>
  /** Shell commands that fetch all of it into a folder without stackbk, with this provider's keepsakes in the present folder. For the page of the disaster kit. Absent: none are known. */
  byHand?(request: { readonly localRoot: string }): readonly string[]
}
