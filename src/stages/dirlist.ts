import type { Configuration } from '../config/configuration.js'
import { type DirlistEntry, type DirlistPlace, entriesOf, readDirlist } from '../stacks/dirlist.js'
import type { DirlistChange } from '../stacks/dirlist-changes.js'
import { concluded, type Outcome, type ResultHeader, type RunFacts } from './result.js'

export type DirlistResult = ResultHeader & { readonly entries: readonly DirlistEntry[] }

/** What an edit of the dirlist did, and how the list is now. */
export type DirlistChangeResult = DirlistResult & Pick<DirlistChange, 'added' | 'removed' | 'switched'>

/** All stacks that are listed or found. Writes nothing. */
export function listStacks(run: RunFacts, configuration: Configuration): Outcome<DirlistResult> {
  const dirlist = readDirlist(dirlistPlace(configuration))
  return concluded(run, { entries: entriesOf(dirlist) }, { status: 'ok', problems: dirlist.problems })
}

/** One edit of the dirlist; see `src/stacks/dirlist-changes.ts` for those that there are and what they throw. */
export async function changeStacks(
  run: RunFacts,
  configuration: Configuration,
  edit: (place: DirlistPlace) => Promise<DirlistChange>,
): Promise<Outcome<DirlistChangeResult>> {
  const { problems, ...change } = await edit(dirlistPlace(configuration))
  return concluded(run, change, { status: 'ok', problems })
}

export function dirlistPlace({ docker }: Configuration): DirlistPlace {
  return { file: docker.dirlist, stacksDirectory: docker.stacksDirectory }
}
