import { basename, dirname, resolve } from 'node:path'

import { type Problem, StackbkError } from '../errors.js'
import { type Dirlist, type DirlistEntry, type DirlistPlace, entriesOf, findStacks, interpretDirlist, isBelievablyGone, type ListedStack } from './dirlist.js'
import { editDirlist } from './dirlist-file.js'
import { appendLines, canBeListed, givenName, namedSubject, removeLines, renameLines, switchLines } from './dirlist-text.js'
import { lookForStack } from './discovery.js'
import { assertDistinct, suggestedName } from './identity.js'

/** What an edit did. */
export interface DirlistChange {
  /** As they are now. */
  readonly entries: readonly DirlistEntry[]
  /** Names or, for external ones, paths: new in the dirlist. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Names of those that are now switched the other way. */
  readonly switched: readonly string[]
  readonly problems: readonly Problem[]
}

type Edit = Partial<Pick<DirlistChange, 'added' | 'removed' | 'switched' | 'problems'>> & { readonly text: string }

/**
 * Switches stacks on or off by name or path. All are checked before anything is changed: throws (exit 2) for an unknown or
 * ambiguous name, and where an enabled stack would share its name or folder with another enabled one.
 */
export async function switchStacks(place: DirlistPlace, names: readonly string[], isEnabled: boolean): Promise<DirlistChange> {
  return change(place, (dirlist) => switching(dirlist, findStacks(dirlist, names), isEnabled))
}

/** What somebody has decided who saw the list some time ago: absolute paths, and only of what they have changed. */
export interface StackChoices {
  /** Outside the stacks folder, to be listed. */
  readonly add: readonly string[]
  /** Names for some of those, by their paths. */
  readonly names?: ReadonlyMap<string, string>
  readonly on: readonly string[]
  readonly off: readonly string[]
}

/**
 * Makes these choices, all or none, in the list as it is now: what others have changed meanwhile stays. Throws as
 * {@link switchStacks} and {@link addExternalStack} do. What is to be off and is no longer listed is off.
 */
export async function applyChoices(place: DirlistPlace, choices: StackChoices): Promise<DirlistChange> {
  const wanted = choices.add.map((path) => resolve(path))
  const nameOf = (path: string): string => choices.names?.get(path) ?? basename(path)
  for (const path of wanted) assertExternalStack(place, path, nameOf(path))
  return change(place, (dirlist) => {
    const added = wanted.filter((path) => !isListed(dirlist, path))
    const longer = interpretDirlist(place, appendLines(dirlist.text, added.map((path) => ({ subject: namedSubject(path, nameOf(path)), isEnabled: false }))))
    const off = switching(longer, longer.stacks.filter(({ path }) => choices.off.includes(path)), false)
    const shorter = interpretDirlist(place, off.text)
    const on = switching(shorter, findStacks(shorter, choices.on), true)
    return { text: on.text, added: [...added, ...on.added], switched: [...off.switched, ...on.switched], problems: [...off.problems, ...on.problems] }
  })
}

function switching(dirlist: Dirlist, chosen: readonly ListedStack[], isEnabled: boolean): Required<Omit<Edit, 'removed'>> {
  if (isEnabled) assertStillDistinct(dirlist, chosen)
  const lines = new Set(chosen.flatMap((stack) => stack.lines))
  const unlisted = chosen.filter((stack) => stack.lines.length === 0 && isEnabled)
  for (const { name } of unlisted) assertListable(name)
  const switched = chosen.filter((stack) => stack.enabled !== isEnabled).map(({ name }) => name)
  const text = appendLines(switchLines(dirlist.text, lines, isEnabled), unlisted.map(({ name }) => ({ subject: name, isEnabled })))
  const absent = chosen.filter((stack) => isEnabled && !stack.available)
  return { text, switched, added: unlisted.map(({ name }) => name), problems: absent.map(notThereNow) }
}

/**
 * Lists a stack outside the stacks folder, disabled. It must be there. One that is listed already stays as it is, but gets the
 * name if one is given. A warning names a better name if another stack has this one.
 */
