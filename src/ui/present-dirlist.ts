import type { DirlistChangeResult, DirlistResult } from '../stages/dirlist.js'
import { blocks, presentProblems } from './present-problems.js'
import { table } from './table.js'

/** A row a stack. */
export function presentDirlist({ entries, problems }: DirlistResult): string {
  const rows = entries.map(({ name, path, enabled, external, available }) => [
    enabled ? 'on' : 'off',
    name,
    [external ? path : '', available ? '' : 'not there'].filter((part) => part !== '').join(', '),
  ])
  return blocks(presentProblems(problems), rows.length === 0 ? 'no stacks' : table(['', 'STACK', ''], rows))
}

/** What has changed, and what that means. */
export function presentDirlistChange({ entries, added, removed, switched, problems }: DirlistChangeResult): string {
  const isOn = (name: string): boolean => entries.some((entry) => entry.name === name && entry.enabled)
  // What is external is added by its path, and switched by its name.
  const nameOf = (added: string): string => entries.find((entry) => entry.external && entry.path === added)?.name ?? added
  const lines = [
    ...added.filter((name) => !switched.includes(nameOf(name))).map((name) => `found ${name} (off)`),
    ...removed.map((name) => `no longer listed: ${name}`),
    ...switched.map((name) => `${isOn(name) ? 'on' : 'off'}: ${name}`),
  ]
  return blocks(presentProblems(problems), lines.length === 0 ? 'nothing to change' : lines.join('\n'))
}
