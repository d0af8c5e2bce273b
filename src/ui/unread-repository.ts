import { counted } from '../counted.js'
import type { StatusResult } from '../stages/status.js'

/**
 * Returns true if the snapshots could not be listed, so that what they would show is unknown. A repository that is still to be
 * created holds nothing, and that is known.
 */
export function isRepositoryUnread({ repository, problems }: Pick<StatusResult, 'repository' | 'problems'>): boolean {
  return repository.snapshots === null && !problems.some(({ code, severity }) => code === 'repository-missing' && severity === 'warning')
}

/** Returns the last sync in words. Without the repository's ID it is unknown which syncs are its own. */
export function lastSyncInWords(result: StatusResult, ago: (ageMs: number | null) => string): string {
  const { cloud, repository } = result
  if (cloud === null || cloud.lastSync !== null) return ago(cloud?.ageMs ?? null)
  return repository.id === null && isRepositoryUnread(result) ? 'last sync unknown' : 'never synced'
}

/** Returns how many snapshots the cloud lacks, in words. */
export function behindInWords(count: number | null): string {
  return count === null ? 'unknown how many snapshots behind' : `${counted(count, 'snapshot')} behind`
}