export async function addExternalStack(place: DirlistPlace, path: string, name?: string): Promise<DirlistChange> {
  const wanted = resolve(path)
  assertExternalStack(place, wanted, name)
  return change(place, (dirlist) => {
    const present = dirlist.stacks.find((stack) => stack.path === wanted && stack.lines.length > 0)
    const chosen = name ?? present?.name ?? basename(wanted)
    if (name !== undefined) assertNameIsFree(dirlist, wanted, name)
    const problems = namesakes(dirlist, wanted, chosen).map((other) => sharedName(wanted, chosen, other))
    if (present === undefined) return { text: appendLines(dirlist.text, [{ subject: namedSubject(wanted, chosen), isEnabled: false }]), added: [wanted], problems }
    if (present.name === chosen) return { text: dirlist.text, problems }
    return { text: renameLines(dirlist.text, new Set(present.lines), namedSubject(wanted, chosen)), problems: [...problems, renamed(present, chosen)] }
  })
}

function namesakes(dirlist: Dirlist, path: string, name: string): ListedStack[] {
  return dirlist.stacks.filter((stack) => stack.name === name && stack.path !== path)
}

function assertNameIsFree(dirlist: Dirlist, path: string, name: string): void {
  const [other] = namesakes(dirlist, path, name)
  if (other !== undefined) throw wrongUse('stack-name-taken', `another stack is called '${name}': ${other.path}`, 'Give another name.')
}

function sharedName(path: string, name: string, other: ListedStack): Problem {
  return { severity: 'warning', code: 'stack-name-taken', message: `another stack is called '${name}' too: ${other.path}. Only one of them can be enabled`, fix: `Give this one a name: stackbk dirlist add '${path}' --name '${suggestedName(path)}'`, stack: name }
}

function renamed({ name, path }: ListedStack, chosen: string): Problem {
  return { severity: 'warning', code: 'stack-renamed', message: `${path} is now called '${chosen}'. Snapshots that it has keep the name '${name}', and no run removes them`, fix: '', stack: chosen }
}

/** Throws (exit 2) for what {@link addExternalStack} does not list. */
export function assertExternalStack(place: DirlistPlace, path: string, name = basename(resolve(path))): void {
  const wanted = resolve(path)
  if (dirname(wanted) === resolve(place.stacksDirectory)) {
    throw wrongUse('not-external', `${wanted} lies in the stacks folder`, 'Enable it by its name with: stackbk dirlist enable NAME')
  }
  const look = lookForStack(wanted, true)
  if (look.stack === null) throw wrongUse('no-stack', `there is no stack at ${wanted}: ${look.reason}`, 'Give the folder that holds the compose file.')
  assertListable(wanted)
  assertName(wanted, name)
}

/** Throws (exit 2) for a name that a line of the dirlist does not give back. */
function assertName(path: string, name: string): void {
  const subject = namedSubject(path, name)
  // eslint-disable-next-line no-control-regex
  const isReadable = subject === path || (!/[\u0000-\u001f\u007f]/.test(name) && givenName(subject)?.path === path && givenName(subject)?.name === name && canBeListed(subject))
  if (!isReadable) throw wrongUse('stack-name', `${JSON.stringify(name)} cannot be the name of a stack`, "Give a name without slash and without space at its ends.")
}

function isListed(dirlist: Dirlist, path: string): boolean {
  return dirlist.stacks.some((stack) => stack.path === path && stack.lines.length > 0)
}

/** Takes an external stack off the list, by path or base name. Its files stay where they are. */
export async function removeExternalStack(place: DirlistPlace, path: string): Promise<DirlistChange> {
  return change(place, (dirlist) => {
    const wanted = resolve(path)
    const byPath = dirlist.stacks.filter((stack) => stack.path === wanted)
    const externalOnes = dirlist.stacks.filter(({ external }) => external)
    const isExternal = externalOnes.some(({ name }) => name === path)
    const [stack] = byPath.length > 0 ? byPath : findStacks(isExternal ? { ...dirlist, stacks: externalOnes } : dirlist, [path])
    if (stack === undefined) return { text: dirlist.text }
    if (!stack.external) {
      throw wrongUse('not-external', `${stack.path} lies in the stacks folder`, `Switch it off with: stackbk dirlist disable '${stack.name}'`)
    }
    return { text: removeLines(dirlist.text, new Set(stack.lines)), removed: [stack.path] }
  })
}

