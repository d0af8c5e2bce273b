import type { Engine, LayoutGroup, RepositoryLayout } from '@stackbk/contract'

import { StackbkError } from '../errors.js'
import type { Run } from './run.js'

/**
 * Returns the layout of the engine's repository.
 *
 * Throws `configuration` (2) for an engine whose repository is not copied file by file.
 */
export function layoutOf(run: Pick<Run, 'configuration'>, engine: Engine): RepositoryLayout {
  const layout = engine.layout?.()
  if (layout !== undefined) return layout
  throw new StackbkError({
    kind: 'configuration',
    code: 'engine-without-copy',
    message: `the engine "${run.configuration.backup.engine}" has no repository that stackbk can copy file by file, so there is no cloud copy to work with`,
    fix: 'Copy it with the tool itself. Without a cloud copy there are: stackbk run --no-sync, stackbk recover, stackbk verify, stackbk drill --local',
  })
}

/** Returns whether a file belongs to the group by its path in the repository. */
export function belongsTo(group: LayoutGroup, path: string): boolean {
  if (group.isFile) return path === group.path
  const name = path.slice(path.lastIndexOf('/') + 1)
  return isBelow(group, path) && group.namePattern.test(name)
}

/** Returns whether a path lies where the files of the group lie, whatever its name is. */
export function isBelow(group: LayoutGroup, path: string): boolean {
  return group.path === '' ? !path.includes('/') : path.startsWith(`${group.path}/`)
}

/** Returns the group of a file: the first one that fits; `null` for none. */
export function groupOf(layout: RepositoryLayout, path: string): LayoutGroup | null {
  return layout.groups.find((group) => belongsTo(group, path)) ?? null
}

/** Returns whether the engine says that a file is never copied. */
export function isIgnored(layout: RepositoryLayout, path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return layout.ignored.some((ignored) => path === ignored || path.startsWith(`${ignored}/`)) || (layout.ignoredNames ?? []).some((pattern) => pattern.test(name))
}
