import { dirname } from 'node:path'

import type { Engine, Source } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'
import type { Stack } from '../../stacks/identity.js'
import { globPattern } from './glob-pattern.js'

export interface StackExcludes {
  /** The user's patterns, and the places that these leave out as a whole on purpose. */
  readonly excludes: readonly string[]
  /** An error for each place of the stack of which the snapshot would hold nothing. */
  readonly problems: readonly Problem[]
}

export interface ExcludesRequest {
  readonly stack: Pick<Stack, 'name' | 'directory'>
  readonly sources: readonly Pick<Source, 'path' | 'volume' | 'links'>[]
  /** What the snapshot is made of. */
  readonly paths: readonly string[]
  readonly patterns: readonly string[]
}

/**
 * Returns what EXCLUDE means for one stack. Patterns act below its folder and its volumes, never on them as a whole: that takes the
 * name of a volume, or the full path. What loses a whole place in another way is an error, since nothing else would say so.
 */
export function excludesOf({ stack, sources, paths, patterns }: ExcludesRequest, engine: Pick<Engine, 'excludeFilter'>): StackExcludes {
  if (patterns.length === 0) return { excludes: [], problems: [] }
  const roots = paths.flatMap((path) => ({ path, volume: '', ...sources.find((source) => source.path === path) })).filter(({ path }) => path !== stack.directory)
  const isBelow = engine.excludeFilter?.(patterns, paths) ?? ((): boolean => false)
  const isAnywhere = engine.excludeFilter?.(patterns) ?? ((): boolean => false)
  const named = roots.filter(({ volume }) => volume !== '' && patterns.includes(volume))
  // Its place in the folder is a link that leads to it: `media` means what is behind it too.
  const linked = roots.filter(({ path, links = [] }) => isAnywhere(path) && links.some((link) => isWithin(link, stack.directory) && isBelow(link)))
  const leftOut = [...new Set([...named, ...linked].map(({ path }) => path))]
  const excludes = [...patterns, ...leftOut.map(literalPattern)]
  const names = new Set(patterns.map((pattern) => pattern.replace(/(.)\/+$/, '$1')))
  const isOnPurpose = (path: string): boolean => leftOut.includes(path) || roots.some((root) => root.path === path && (names.has(literalPattern(path)) || (root.volume !== '' && names.has(literalPattern(dirname(path))))))
  const isExcluded = engine.excludeFilter?.(excludes, paths) ?? ((): boolean => false)
  return { excludes, problems: paths.filter((path) => isExcluded(path) && !isOnPurpose(path)).map((path) => excludedRoot(stack, path)) }
}

function excludedRoot({ name, directory }: Pick<Stack, 'name' | 'directory'>, path: string): Problem {
  return {
    severity: 'error',
    code: 'root-excluded',
    message: `EXCLUDE leaves out all of ${path}: the snapshot holds nothing of it`,
    fix: `Correct EXCLUDE in [stack:${name}]${path === directory ? '' : `; to leave it out on purpose, list it there by its full path: ${path}`}`,
    stack: name,
  }
}

/**
 * Returns whether the patterns leave out a path of a snapshot of these roots. Of an engine that cannot say only what is certain
 * counts: names of what lies below a root, and absolute paths.
 */
export function excludeFilterOf(engine: Pick<Engine, 'excludeFilter'>, patterns: readonly string[], roots: readonly string[]): (path: string) => boolean {
  if (patterns.length === 0) return () => false
  if (engine.excludeFilter !== undefined) return engine.excludeFilter(patterns, roots)
  const known = patterns.map((pattern) => pattern.replace(/\/+$/, '')).filter((pattern) => pattern !== '' && !pattern.startsWith('!'))
  const names = known.filter((pattern) => !/[/[\\]/.test(pattern)).map(globPattern)
  const paths = known.filter((pattern) => pattern.startsWith('/') && !/[*?[\\]/.test(pattern))
  const isNamed = (path: string): boolean => path.split('/').some((part) => part !== '' && names.some((name) => name.test(part)))
  return (path) => paths.some((excluded) => isWithin(path, excluded)) || roots.some((root) => isWithin(path, root) && isNamed(path.slice(root.length)))
}

/** An exclude pattern for one path alone. The engine does not even look at what is excluded. */
export function literalPattern(path: string): string {
  return path.replaceAll(/[\\*?[\]]/g, (mark) => `\\${mark}`)
}
