import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import type { StackPlan } from './stack-plan.js'
import { lastGoodSnapshot, newestSnapshot } from './stack-snapshots.js'

/** What a backup would do with one stack, and read of it: only in the result of a dry run. */
export interface BackupPreview {
  /** The freezer whose copy would be read; `null`: the stack itself is read. */
  readonly freezer: string | null
  /** Files and folders that the snapshot would be made of. */
  readonly paths: readonly string[]
  /** Patterns of EXCLUDE that leave files out. */
  readonly excludes: readonly string[]
  /** Paths below `paths` that are left out because they are not the stack's, or do not answer. */
  readonly excludedPaths: readonly string[]
  /** The last good snapshot of the stack, or the newest one if none is good; `null` if there is none. `bytes` and `files` are of all that it holds, `null` if it does not say so. */
  readonly lastSnapshot: { readonly id: string; readonly time: string; readonly bytes: number | null; readonly files: number | null } | null
}

/** Returns the preview of a planned stack. `repository`: `null` if it is still to be made. */
export function previewOf(run: Pick<Run, 'configuration'>, plan: StackPlan, { repository, freezer }: { readonly repository: Pick<OpenRepository, 'snapshots'> | null; readonly freezer: string | null }): BackupPreview {
  const { name } = plan.stack
  const { hostname } = run.configuration.backup
  const snapshots = repository?.snapshots ?? []
  const last = lastGoodSnapshot(snapshots, name, hostname) ?? newestSnapshot(snapshots, name, hostname)
  return {
    freezer: plan.willStop ? freezer : null,
    paths: plan.paths,
    excludes: run.configuration.stack(name).exclude,
    excludedPaths: [...plan.excludePaths, ...plan.unansweredPaths],
    lastSnapshot: last === undefined ? null : { id: last.id, time: last.time, bytes: last.bytes, files: last.files },
  }
}
