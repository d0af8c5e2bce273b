import type { Answer } from './answer.js'
import type { CallOptions, LiveProvider } from './live-provider.js'
import type { BindMount } from './tool.js'

export interface Repository {
  /** The repository's own ID, which a copy of it shares. */
  readonly id: string
  /** Where it is, passwords in URLs redacted. */
  readonly location: string
  /** Its folder, symbolic links resolved; `null` when it is not a folder of this host. */
  readonly path: string | null
}

export interface Snapshot {
  /** In full length. */
  readonly id: string
  /** ISO 8601 UTC: when it was prepared, which may be before what it holds was written. */
  readonly time: string
  readonly host: string
  readonly paths: readonly string[]
  /** As they were given, whatever the engine had to encode. */
  readonly tags: readonly string[]
  readonly parent: string | null
  readonly tree: string
  /** What the engine noted when it was made; `null` where it noted nothing. */
  readonly bytes: number | null
  readonly files: number | null
}

/** Absent: any. Tags: all of them. */
export interface SnapshotFilter {
  readonly host?: string
  readonly tags?: readonly string[]
}

export interface SnapshotRequest {
  /** Absolute, real paths. None may be a symbolic link. */
  readonly paths: readonly string[]
  /** Any text, each round-trips. */
  readonly tags: readonly string[]
  readonly host: string
  /**
   * In full length; `null` for none: everything is read. Never guessed by the engine. One that is not there is, where that can
   * be seen, `not-found` in the first phase.
   */
  readonly parent: string | null
  /**
   * Patterns of the engine's own kind, from the user. A relative one acts below `paths` alone: the folders above them, and they
   * themselves, are never left out by it.
   */
  readonly excludes: readonly string[]
  /**
   * Absolute paths that are left out with everything below them, taken literally. Of `paths`, one that lies below such a path is in
   * the snapshot all the same.
   */
  readonly excludePaths?: readonly string[]
  readonly bindMounts?: readonly BindMount[]
  /**
   * About how much the snapshot will hold, by an earlier one of the same stack. An engine may show its progress by this instead
   * of counting all files first. Nothing else may depend on it.
   */
  readonly expected?: { readonly files: number; readonly bytes: number }
  /** For the snapshot's second phase; absent: no limit. */
  readonly timeoutMs?: number
  readonly stallTimeoutMs?: number
}

export interface SnapshotResult {
  readonly id: string
  /** False when a source could not be read as a whole. */
  readonly isComplete: boolean
  /** What could not be read, in the tool's words, a line each; at most a hundred. */
  readonly unreadable: readonly string[]
  readonly bytesAdded: number
  readonly bytesProcessed: number
  readonly filesNew: number
  readonly filesChanged: number
  readonly filesUnmodified: number
}

/**
 * A snapshot whose repository is already open, or opening. Exactly one of `take` and `abandon` is called, once. If this
 * process dies first, the engine ends by itself: no snapshot, no lock.
 */
export interface PreparedSnapshot {
  /** The repository is open and locked and the engine waits; or why not (`repository-missing`, `repository-locked`, `wrong-password`, ...). */
  readonly ready: Promise<Answer<void>>
  take(options?: CallOptions): Promise<Answer<SnapshotResult>>
  /** Ends it without a snapshot, its lock too. */
  abandon(): Promise<void>
}

/**
 * - `metadata`: the snapshot is there and all its trees load
 * - `files`: every file is listed and counted
 * - `data`: the data is read back
 */
export type VerificationDepth = 'metadata' | 'files' | 'data'

export interface VerificationRequest {
  readonly id: string
  /** Files and bytes that the snapshot must hold; `null` where not known. */
  readonly files: number | null
  readonly bytes: number | null
}

export interface VerificationResult {
  readonly id: string
  readonly isSound: boolean
  /** Why not; empty when sound. */
  readonly reason: string
}

/** How many to keep of each; 0 for none. At least one of the numbers is above 0. */
export interface RetentionPolicy {
  readonly last: number
  readonly daily: number
  readonly weekly: number
  readonly monthly: number
  readonly yearly: number
  /** Keeps also every snapshot that is at most this much older than the newest one of its group. Milliseconds. Absent or 0: none. */
  readonly withinMs?: number
}

export interface RetentionRequest extends CallOptions {
  readonly policy: RetentionPolicy
  readonly host: string
  /** One set of tags a stack: snapshots that carry all of a set belong to it. Each different whole tag set keeps a quota of its own. */
  readonly tagSets: readonly (readonly string[])[]
  /** Also free the space. */
  readonly prune: boolean
  readonly dryRun: boolean
}