/**
 * Lists what was found and is not listed yet, switched off. What is listed and gone stays; with `prune` it goes, but only
 * where its absence can be believed: the folder it was in is there and holds other stacks (for an external one: anything
 * at all), and nothing has its name, not even an empty mount point or a link to nowhere. Throws (exit 7) where nothing can
 * be believed because the stacks folder holds no stack, and (exit 2) where it is missing.
 */
export async function refreshDirlist(place: DirlistPlace, options: { prune: boolean }): Promise<DirlistChange> {
  return change(place, (dirlist) => {
    const { discovery } = dirlist
    if (discovery.state === 'missing') {
      throw new StackbkError({
        kind: 'configuration',
        code: 'stacks-folder-missing',
        message: `the stacks folder ${place.stacksDirectory} cannot be read; no choice was touched`,
        detail: discovery.reason,
        fix: 'Check DOCKER_STACKS_DIR, and that its disk is mounted.',
      })
    }
    const fresh = dirlist.stacks.filter((stack) => stack.lines.length === 0 && canBeListed(stack.name)).map(({ name }) => name)
    const gone = options.prune ? believablyGone(dirlist) : []
    const removed = gone.map((stack) => (stack.external ? stack.path : stack.name))
    const text = appendLines(removeLines(dirlist.text, new Set(gone.flatMap(({ lines }) => lines))), fresh.map((subject) => ({ subject, isEnabled: false })))
    const isBare = discovery.state === 'without-stacks'
    return { text, added: fresh, removed, problems: isBare ? [noStacksThere(place.stacksDirectory)] : [] }
  })
}

/** One locked load, change and save; the entries are those after it. */
async function change(place: DirlistPlace, edit: (dirlist: Dirlist) => Edit): Promise<DirlistChange> {
  return editDirlist(place.file, (before) => {
    const { text, added = [], removed = [], switched = [], problems = [] } = edit(interpretDirlist(place, before))
    const after = interpretDirlist(place, text)
    return { text, result: { entries: entriesOf(after), added, removed, switched, problems: [...after.problems, ...problems] } }
  })
}

function believablyGone(dirlist: Dirlist): ListedStack[] {
  const gone = dirlist.stacks.filter((stack) => stack.absence === 'gone')
  if (dirlist.discovery.state !== 'populated' && gone.some(({ external }) => !external)) {
    throw new StackbkError({
      kind: 'guard',
      code: 'no-stacks-to-compare',
      message: `the stacks folder ${dirlist.stacksDirectory} holds no stack at all, so nothing was removed`,
      detail: 'its disk may not be mounted',
      fix: 'Mount it. If the stacks are really gone, remove their lines from the dirlist by hand: no flag does it.',
    })
  }
  return gone.filter((stack) => isBelievablyGone(dirlist, stack))
}

function assertStillDistinct(dirlist: Dirlist, chosen: readonly ListedStack[]): void {
  const wanted = chosen.flatMap(({ stack }) => stack ?? [])
  const enabled = dirlist.stacks.flatMap(({ enabled: isOn, stack }) => (isOn && stack ? [stack] : []))
  assertDistinct([...new Set([...enabled, ...wanted])], wanted)
}

function assertListable(subject: string): void {
  if (canBeListed(subject)) return
  throw wrongUse('stack-name', `${JSON.stringify(subject)} cannot be listed: its name reads as something else in a dirlist`, 'Rename the folder.')
}

function wrongUse(code: string, message: string, fix: string): StackbkError {
  return new StackbkError({ kind: 'usage', code, message, fix })
}

function notThereNow(stack: ListedStack): Problem {
  return {
    severity: 'warning',
    code: 'stack-unavailable',
    message: `${stack.path} is not available now: ${stack.reason}`,
    fix: 'Check that its disk is mounted.',
    stack: stack.name,
  }
}

function noStacksThere(folder: string): Problem {
  return {
    severity: 'warning',
    code: 'stacks-folder-empty',
    message: `the stacks folder ${folder} holds no stack; the choices stay as they are`,
    fix: 'Check DOCKER_STACKS_DIR, and that its disk is mounted.',
  }
}
