import type { Transport } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { exitCodes, problemFrom, type Problem } from '../../errors.js'
import { layoutOf } from '../layout.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import type { DeletionPlan } from './deletion.js'
import { groupFiles, type CopiedFile } from './file-list.js'
import { leftovers } from './leftovers.js'
import type { SyncBody } from './sync-result.js'
import { asked } from './transfer.js'
import { expiredTrash, moveToTrash } from './trash.js'

export interface Removal {
  readonly deleted: SyncBody['deleted']
  readonly problems: readonly Problem[]
  readonly codes: readonly number[]
}

export const nothingRemoved: Removal = { deleted: { files: 0, snapshots: 0, bytes: 0 }, problems: [], codes: [] }

/** Deletes what is proven gone, if the local repository passes its check: a broken one is no reason to delete anything. */
export async function removeExtra(run: Run, transport: Transport, { engine }: OpenRepository, plan: DeletionPlan, allowed: boolean): Promise<Removal> {
  if (plan.guards.length > 0 && !allowed) return { ...nothingRemoved, problems: plan.guards, codes: [exitCodes.ofKind('guard')] }
  if (plan.files.length === 0 || run.signal.aborted) return nothingRemoved
  run.reporter.step('checking the repository before anything is deleted from the remote')
  const check = await engine.check({ readDataPercent: 0, signal: run.signal })
  if (!check.ok) return { ...nothingRemoved, problems: [problemFrom(check.failure, { code: 'check-failed' })], codes: [exitCodes.ofKind(check.failure.kind)] }
  if (!check.value.isSound) {
    const problem: Problem = {
      severity: 'error',
      code: 'repository-damaged',
      message: `the local repository does not pass its check, so nothing was deleted from the remote: ${check.value.errors.at(-1) ?? ''}`,
      fix: 'Run: stackbk verify',
    }
    return { ...nothingRemoved, problems: [problem], codes: [exitCodes.ofKind('corrupt')] }
  }
  run.reporter.step(`deleting ${counted(plan.files.length, 'file')} from the remote`)
  const layout = layoutOf(run, engine)
  const deleted = { files: 0, snapshots: 0, bytes: 0 }
  for (const group of layout.groups.toReversed()) {
    const files = groupFiles({ groups: [group], ignored: [] }, plan.files).list[0]?.files ?? []
    if (files.length === 0) continue
    const paths = files.map((file) => file.path)
    // A key that was revoked is not to be found anywhere any more.
    const isKept = run.configuration.cloud.trashDays > 0 && group.role !== 'key'
    const removed = isKept ? await moveToTrash(run, transport, paths) : await asked(run, () => transport.remove(paths, { signal: run.signal }))
    if (!removed.ok) return { deleted, problems: [problemFrom(removed.failure, { code: 'deletion-failed' })], codes: [exitCodes.ofKind('transfer-failed')] }
    deleted.files += files.length
    deleted.bytes += files.reduce((sum, file) => sum + file.size, 0)
    if (group.role === 'snapshot') deleted.snapshots += files.length
  }
  return { deleted, problems: [], codes: [] }
}

/** What has lain in the trash for long enough, and halves of files from uploads that were cut. That they cannot be removed now is no more than a warning. */
export async function tidyUp(run: Run, transport: Transport, { engine }: OpenRepository, strays: readonly CopiedFile[]): Promise<readonly Problem[]> {
  const unwanted = [...expiredTrash(strays, run.configuration.cloud.trashDays, run.startedAt), ...leftovers(layoutOf(run, engine), strays, run.startedAt)]
  if (unwanted.length === 0 || run.signal.aborted) return []
  const removed = await transport.remove(unwanted, { signal: run.signal })
  return removed.ok ? [] : [problemFrom(removed.failure, { severity: 'warning', code: 'trash-not-emptied' })]
}
