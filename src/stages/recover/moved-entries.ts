import { dirname, resolve } from 'node:path'

import { shellWord } from '@stackbk/contract'

import { StackbkError, type Problem } from '../../errors.js'
import { realPathSoFar } from '../../host/mounts.js'
import { type DirlistPlace, interpretDirlist, readDirlist } from '../../stacks/dirlist.js'
import { addExternalStack, switchStacks } from '../../stacks/dirlist-changes.js'
import { editDirlist } from '../../stacks/dirlist-file.js'
import { removeLines } from '../../stacks/dirlist-text.js'
import type { Run } from '../run.js'
import type { RecoveredStack } from './recover-result.js'

/**
 * Lists the stacks that came back to another folder, enabled, so that the next backup takes them; an entry of the old folder goes if
 * nothing is there any more. An entry that is there stays as it is. Returns a warning for each stack that could not be listed. Never throws.
 */
export async function listMoved(run: Pick<Run, 'configuration' | 'reporter'>, stacks: readonly Pick<RecoveredStack, 'name' | 'directory' | 'movedFrom' | 'status'>[]): Promise<readonly Problem[]> {
  const { dirlist: file, stacksDirectory } = run.configuration.docker
  const problems: Problem[] = []
  for (const { name, directory, movedFrom, status } of stacks) {
    if (movedFrom === undefined || (status !== 'ok' && status !== 'partial')) continue
    try {
      if (await list({ file, stacksDirectory }, { name, directory, movedFrom })) run.reporter.notice(`${directory} is in the dirlist now, enabled`)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const fix = error instanceof StackbkError && error.fix !== '' ? error.fix : `Run: stackbk dirlist add ${shellWord(directory)} --name ${shellWord(name)}`
      problems.push({ severity: 'warning', code: 'not-an-entry', message: `${directory} could not be put on the dirlist, so the next backup does not take ${name}: ${reason}`, fix, stack: name })
    }
  }
  return problems
}

/** @returns whether the dirlist has changed */
async function list(place: DirlistPlace, { name, directory, movedFrom }: { readonly name: string; readonly directory: string; readonly movedFrom: string }): Promise<boolean> {
  const { stacks } = readDirlist(place)
  if (stacks.some(({ stack, lines }) => stack?.directory === directory && lines.length > 0)) return false
  await removeOldEntry(place, movedFrom)
  const isInFolder = realPathSoFar(dirname(directory)) === realPathSoFar(place.stacksDirectory)
  if (!isInFolder) await addExternalStack(place, resolve(directory), name)
  await switchStacks(place, [isInFolder ? (stacks.find(({ stack }) => stack?.directory === directory)?.path ?? name) : resolve(directory)], true)
  return true
}

/** Removes the entry of a folder that is gone: it would keep the stack's name, and every backup would look for the stack there. An entry whose folder is still there stays. */
async function removeOldEntry(place: DirlistPlace, movedFrom: string): Promise<void> {
  await editDirlist(place.file, (text) => {
    const old = interpretDirlist(place, text).stacks.filter(({ path, absence }) => absence === 'gone' && realPathSoFar(path) === movedFrom)
    return { text: removeLines(text, new Set(old.flatMap(({ lines }) => lines))), result: null }
  })
}