export interface RetentionResult {
  /** IDs in full length. */
  readonly removed: readonly string[]
  readonly kept: readonly string[]
}

export interface CheckRequest extends CallOptions {
  /** Also read this share of the data, in percent; 0 for none. */
  readonly readDataPercent: number
  /** Which part of a rotation to read, where the engine can: `n` of `of`. */
  readonly part?: { readonly n: number; readonly of: number }
}

export interface CheckResult {
  readonly isSound: boolean
  /** In the tool's words, a line each. */
  readonly errors: readonly string[]
}

export interface RestoreRequest extends CallOptions {
  readonly snapshot: string
  readonly target: string
  /** Only these paths of the snapshot; empty: all. */
  readonly include: readonly string[]
  /** Part of the snapshot to take as its root, such as `/opt/docker-stacks/web`; empty: none. */
  readonly subfolder: string
  /** Files in the target that are not in the snapshot go. */
  readonly deleteExtra: boolean
  readonly sparse: boolean
  readonly verify: boolean
  /** These paths of the snapshot, and what is below them, do not come. Only together with an empty `include`, and only to an engine that has {@link Engine.eachEntry}. */
  readonly exclude?: readonly string[]
}

export interface RestoreResult {
  /** Files, folders and links that were written, or were there already as they should be. */
  readonly files: number
  /** Of the files among them. */
  readonly bytes: number
}

/** A file or folder in a snapshot. */
export interface SnapshotEntry {
  /** Bytes that are not UTF-8 as `pathFromBytes` writes them, so that no two entries share a path. */
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink' | 'other'
  readonly bytes: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly modifiedAt: string
}

/**
 * One group of the repository's files. Groups stand in commit order: a copy is valid at every instant when files appear
 * elsewhere in this order and vanish in the reverse one.
 */
export interface LayoutGroup {
  readonly name: string
  /**
   * Files are below this folder of the repository, or this very file. Without a slash at either end. `''` with `isFile: false`:
   * files that lie directly in the repository's folder, such as `index.38`. A file belongs to the first group that fits.
   */
  readonly path: string
  readonly isFile: boolean
  /** What the names of its files look like, without their folder. */
  readonly namePattern: RegExp
  /** How their names follow from their content; `none` where they do not. */
  readonly nameIs: 'sha256' | 'none'
  /** A half file under its final name makes the copy wrong, so it must appear whole or not at all. */
  readonly decidesValidity: boolean
  /**
   * - `config`: one file that says which repository this is. Required
   * - `snapshot`: one file for each snapshot, named by its full ID. Required
   * - `key`, `data`, `index`: where the tool has such files
   */
  readonly role: 'key' | 'config' | 'data' | 'index' | 'snapshot'
}

/** What the files of a repository are, so that the core can copy it file by file. Every file is in a group or ignored: a sync sends nothing otherwise. */
export interface RepositoryLayout {
  readonly groups: readonly LayoutGroup[]
  /** Folders that are never copied, with everything below them, and single files, such as locks. By their paths in the repository. */
  readonly ignored: readonly string[]
  /** Names (without their folder) of files that are never copied, in whatever folder: temporary files of the tool. Absent: none. */
  readonly ignoredNames?: readonly RegExp[]
  /**
   * True: a repository that lacks the files of the role `data` opens, and {@link Engine.snapshots} answers completely. A drill then
   * fetches the data only once the snapshots are chosen. Absent or false: everything is fetched first.
   */
  readonly listsWithoutData?: boolean
  /** True: a copy may be read and never written to, as where two repositories with one key must not both be written. Absent or false: a copy can take the place of the original. */
  readonly copiesAreReadOnly?: boolean
}

/** Commands of the tool for a person to type, a line each, without secrets. What is absent is left out of the advice. */
export interface ToolCommands {
  /** Lists the snapshots that stackbk made. */
  readonly list?: string
  /** Checks the repository. */
  readonly check?: string
  /** Checks it and reads all data back. */
  readonly checkData?: string
  /** Repairs what can be repaired. */
  readonly repair?: string
}

/** Another machine may have this one's name, so neither host nor process ID of a young lock says whose it is. */
export interface StaleLockOptions extends CallOptions {
  /** A lock that was not renewed for so long, in milliseconds, is old enough. */
  readonly leastAgeMs?: number
  /** Process IDs of tools of this machine that are known to have ended: their locks are our own, whatever their age. */
  readonly processes?: ReadonlySet<number>
  /**
   * When this machine was starting one more tool whose process ID is not known, since the run was killed in that moment, in
   * milliseconds since the epoch: a lock that was made within a minute after it is our own.
   */
  readonly interruptedStarts?: readonly number[]
}

