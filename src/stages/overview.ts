import type { Configuration, Environment } from '../config/configuration.js'
import type { StateFolder } from '../host/state-folder.js'
import { readDirlist } from '../stacks/dirlist.js'
import { stackKey } from '../stacks/identity.js'
import { Journal } from '../stacks/journal.js'
import { recallStack } from '../stacks/stack-memory.js'
import { isDatedInFuture } from './dated-in-future.js'
import { type PastRun, readRuns } from './history.js'
import { lastFailedSync } from './last-failures.js'
import { hasSchedule } from './schedule/known-schedule.js'

/** How the host stands, as far as its own notes tell: no tool is asked, so it costs next to nothing. */
export interface Overview {
  readonly host: string
  readonly stacks: { readonly enabled: number; readonly known: number }
  /** The last run that made backups; `null` for none. Ages in milliseconds. */
  readonly lastBackup: { readonly ageMs: number; readonly status: string } | null
  /** The last copy to the cloud that went well. */
  readonly lastSync: { readonly ageMs: number } | null
  /** How long ago the last sync failed. Absent if it went well, or there was none. */
  readonly lastSyncFailed?: { readonly ageMs: number }
  /** Enabled stacks whose last good snapshot is older than MAX_AGE; `null`: there is none at all. */
  readonly overdue: readonly { readonly name: string; readonly ageMs: number | null }[]
  /** Whether a timer or a crontab runs stackbk with this configuration; `null` if that cannot be known without a tool. */
  readonly hasSchedule: boolean | null
  /** What an interrupted run left stopped. */
  readonly leftStopped: readonly string[]
}

/** Reads notes, writes nothing. Throws where the dirlist cannot be read. */
export function overview(configuration: Configuration, state: Pick<StateFolder, 'history' | 'journal' | 'stacks'>, now = Date.now(), environment: Environment = process.env): Overview {
  const { docker, backup } = configuration
  const { stacks } = readDirlist({ file: docker.dirlist, stacksDirectory: docker.stacksDirectory })
  const enabled = stacks.filter((stack) => stack.enabled)
  const runs = readRuns(state.history)
  const last = runs.findLast(({ command }) => command === 'backup' || command === 'run')
  const lastSync = runs.findLast(hasSynced)
  const failedSync = lastFailedSync(runs, null)
  const ages = enabled.map(({ name, stack }) => {
    const good = stack === null ? null : (recallStack(state.stacks, stackKey(stack))?.lastGood ?? null)
    return { name, ageMs: good === null || isDatedInFuture(good, now) ? null : Math.max(0, now - Date.parse(good.time)) }
  })
  return {
    host: backup.hostname,
    stacks: { enabled: enabled.length, known: stacks.length },
    lastBackup: last === undefined ? null : { ageMs: ageOf(last, now), status: last.status },
    lastSync: lastSync === undefined ? null : { ageMs: ageOf(lastSync, now) },
    ...(failedSync === null ? {} : { lastSyncFailed: { ageMs: Math.max(0, now - Date.parse(failedSync.at)) } }),
    overdue: ages.filter(({ ageMs }) => ageMs === null || ageMs > backup.maxAgeMs),
    hasSchedule: hasSchedule(configuration.file, environment),
    leftStopped: new Journal(state.journal).waiting(),
  }
}

function ageOf({ finishedAt, startedAt }: PastRun, now: number): number {
  const time = Date.parse(finishedAt)
  return Math.max(0, now - (Number.isNaN(time) ? Date.parse(startedAt) : time))
}

function hasSynced(past: PastRun): boolean {
  if (past.command === 'sync') return past.status === 'ok'
  const sync = past['sync'] as { readonly status?: unknown } | null | undefined
  return past.command === 'run' && sync?.status === 'ok'
}
