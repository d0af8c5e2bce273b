import type { PastRun } from './history.js'

/** What one backup was for one stack. Durations in milliseconds. */
export interface BackupPoint {
  /** ISO 8601 UTC: when the run began. */
  readonly at: string
  readonly status: string
  readonly downtimeMs: number | null
  readonly bytesAdded: number | null
}

/** What the repository took after a backup. */
export interface SizePoint {
  readonly at: string
  readonly bytes: number
}

/** The past as it can be drawn, oldest first. */
export interface Series {
  readonly stacks: ReadonlyMap<string, readonly BackupPoint[]>
  readonly repository: readonly SizePoint[]
}

/** Read from the records of past backups; what a record of before does not say is left out. */
export function seriesOf(runs: readonly PastRun[]): Series {
  const stacks = new Map<string, BackupPoint[]>()
  const repository: SizePoint[] = []
  for (const run of runs.toSorted((one, other) => Date.parse(one.startedAt) - Date.parse(other.startedAt))) {
    const at = run.startedAt
    for (const stack of backedUpIn(run)) {
      const { name, status, downtimeMs, snapshot } = stack
      if (typeof name !== 'string' || status === 'skipped') continue
      const bytesAdded = numberOf((snapshot as { readonly bytesAdded?: unknown } | null | undefined)?.bytesAdded)
      stacks.set(name, [...(stacks.get(name) ?? []), { at, status: String(status), downtimeMs: numberOf(downtimeMs), bytesAdded }])
    }
    const bytes = numberOf(run['repositoryBytes'])
    if (bytes !== null) repository.push({ at, bytes })
  }
  return { stacks, repository }
}

/** Stacks of other commands (a recovery, a drill) were not backed up. */
function backedUpIn(run: PastRun): readonly Readonly<Record<string, unknown>>[] {
  const list = run.command === 'backup' ? run['stacks'] : run.command === 'run' ? (run['backup'] as { readonly stacks?: unknown } | null | undefined)?.stacks : null
  return Array.isArray(list) ? list.filter((stack): stack is Readonly<Record<string, unknown>> => typeof stack === 'object' && stack !== null) : []
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
}
