import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import type { Finding } from '@stackbk/contract'

import { deviceOf, nearestExisting } from '../host/mounts.js'
import { knownRepository } from './repository-memory.js'
import type { Run } from './run.js'
import { KnownRemotes } from './sync/known-remotes.js'

/**
 * Returns a warning if the repository lies on the disk of the stacks and there is no cloud copy: one broken disk would take both.
 * For `doctor`.
 *
 * @param path the folder of the repository
 * @param remote the configured remote; empty for none
 */
export function sharedDiskFindings(run: Pick<Run, 'configuration' | 'state'>, path: string, location: string, remote: string): readonly Finding[] {
  const { stacksDirectory } = run.configuration.docker
  if (!existsSync(stacksDirectory) || !isSameDisk(path, stacksDirectory)) return []
  const id = knownRepository(run.state.repositories, location)?.repositoryId ?? null
  const isCopied = remote !== '' && id !== null && new KnownRemotes(run.state.repositories, id, location).of(remote) !== null
  if (isCopied) return []
  const fix = remote === '' ? 'Move the repository to another disk, or configure a remote' : 'Run: stackbk sync, or move the repository to another disk'
  return [{ id: 'repository.disk', status: 'warning', found: `the repository is on the disk of the stacks (${stacksDirectory}), and there is no cloud copy`, needed: 'a repository on another disk, or a cloud copy', fix }]
}

function isSameDisk(one: string, other: string): boolean {
  const [first, second] = [deviceOf(nearestExisting(one)), deviceOf(nearestExisting(other))]
  return first !== null && second !== null && (first === second || diskOf(first) === (diskOf(second) ?? 'unknown'))
}

/** Returns the disk that a partition is on, by the kernel's name for it; `null` for what is neither a disk nor a partition. */
function diskOf(device: number): string | null {
  // The kernel's encoding of a device number (makedev(3)).
  const major = ((device >>> 8) & 0xfff) >>> 0
  const minor = ((device & 0xff) | ((device >>> 12) & 0xfff00)) >>> 0
  try {
    const entry = realpathSync(`/sys/dev/block/${major}:${minor}`)
    return existsSync(join(entry, 'partition')) ? basename(dirname(entry)) : basename(entry)
  } catch {
    return null
  }
}
