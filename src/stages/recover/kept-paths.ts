import type { Engine } from '@stackbk/contract'

import { isWithin, mountPoints, realPathSoFar } from '../../host/mounts.js'
import { readDirlist } from '../../stacks/dirlist.js'
import { ownFolderPatterns } from '../own-folders.js'
import type { Run } from '../run.js'
import { stays, type ForeignPath } from './foreign-paths.js'
import { isThere } from './moves.js'

/**
 * Why a recovery leaves what is in a place:
 * - `excluded`: EXCLUDE keeps it out of the snapshots
 * - `mounted`: another file system is mounted there
 * - `repository`, `state`, `configuration`: stackbk itself needs it
 * - `other-stack`: it is the folder of another stack
 * - `shared`: it lies outside of the stack's folder, and another stack uses it too
 * - `system`: it is a file of the operating system
 */
export type KeptReason = 'excluded' | 'mounted' | 'repository' | 'state' | 'configuration' | 'other-stack' | 'shared' | 'system'

export interface KeptPath {
  readonly path: string
  readonly reason: KeptReason
}

/** What stays in its place whatever the snapshot holds, or because it holds none of it. */
export interface KeptPaths {
  /** Mount points below a folder of the stack. */
  readonly mountPoints: ReadonlySet<string>
  /** Whether the snapshot's version replaces it or not: these stay. */
  readonly protectedPaths: ReadonlyMap<string, KeptReason>
  /** By its path in the snapshot: the snapshot lacks it because it was told to. */
  readonly isExcluded: (path: string) => boolean
}

/** Of whom is asked what stays. */
export interface KeptPathsRequest {
  readonly name: string
  readonly directory: string
  /** The patterns that left files out of the snapshot. */
  readonly excludes: readonly string[]
  /** The paths below which these acted; undefined in snapshots of older versions, where they acted anywhere in a path. */
  readonly excludeRoots?: readonly string[] | undefined
  /** What is not the stack's alone. Absent: nothing. */
  readonly foreignPaths?: readonly ForeignPath[]
  /** Subvolumes among what comes back, on this host: they stay as mount points do. Absent: none. */
  readonly subvolumes?: readonly string[]
}

/**
 * Finds out what stays, for one stack: by the patterns of its snapshot and those of now, and by what is mounted and used here now.
 * Without an engine nobody can say what EXCLUDE means: then all stays that the snapshot does not hold.
 */
export function keptPathsOf(run: Run, engine: Engine | null, { name, directory, excludes, excludeRoots, foreignPaths = [], subvolumes = [] }: KeptPathsRequest): KeptPaths {
  const patterns = [...new Set([...excludes, ...run.configuration.stack(name).exclude, ...ownFolderPatterns])]
  const isExcluded = engine === null ? () => true : (engine.excludeFilter?.(patterns, excludeRoots) ?? (() => false))
  return { mountPoints: new Set([...mountPoints(), ...subvolumes]), protectedPaths: protectedPathsOf(run, engine, { directory, foreignPaths }), isExcluded }
}

function protectedPathsOf(run: Run, engine: Engine | null, { directory, foreignPaths }: { readonly directory: string; readonly foreignPaths: readonly ForeignPath[] }): ReadonlyMap<string, KeptReason> {
  const { dirlist: file, stacksDirectory } = run.configuration.docker
  const paths = new Map<string, KeptReason>(foreignPaths.filter(stays).map(({ path, reason }) => [path, reason]))
  const protect = (path: string | null, reason: KeptReason): void => {
    if (path === null || path === '') return
    const real = realPathSoFar(path)
    // What holds the whole stack is not below it.
    if (isThere(real) && !isWithin(directory, real)) paths.set(real, reason)
  }
  for (const { stack } of readDirlist({ file, stacksDirectory }).stacks) if (stack !== null && stack.directory !== directory) protect(stack.directory, 'other-stack')
  // One in the stack's own folder is the stack's, and comes back with it.
  for (const own of [run.configuration.file, file]) if (!isWithin(realPathSoFar(own), directory)) protect(own, 'configuration')
  protect(run.state.root, 'state')
  protect(engine?.location().path ?? null, 'repository')
  return paths
}

/** The mount points strictly below a folder, those of them that are folders of their own in turn included. */
export function mountPointsBelow(kept: Pick<KeptPaths, 'mountPoints'>, folder: string): readonly string[] {
  return [...kept.mountPoints].filter((point) => point !== folder && isWithin(point, folder)).sort()
}
