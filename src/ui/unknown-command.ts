import { nearestName } from '../config/nearest-name.js'
import { StackbkError } from '../errors.js'
import { type FlagShape, globalFlagShapes } from './arguments.js'

export interface KnownCommand {
  /** Its words with blanks between. */
  readonly name: string
  readonly flags: Readonly<Record<string, FlagShape>>
}

/** What other tools call a command, and the line that comes nearest. It is only named, never run. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ['diff', 'snapshots'],
  ['find', 'snapshots'],
  ['list', 'snapshots'],
  ['log', 'history'],
  ['logs', 'history'],
  ['ls', 'snapshots'],
  ['mount', 'recover STACK --target DIR'],
  ['prune', 'snapshots forget --prune'],
  ['unlock', 'doctor'],
  ['version', '--version'],
])

/** As oclif lists them, without those that nobody calls by name. */
export function knownCommands(commands: readonly { readonly id: string; readonly hidden?: boolean | undefined; readonly flags: KnownCommand['flags'] }[]): KnownCommand[] {
  return commands.filter(({ hidden }) => hidden !== true).map(({ id, flags }) => ({ name: id.replaceAll(':', ' '), flags }))
}

/** What is wrong with a call that names no command. `words`: all that was given. */
export function unknownCommand(words: readonly string[], commands: readonly KnownCommand[]): StackbkError {
  const names = commands.map(({ name }) => name)
  const [first = ''] = words
  if (first.startsWith('-')) return withoutCommand(first, commands)
  const asked = words.slice(0, words.findIndex((word) => word.startsWith('-')) >>> 0).join(' ')
  const known = names.filter((name) => asked.startsWith(`${name} `)).toSorted((a, b) => b.length - a.length)[0]
  if (known !== undefined && !names.some((name) => name.startsWith(`${known} `))) {
    return wrongUse('usage', `${known} takes no '${asked.slice(known.length + 1)}'`, 'it has no argument', `See: stackbk ${known} --help`)
  }
  const meant = otherNames.get(first) ?? ''
  if (meant.startsWith('--') || names.some((name) => `${meant} `.startsWith(`${name} `))) return wrongUse('unknown-command', `there is no command "${asked}"`, '', `Did you mean: stackbk ${meant}`)
  const siblings = names.filter((name) => name.startsWith(`${first} `))
  const nearest = nearestName(asked, names) ?? nearestName(words.slice(0, 2).join(' '), siblings) ?? nearestName(first, names)
  const there = siblings.length > 0 ? siblings : [...new Set(names.map((name) => name.split(' ')[0] ?? ''))]
  return wrongUse('unknown-command', `there is no command "${asked}"`, `there are: ${there.toSorted().join(', ')}`, nearest === null ? 'See: stackbk --help' : `Did you mean: stackbk ${nearest}`)
}

/** A flag where the command should be. */
function withoutCommand(word: string, commands: readonly KnownCommand[]): StackbkError {
  const isGlobal = Object.entries(globalFlagShapes).some(([name, { char }]) => word.startsWith(`--${name}`) || (char !== undefined && /^-[a-z]/.test(word) && word.includes(char)))
  if (isGlobal) return wrongUse('no-command', 'no command is given', `there is only ${word}`, 'See: stackbk --help')
  const takers = commands.filter(({ flags }) => Object.entries(flags).some(([name, { char }]) => word === `--${name}` || word === `-${char ?? ''}`)).map(({ name }) => name)
  if (takers.length === 0) return wrongUse('usage', `there is no flag ${word}`, 'it stands where a command is expected', 'See: stackbk --help')
  return wrongUse('usage', `${word} stands before the command`, `it is a flag of: ${takers.toSorted().join(', ')}`, `Write it behind the command, as in: stackbk ${takers[0] ?? ''} ${word}`)
}

function wrongUse(code: string, message: string, detail: string, fix: string): StackbkError {
  return new StackbkError({ kind: 'usage', code, message, detail, fix })
}
