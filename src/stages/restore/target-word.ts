import type { Configuration } from '../../config/configuration.js'
import { StackbkError } from '../../errors.js'
import { readDirlist } from '../../stacks/dirlist.js'

/** Returns true for what may be meant as a name: it holds no `/`, and is neither `.` nor `..`. */
export function isPlainWord(target: string): boolean {
  return !target.includes('/') && target !== '.' && target !== '..'
}

/** Returns the refusal (`usage`) of a plain word as the target of a restore. A stack's name leads to `recover`. */
export function refusalOfWord(word: string, { docker }: Pick<Configuration, 'docker'>): StackbkError {
  const isStack = stackNames(docker).includes(word)
  return new StackbkError({
    kind: 'usage',
    code: isStack ? 'stack-is-no-target' : 'word-is-no-path',
    message: isStack ? `${word} is a stack, and restore downloads the whole repository from the remote` : `'${word}' is not taken as a path: restore downloads the whole repository from the remote into a folder`,
    fix: isStack ? `To recover the stack run: stackbk recover ${word}. For a folder of that name: stackbk restore ./${word}` : `For a folder run: stackbk restore ./${word}. To recover a stack: stackbk recover STACK`,
  })
}

/** A dirlist that cannot be read is no reason to take a word for a path. */
function stackNames({ dirlist, stacksDirectory }: Configuration['docker']): readonly string[] {
  try {
    return readDirlist({ file: dirlist, stacksDirectory }).stacks.map(({ name }) => name)
  } catch {
    return []
  }
}
