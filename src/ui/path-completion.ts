import { readdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

import type { Completion } from './text-field.js'

/** Folders that a path can be completed to, as a shell does it. Hidden ones only where a `.` is written. */
export function completeFolder(text: string): Completion {
  const path = withHome(text)
  const slash = path.lastIndexOf('/')
  const before = path.slice(0, slash + 1)
  const begun = path.slice(slash + 1)
  const candidates = foldersIn(before === '' ? '.' : before).filter((name) => name.startsWith(begun) && (begun !== '' || !name.startsWith('.')))
  const [only] = candidates
  if (only !== undefined && candidates.length === 1) return { text: `${before}${only}/`, candidates }
  return { text: candidates.length === 0 ? path : before + commonStart(candidates), candidates }
}

/** `~/x` as the shell has it. */
export function withHome(text: string): string {
  return text === '~' || text.startsWith('~/') ? (process.env['HOME'] || homedir()) + text.slice(1) : text
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || (entry.isSymbolicLink() && leadsToFolder(join(folder, entry.name))))
      .map(({ name }) => name)
      .sort()
  } catch {
    return []
  }
}

function leadsToFolder(link: string): boolean {
  try {
    return statSync(link).isDirectory()
  } catch {
    return false
  }
}

function commonStart(names: readonly string[]): string {
  const [first = '', ...others] = names
  const characters = [...first]
  const same = characters.findIndex((_, index) => others.some((name) => !name.startsWith(characters.slice(0, index + 1).join(''))))
  return same < 0 ? first : characters.slice(0, same).join('')
}
