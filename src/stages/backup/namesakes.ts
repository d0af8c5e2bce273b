import type { Snapshot } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'
import { type Dirlist, isBelievablyGone } from '../../stacks/dirlist.js'
import { lookForStack } from '../../stacks/discovery.js'
import { renamingCommand } from '../../stacks/identity.js'
import { stackMemories } from '../../stacks/stack-memory.js'
import { stackOf } from './stack-snapshots.js'

/** What a repository holds under the name of a stack that was backed up, and is of another folder. */
export interface NamesakeSnapshots {
  /** IDs. */
  readonly ids: ReadonlySet<string>
  readonly problems: readonly Problem[]
}

/**
 * Finds the snapshots that have the name of one of these stacks and are of another folder, where that folder is still a stack: the
 * dirlist knows it, on or off, or it was backed up under the name before. A disk that is not mounted may hold it too. A stack that
 * was moved goes on with the snapshots of where it was: nothing is there any more.
 *
 * @param snapshots those of this host
 * @param memories the folder of what is remembered of each stack
 */
export function findNamesakeSnapshots(stacks: readonly { readonly name: string; readonly directory: string }[], { snapshots, dirlist, memories }: { readonly snapshots: readonly Snapshot[]; readonly dirlist: Dirlist; readonly memories: string }): NamesakeSnapshots {
  const found = stacks.flatMap((stack) => {
    const foreign = snapshots.filter((snapshot) => stackOf(snapshot) === stack.name && !holds(snapshot, stack.directory))
    // Only what such snapshots are of need be looked for.
    const folders = foreign.length === 0 ? [] : foldersOfNamesakes(stack, dirlist, memories)
    return folders.flatMap((folder) => {
      const ids = foreign.filter((snapshot) => holds(snapshot, folder)).map(({ id }) => id)
      return ids.length === 0 ? [] : [{ stack, folder, ids }]
    })
  })
  return { ids: new Set(found.flatMap(({ ids }) => ids)), problems: found.map(({ stack, folder, ids }) => leftOut(stack, { folder, count: ids.length, dirlist })) }
}

function holds({ paths }: Snapshot, folder: string): boolean {
  return paths.some((path) => isWithin(folder, path))
}

function foldersOfNamesakes({ name, directory }: { readonly name: string; readonly directory: string }, dirlist: Dirlist, memories: string): readonly string[] {
  const listed = dirlist.stacks
    .filter((entry) => entry.name === name && entry.stack?.directory !== directory && !isBelievablyGone(dirlist, entry))
    .map(({ stack, path }) => stack?.directory ?? path)
  const remembered = stackMemories(memories).flatMap((memory) => (memory.name === name && isOtherStack(memory.directory, directory) ? [memory.directory] : []))
  return [...new Set([...listed, ...remembered])]
}

/** A link to where the stack is now is no other stack. */
function isOtherStack(folder: string, directory: string): boolean {
  const look = lookForStack(folder, false)
  return look.stack === null ? look.absence === 'unreachable' : look.stack.directory !== directory
}

function leftOut({ name, directory }: { readonly name: string; readonly directory: string }, { folder, count, dirlist }: { readonly folder: string; readonly count: number; readonly dirlist: Dirlist }): Problem {
  const own = dirlist.stacks.find(({ stack }) => stack?.directory === directory)?.stack ?? null
  const renaming = own === null ? null : renamingCommand(own)
  const others = "If this one has taken the place of the other, remove the other one's folder and its line in the dirlist. What is not needed any more you choose in: stackbk snapshots forget"
  return {
    severity: 'warning',
    code: 'stacks-not-distinct',
    message: `${count === 1 ? 'a snapshot' : `${count} snapshots`} with its name ${count === 1 ? 'is' : 'are'} of another stack, ${folder}: retention neither counts nor forgets ${count === 1 ? 'it' : 'them'}`,
    fix: renaming === null ? others : `Give this one another name: ${renaming}. ${others}`,
    stack: name,
  }
}
