import { exitCodeOf, exitCodes, StackbkError, type Problem, messageWithReason } from '../errors.js'
import { backup, type BackupChoices } from './backup.js'
import type { BackupResult } from './backup/backup-result.js'
import { concluded, type Outcome, type ResultHeader } from './result.js'
import type { Run } from './run.js'
import { sync } from './sync.js'
import type { SyncResult } from './sync/sync-result.js'

export interface RunBothBody {
  /** `null` when the stage could not begin; the problems say why. */
  readonly backup: BackupResult | null
  /** `null` also when it was left out. */
  readonly sync: SyncResult | null
}

export type RunBothResult = ResultHeader & RunBothBody

export interface RunBothChoices extends BackupChoices {
  readonly sync: boolean
  /** A schedule calls it: a lock that something else than a backup holds means that no backup is made tonight, which is a failure. */
  readonly isScheduled?: boolean
}

/** While one of these holds the lock, a backup is being made, and that run reports it. */
const backupCommands: readonly string[] = ['stackbk run', 'stackbk backup']

/** After these the backup is not followed by a sync: nothing may be touched, or the repository does not open for it either. */
const endsTheRun: readonly StackbkError['kind'][] = ['busy', 'usage', 'configuration', 'nothing-to-do', 'repository-missing', 'repository-locked', 'wrong-password', 'cancelled']

/**
 * `run`: the backup, then the sync, under one lock and in one report. The sync follows also when the backup was partial. A remote
 * that is unknown, or whose transport cannot be set up, prevents no backup: the run fails with the code of the sync afterwards.
 */
export async function runBoth(run: Run, choices: RunBothChoices): Promise<Outcome<RunBothResult>> {
  const problems: Problem[] = []
  const codes: number[] = []
  const attempt = async <T extends ResultHeader>(command: string, stage: (run: Run) => Promise<Outcome<T>>): Promise<T | null> => {
    try {
      const { result, exitCode } = await stage({ ...run, command, startedAt: new Date(), isScheduled: choices.isScheduled === true })
      problems.push(...result.problems)
      codes.push(exitCode)
      run.events.add('stage-finished', { stage: command, result })
      return result
    } catch (error) {
      if (command === 'backup' && choices.isScheduled === true && error instanceof StackbkError && error.kind === 'busy' && !backupCommands.includes(error.holder ?? '')) throw noBackupTonight(error)
      // What the sync meets must not hide what the backup has done.
      if (!(error instanceof StackbkError) || (command === 'backup' && endsTheRun.includes(error.kind))) throw error
      codes.push(exitCodeOf(error))
      problems.push({ severity: 'error', code: error.code, message: messageWithReason(error), fix: error.fix })
      return null
    }
  }
  const saved = await attempt('backup', (stage) => backup(stage, choices))
  const wantsSync = choices.sync && !run.signal.aborted
  const copied = wantsSync ? await attempt('sync', (stage) => sync(stage, { test: false, allowDelete: false, isAfterBackup: true })) : null

  const parts = [saved?.status ?? 'failed', ...(wantsSync ? [copied?.status ?? 'failed'] : [])]
  const status = parts.every((part) => part === 'ok') ? 'ok' : parts.every((part) => part === 'failed') ? 'failed' : 'partial'
  return concluded(run, { backup: saved, sync: copied }, { status, problems, codes: [exitCodes.first(codes)] })
}

function noBackupTonight({ message, detail, fix }: StackbkError): StackbkError {
  return new StackbkError({ kind: 'failed', code: 'busy-without-backup', message: 'no backup was made, because another command than a backup holds the lock', detail: `${message}: ${detail}`, fix })
}
