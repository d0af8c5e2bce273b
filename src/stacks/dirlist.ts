import { readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

import { nearestName } from '../config/nearest-name.js'
import { type Problem, StackbkError } from '../errors.js'
import { canBeListed, givenName, parseDirlist } from './dirlist-text.js'
import { readDirlistText } from './dirlist-file.js'
import { type Absence, type Discovery, discoverStacks, isThere, lookForStack } from './discovery.js'
import type { Stack } from './identity.js'

/** Of many stacks an error names so many. */
const mostNamed = 10

/** Where the choices are and what they are about. */
export interface DirlistPlace {
  /** The dirlist; it need not exist. */
  readonly file: string
  readonly stacksDirectory: string
}

/** A stack that is listed, or found, or both. */
export interface DirlistEntry {
  /** The one that its line gives, else the base name of its path. */
  readonly name: string
  /** Absolute, as it is entered. */
  readonly path: string
  /** What is not listed is off. */
  readonly enabled: boolean
  readonly external: boolean
  /** It is there and holds a compose file. */
  readonly available: boolean
}

/** An entry with what the edits and the stages need besides. */
export interface ListedStack extends DirlistEntry {
  /** Lines of the dirlist, counting from 0; none for what was only found. */
  readonly lines: readonly number[]
  readonly stack: Stack | null
  /** `null` when it is available. */
  readonly absence: Absence | null
  readonly reason: string
  /** It is listed both on and off; `null` if it is not. Among the dirlist's problems too. */
  readonly contradiction: Problem | null
}

export interface Dirlist extends DirlistPlace {
  readonly text: string
  /** In the order of the dirlist, then what was only found, by name. */
  readonly stacks: readonly ListedStack[]
  readonly discovery: Discovery
  readonly problems: readonly Problem[]
}

/** Reads the dirlist and looks at what is there. Writes nothing. Throws where the file cannot be read. */
export function readDirlist(place: DirlistPlace): Dirlist {
  return interpretDirlist(place, readDirlistText(place.file))
}

/** The same for a text of the caller's. */
export function interpretDirlist(place: DirlistPlace, text: string): Dirlist {
  const { lines, unknown } = parseDirlist(text)
  const discovery = discoverStacks(place.stacksDirectory)
  const byPath = new Map<string, { enabled: boolean[]; lines: number[]; name: string }>()
  for (const line of lines) {
    const { path, name } = locationOf(place, line.subject)
    const known = byPath.get(path) ?? { enabled: [], lines: [], name: basename(path) }
    byPath.set(path, { enabled: [...known.enabled, line.isEnabled], lines: [...known.lines, line.index], name: name ?? known.name })
  }
  const found = new Map(discovery.stacks.map((stack) => [stack.entryPath, stack]))
  const repetitions = new Map([...byPath].flatMap(([path, entry]) => listedTwice(place.file, path, entry).map((problem) => [path, problem] as const)))
  const listed = [...byPath].map(([path, { enabled, lines: indexes, name }]): ListedStack => {
    const external = dirname(path) !== resolve(place.stacksDirectory)
    const known = found.get(path)
    const look = known ? { stack: known } : lookForStack(path, external)
    const absence = look.stack === null ? { absence: look.absence, reason: look.reason } : { absence: null, reason: '' }
    const stack = look.stack === null ? null : { ...look.stack, name }
    return { name, path, enabled: enabled.at(-1) === true, external, available: stack !== null, lines: indexes, stack, ...absence, contradiction: contradictionIn(repetitions.get(path)) }
  })
  const unlisted = discovery.stacks
    .filter((stack) => !byPath.has(stack.entryPath))
    .map((stack): ListedStack => ({ name: stack.name, path: stack.entryPath, enabled: false, external: false, available: true, lines: [], stack, absence: null, reason: '', contradiction: null }))
  const problems = [
    ...unknown.map(({ index, text: line }) => unknownLine(place.file, index, line)),
    ...repetitions.values(),
    ...unlisted.filter(({ name }) => !canBeListed(name)).map(({ name }) => unlistable(name)),
    ...discovery.problems,
  ]
  return { ...place, text, stacks: [...listed, ...unlisted], discovery, problems }
}

/** The entries alone, as `dirlist list --json` gives them. */
export function entriesOf(dirlist: Dirlist): DirlistEntry[] {
  return dirlist.stacks.map(({ name, path, enabled, external, available }) => ({ name, path, enabled, external, available }))
}

/**
 * Returns whether nothing is there any more and that can be believed: the folder it was in is there and holds other stacks (for an
 * external one: anything at all). Else a disk may not be mounted.
 */
export function isBelievablyGone({ discovery }: Dirlist, { absence, external, path }: ListedStack): boolean {
  return absence === 'gone' && (external ? !isEmptyOrMissing(dirname(path)) : discovery.state === 'populated')
}

function isEmptyOrMissing(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0
  } catch {
    return true
  }
}

