import type { StackCondition, StackState, StopMode } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import type { UnverifiedSnapshot } from '../../stacks/stack-memory.js'
import type { ResultHeader } from '../result.js'
import type { BackupPreview } from './backup-preview.js'
import type { Mark } from './stack-snapshots.js'

export type StackStatus = 'ok' | 'partial' | 'failed' | 'skipped'

export interface SnapshotFigures {
  readonly id: string
  /** Bytes. */
  readonly bytesAdded: number
  readonly bytesProcessed: number
  readonly filesNew: number
  readonly filesChanged: number
  readonly filesUnmodified: number
}

/** One stack in the result of `backup`. Durations in milliseconds. */
export interface StackReport {
  readonly name: string
  readonly directory: string
  readonly status: StackStatus
  readonly stateBefore: StackCondition
  readonly servicesBefore: readonly string[]
  /** What was done, not what was asked: `none` for a stack that was not stopped. */
  readonly stopMode: StopMode
  /** Why `auto` became `stop` rather than `down`; null where it did not. */
  readonly stopModeReason: string | null
  /** The freezer whose copy was read while the stack ran again; null where the stack itself was read. */
  readonly frozenBy: string | null
  /** A pass over the live stack went before, and its snapshot was built upon. */
  readonly warmPass: boolean
  /** Nothing of the stack ran while it was read; paused is quiet. */
  readonly quiet: boolean
  /** Containers of other projects that ran and could write to its data, without those that are ignored. What they did write makes a snapshot live. */
  readonly possibleWriters: readonly string[]
  readonly snapshot: SnapshotFigures | null
  /** First container stop to last container start, from the engine's own events; null when nothing was stopped. */
  readonly downtimeMs: number | null
  /** The same to all healthy. */
  readonly readyMs: number | null
  readonly durationMs: number
  /** `unknown`: it could not be made, which says nothing against the snapshot; the next backup verifies it. */
  readonly verification: 'ok' | 'failed' | 'skipped' | 'unknown'
  readonly problems: readonly Problem[]
  /** Absent unless it was a dry run. */
  readonly preview?: BackupPreview
}

export interface BackupBody {
  readonly stacks: readonly StackReport[]
  readonly retention: {
    readonly status: 'ok' | 'failed' | 'skipped'
    readonly removed: number
    /** The snapshots that were forgotten, oldest first. Absent if there are none. */
    readonly forgotten?: readonly { readonly id: string; readonly time: string; readonly stack: string | null }[]
  }
}

export type BackupResult = ResultHeader & BackupBody

/** A stack's report while it grows, with what decides over its snapshot and the exit code. */
export interface StackDraft extends Mutable<Omit<StackReport, 'problems'>> {
  readonly problems: Problem[]
  /** What the snapshot will be tagged with. */
  readonly marks: Set<Mark>
  /** The snapshot of the warm pass, to be removed; null where there was none. */
  warmSnapshot: string | null
  /** The engine will not know the files again that this snapshot was read from. */
  readsAllNext: boolean
  /** Snapshots of this stack that the next backup has to verify. */
  unverified: readonly UnverifiedSnapshot[]
  /** Earlier snapshots of this stack that were found damaged in this run. */
  readonly damaged: Set<string>
  /** Exit codes that its failures ask for. */
  readonly codes: Set<number>
  /** Files in the snapshot that are ours and not the stack's. */
  ownFiles: number
  /** As it was before the stop; null of a stack that was not looked at. */
  before: StackState | null
  /** When it was confirmed up again; null when it was not, or was not stopped. */
  confirmedAt: Date | null
  /** What was said of it when it was not up after its backup, and the status that it had without that; null when it was up. */
  startFailure: { readonly problem: Problem; readonly statusWithout: StackReport['status'] } | null
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** A report of a stack of which nothing has been done or found out yet. */
export function emptyDraft(stack: Pick<StackReport, 'name' | 'directory'>): StackDraft {
  return {
    name: stack.name,
    directory: stack.directory,
    status: 'skipped',
    stateBefore: 'unknown',
    servicesBefore: [],
    stopMode: 'none',
    stopModeReason: null,
    frozenBy: null,
    warmPass: false,
    quiet: false,
    possibleWriters: [],
    snapshot: null,
    downtimeMs: null,
    readyMs: null,
    durationMs: 0,
    verification: 'skipped',
    problems: [],
    marks: new Set(),
    warmSnapshot: null,
    readsAllNext: false,
    unverified: [],
    damaged: new Set(),
    codes: new Set(),
    ownFiles: 0,
    before: null,
    confirmedAt: null,
    startFailure: null,
  }
}

/** All files of a snapshot, ours among them. */
export function filesIn({ filesNew, filesChanged, filesUnmodified }: SnapshotFigures): number {
  return filesNew + filesChanged + filesUnmodified
}

/** The part that is shown. */
export function reportOf(draft: StackDraft): StackReport {
  const { warmSnapshot: _warmSnapshot, readsAllNext: _readsAllNext, marks: _marks, unverified: _unverified, damaged: _damaged, codes: _codes, ownFiles: _ownFiles, before: _before, confirmedAt: _confirmedAt, startFailure: _startFailure, ...report } = draft
  return report
}

const badness = ['ok', 'partial', 'failed'] as const

/** Makes a stack's status worse, never better. */
export function worsen(draft: StackDraft, status: 'partial' | 'failed'): void {
  if (draft.status === 'skipped' || badness.indexOf(status) > badness.indexOf(draft.status)) draft.status = status
}