export interface StaleLockReport {
  readonly removed: number
  /** Locks that others hold, in words: who, since when, from which host. */
  readonly held: readonly string[]
}

/**
 * What makes snapshots. Rules:
 * - IDs are in full length, in and out;
 * - a file counts as unmodified only if size, modification time **and** change time are those in the parent: what a live
 *   pre-pass may have read half is told to the engine by a new change time;
 * - "missing", "locked" and "wrong password" are kinds of their own, never a plain `failed`;
 * - the password goes to the tool by environment or descriptor.
 */
export interface Engine extends LiveProvider {
  /** Opens the repository and says whose it is. Changes nothing, takes no lock. */
  open(options?: CallOptions): Promise<Answer<Repository>>
  /** Makes a new repository where there is none. */
  init(options?: CallOptions): Promise<Answer<Repository>>
  /** The ID alone, as in {@link Repository.id}. */
  repositoryId(options?: CallOptions): Promise<Answer<string>>
  /** Where the repository is, without opening it; redacted. `path` is `null` when it is not a folder of this host. */
  location(): { readonly display: string; readonly path: string | null }
  /** The same engine and password on another folder. */
  at(path: string): Engine
  /** Starts the first phase at once. */
  prepare(request: SnapshotRequest): PreparedSnapshot
  /** All of a run at once, in their order. */
  verify(snapshots: readonly VerificationRequest[], depth: VerificationDepth, options?: CallOptions): Promise<Answer<readonly VerificationResult[]>>
  /** Oldest first. Opens the repository, so it fails as `open` does. */
  snapshots(filter?: SnapshotFilter, options?: CallOptions): Promise<Answer<readonly Snapshot[]>>
  /** Folders before what is in them. `below`: only this path of the snapshot and what is in it, since there may be millions. */
  list(snapshot: string, request?: { readonly below?: string } & CallOptions): Promise<Answer<readonly SnapshotEntry[]>>
  /** Calls `onEntry` as {@link list} would list them, and keeps none: a snapshot may hold millions. Absent: `list` is used. */
  eachEntry?(snapshot: string, onEntry: (entry: SnapshotEntry) => void, request?: { readonly below?: string } & CallOptions): Promise<Answer<void>>
  /**
   * Returns whether these patterns leave a path out of a snapshot of these roots (see {@link SnapshotRequest.excludes}). Without
   * `roots`, relative patterns act anywhere in a path. Absent: nobody but the engine can say.
   */
  excludeFilter?(patterns: readonly string[], roots?: readonly string[]): (path: string) => boolean
  /** The tagged snapshot has a new ID, which is the answer. */
  tag(snapshot: string, change: { readonly add?: readonly string[]; readonly remove?: readonly string[] }, options?: CallOptions): Promise<Answer<{ readonly id: string }>>
  forget(snapshots: readonly string[], request: { readonly prune: boolean } & CallOptions): Promise<Answer<{ readonly removed: readonly string[] }>>
  /** Absent: the core chooses by the same rules, with {@link snapshots} and {@link forget}. Only for a tool that is quicker by itself. */
  retain?(request: RetentionRequest): Promise<Answer<RetentionResult>>
  check(request: CheckRequest): Promise<Answer<CheckResult>>
  restore(request: RestoreRequest): Promise<Answer<RestoreResult>>
  /** One file's content. */
  read(snapshot: string, path: string, options?: CallOptions): Promise<Answer<Uint8Array>>
  /** Removes only locks whose process is certainly gone: of this host, with no such process, and old enough or known to be our own. */
  removeStaleLocks(options?: StaleLockOptions): Promise<Answer<StaleLockReport>>
  /**
   * The files of the repository, for a copy in the cloud that is made and proven file by file. Only for a repository whose files
   * are added and removed as a whole and never changed. Absent: there is no such copy. `sync`, `restore`, `verify --cloud`,
   * `drill` from the cloud and the kit then refuse with exit code 2; backup, recover, verify and `drill --local` work.
   */
  layout?(): RepositoryLayout
  /** Makes what a copy by files lacks (empty folders). `path` is a repository of this engine's kind. Absent: a copy lacks nothing. */
  completeCopy?(path: string): Promise<Answer<void>>
  /** Commands for advice about the repository in this folder; `null` for the configured one. Absent: none are known. */
  toolCommands?(request: { readonly repository: string | null }): ToolCommands
  /** Shell commands that bring files back out of the repository in this folder without stackbk, with this provider's keepsakes in the present folder. For the page of the disaster kit. Absent: none are known. */
  byHand?(request: { readonly repository: string }): readonly string[]
}
