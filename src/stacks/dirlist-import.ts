import type { Problem } from '../errors.js'
import { type DirlistPlace, interpretDirlist } from './dirlist.js'
import { editDirlist } from './dirlist-file.js'
import { appendLines, namedSubject, parseDirlist, switchLines } from './dirlist-text.js'

/** What another dirlist brought. */
export interface DirlistImport {
  /** Names or paths that are new in ours. */
  readonly added: readonly string[]
  /** Those that ours had the other way, and now has theirs. */
  readonly switched: readonly string[]
  readonly problems: readonly Problem[]
}

/**
 * Takes over the choices of another dirlist, in any of the three notations. Into an empty one it comes line by line, its
 * comments too; into one that has lines only what is new there. Where both know a stack and differ, ours stays, unless
 * `force`.
 */
export async function importDirlist(place: DirlistPlace, theirs: string, options: { readonly force: boolean }): Promise<DirlistImport> {
  const { lines } = parseDirlist(theirs)
  return editDirlist(place.file, (ours) => {
    if (ours.trim() === '') {
      return { text: theirs, result: { added: lines.map(({ subject }) => subject), switched: [], problems: [] } }
    }
    const known = new Map(interpretDirlist(place, ours).stacks.filter((stack) => stack.lines.length > 0).map((stack) => [stack.path, stack]))
    const incoming = interpretDirlist(place, theirs).stacks.filter((stack) => stack.lines.length > 0)
    const fresh = incoming.filter(({ path }) => !known.has(path))
    const different = incoming.filter(({ path, enabled }) => known.has(path) && known.get(path)?.enabled !== enabled)
    let text = ours
    if (options.force) {
      for (const { path, enabled } of different) text = switchLines(text, new Set(known.get(path)?.lines), enabled)
    }
    const additions = fresh.map(({ name, path, external, enabled }) => ({ subject: external ? namedSubject(path, name) : name, isEnabled: enabled }))
    return {
      text: appendLines(text, additions),
      result: {
        added: additions.map(({ subject }) => subject),
        switched: options.force ? different.map(({ name }) => name) : [],
        problems: options.force ? [] : different.map(({ name, enabled }) => stays(name, !enabled)),
      },
    }
  })
}

function stays(name: string, isEnabled: boolean): Problem {
  return {
    severity: 'warning',
    code: 'kept',
    message: `'${name}' stays ${isEnabled ? 'enabled' : 'disabled'}, although the imported list has it the other way round`,
    fix: 'Give --force to use the imported list.',
  }
}