/** Each name or path as its stack, once, all checked before any is returned. */
export function findStacks(dirlist: Dirlist, names: readonly string[]): ListedStack[] {
  const strangers = names.filter((name) => matches(dirlist, name).length === 0)
  if (strangers.length > 0) throw unknownStacks(dirlist, strangers)
  return [
    ...new Set(
      names.map((name) => {
        const [match, ...others] = matches(dirlist, name)
        if (match === undefined || others.length > 0) throw ambiguous(name, matches(dirlist, name))
        return match
      }),
    ),
  ]
}

function matches(dirlist: Dirlist, name: string): ListedStack[] {
  const path = name.startsWith('/') ? resolve(name) : null
  return dirlist.stacks.filter((stack) => (path === null ? stack.name === name : stack.path === path))
}

/** `name` is `null` for a line that gives no name. A folder whose own path reads like `/path as name` is that folder. */
function locationOf(place: DirlistPlace, subject: string): { readonly path: string; readonly name: string | null } {
  if (!subject.startsWith('/')) return { path: join(resolve(place.stacksDirectory), subject), name: null }
  const given = givenName(subject)
  if (given === null || isThere(subject)) return { path: resolve(subject), name: null }
  return { path: resolve(given.path), name: given.name }
}

function unknownStacks(dirlist: Dirlist, strangers: readonly string[]): StackbkError {
  const nearest = nearestName(strangers[0] ?? '', dirlist.stacks.map(({ name }) => name))
  const isOne = strangers.length === 1
  return new StackbkError({
    kind: 'usage',
    code: 'unknown-stack',
    message: `there is no stack ${strangers.map((name) => `'${name}'`).join(', ')}`,
    detail: dirlist.discovery.state === 'missing' ? `the stacks folder ${dirlist.stacksDirectory} cannot be read: ${dirlist.discovery.reason}` : thereAre(dirlist),
    fix: isOne && nearest !== null ? `Did you mean '${nearest}'?` : 'See what there is with: stackbk dirlist list',
  })
}

function thereAre({ stacks }: Dirlist): string {
  const names = stacks.slice(0, mostNamed).map(({ name }) => name)
  if (names.length === 0) return 'there is none at all'
  return `there are: ${names.join(', ')}${stacks.length > mostNamed ? ` and ${stacks.length - mostNamed} more` : ''}`
}

function ambiguous(name: string, candidates: readonly ListedStack[]): StackbkError {
  return new StackbkError({
    kind: 'usage',
    code: 'ambiguous-stack',
    message: `more than one stack is called '${name}'`,
    detail: candidates.map(({ path }) => path).join(' and '),
    fix: 'Give its path in place of its name, or give one of them another name: stackbk dirlist add PATH --name NAME',
  })
}

function unknownLine(file: string, index: number, text: string): Problem {
  return {
    severity: 'warning',
    code: 'dirlist-line',
    message: `${file}:${index + 1}: this line switches no stack: ${text}`,
    fix: 'Write it as NAME=true or NAME=false, or put a # before it.',
  }
}

function listedTwice(file: string, path: string, entry: { enabled: readonly boolean[]; lines: readonly number[]; name: string }): Problem[] {
  if (entry.lines.length < 2) return []
  const isContradiction = new Set(entry.enabled).size > 1
  return [
    {
      severity: isContradiction ? 'error' : 'warning',
      code: 'listed-twice',
      message: `${file}: ${path} is listed more than once${isContradiction ? ', on and off' : ''} (lines ${entry.lines.map((line) => line + 1).join(', ')})`,
      fix: 'Remove all but one.',
      ...(isContradiction ? { stack: entry.name } : {}),
    },
  ]
}

function contradictionIn(repetition: Problem | undefined): Problem | null {
  return repetition?.severity === 'error' ? repetition : null
}

function unlistable(name: string): Problem {
  return {
    severity: 'warning',
    code: 'stack-name',
    message: `the folder ${JSON.stringify(name)} cannot be listed: its name reads as something else in a dirlist`,
    fix: 'Rename it: no blank at its ends, no # at its beginning, no line break.',
  }
}
