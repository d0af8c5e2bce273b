import { readFileSync } from 'node:fs'

import { displayPath, hasRawBytes, pathFromBytes } from '@stackbk/contract'

import { StackbkError } from '../errors.js'

/** What Node has in the place of bytes that are not UTF-8, and what an argument may hold as well. */
const replacement = '\ufffd'

/** The only option whose value may be a path that is not UTF-8: it names what a snapshot holds, and is handed to no tool. */
const exactOption = '--path'

/**
 * Returns the arguments as they were given, each byte that is not UTF-8 as in the paths of the contract. Node replaces such bytes; the
 * kernel keeps them. `commandLine` gives all arguments of this process, each with a zero byte behind it.
 */
export function exactArguments(argv: readonly string[], commandLine: () => Uint8Array = () => readFileSync('/proc/self/cmdline')): readonly string[] {
  if (!argv.some((argument) => argument.includes(replacement))) return argv
  let words: readonly Uint8Array[]
  try {
    words = wordsOf(commandLine()).slice(-argv.length)
  } catch {
    // There is none on this system: the arguments stay as Node gives them.
    return argv
  }
  return argv.map((argument, index) => {
    const bytes = words[index]
    return bytes !== undefined && Buffer.from(bytes).toString('utf8') === argument ? pathFromBytes(bytes) : argument
  })
}

/** Throws `usage` where an argument is not UTF-8 and is not the path of something in a snapshot. */
export function assertUtf8(argv: readonly string[]): void {
  const wrong = argv.find((argument, index) => hasRawBytes(argument) && argv[index - 1] !== exactOption && !argument.startsWith(`${exactOption}=`))
  if (wrong !== undefined) throw new StackbkError({ kind: 'usage', message: `'${displayPath(wrong)}' is not UTF-8, which no tool could be given`, fix: 'Use another name or folder, or rename it' })
}

function wordsOf(commandLine: Uint8Array): readonly Uint8Array[] {
  const words: Uint8Array[] = []
  for (let from = 0, end = commandLine.indexOf(0); end >= 0; from = end + 1, end = commandLine.indexOf(0, from)) words.push(commandLine.subarray(from, end))
  return words
}
