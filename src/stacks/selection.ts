import type { Configuration } from '../config/configuration.js'
import { nearestName } from '../config/nearest-name.js'
import { type Problem, StackbkError } from '../errors.js'
import { type Dirlist, type DirlistEntry, findStacks, type ListedStack, readDirlist } from './dirlist.js'
import { type Clash, clashesOf, type Stack } from './identity.js'

/** Which stacks a command is to work on. */
export interface Selection {
  /** Enabled ones in the order of the dirlist, named ones in that of their naming. */
  readonly stacks: readonly Stack[]
  /** Wanted, and not there: an unmounted disk, a removed folder. Or refused, which `problem` explains. Each is a failure of its own. */
  readonly unavailable: readonly (DirlistEntry & { readonly reason: string; readonly problem?: Problem })[]
  /** All stacks that are there, on or off. */
  readonly known: readonly KnownStack[]
  readonly dirlist: Dirlist
  /** Warnings about the dirlist and the stacks folder. */
  readonly problems: readonly Problem[]
}

/** A stack of this host, whether it is chosen or not. */
export interface KnownStack extends Stack {
  readonly isEnabled: boolean
}

/**
 * Returns the enabled stacks, or those named, enabled or not. What is wrong with one of them (it is missing, it shares its
 * name or its directory with another, the dirlist has it both on and off) is a failure of that stack alone.
 *
 * Throws before anything is touched (exit 2): an unknown name, one that stands for two stacks, nothing enabled, or nothing
 * but stacks that are refused.
 *
 * @param isEstablished whether a stack was backed up before: of two with one name it keeps the name
 */
export function selectStacks(configuration: Configuration, names: readonly string[] = [], isEstablished: (stack: Stack) => boolean = () => false): Selection {
  const { dirlist: file, stacksDirectory } = configuration.docker
  const dirlist = readDirlist({ file, stacksDirectory })
  const selected = names.length > 0 ? findStacks(dirlist, names) : dirlist.stacks.filter(({ enabled, contradiction }) => enabled || contradiction !== null)
  if (selected.length === 0) throw nothingEnabled(dirlist)

  const wanted = selected.flatMap(({ stack }) => stack ?? [])
  const enabled = dirlist.stacks.flatMap(({ enabled: isOn, stack }) => (isOn && stack ? [stack] : []))
  const all = [...new Set([...wanted, ...enabled])]
  const problemOf = ({ stack, contradiction }: ListedStack): Problem | null => contradiction ?? (stack === null ? null : clashProblem(stack, all, isEstablished))
  const judged = selected.map((listed) => ({ listed, problem: problemOf(listed) }))
  const stacks = judged.flatMap(({ listed, problem }) => (listed.stack === null || problem !== null ? [] : [listed.stack]))
  const refusals = judged.flatMap(({ problem }) => problem ?? [])
  const [first] = refusals
  if (first !== undefined && refusals.length === judged.length) throw new StackbkError({ kind: 'usage', ...first })

  const unavailable = judged.flatMap(({ listed: { stack, name, path, enabled: isOn, external, reason }, problem }) => {
    if (problem !== null) return [{ name, path, enabled: isOn, external, available: stack !== null, reason: problem.message, problem }]
    return stack ? [] : [{ name, path, enabled: isOn, external, available: false, reason }]
  })
  // Of a contradiction the stack that it is about says it, if it is among the selected ones.
  const general = dirlist.problems.filter((problem) => !refusals.includes(problem))
  const known = dirlist.stacks.flatMap(({ enabled: isEnabled, stack }) => (stack === null ? [] : [{ ...stack, isEnabled }]))
  return { stacks, unavailable, known, dirlist, problems: [...general.map(asWarning), ...strangeSections(configuration, dirlist)] }
}

/** A fault of a stack that this run has nothing to do with does not make it fail. */
function asWarning(problem: Problem): Problem {
  return { ...problem, severity: 'warning' }
}

/** Of stacks with one directory the first is backed up, and of stacks with one name the only one that has snapshots under it. */
function clashProblem(stack: Stack, all: readonly Stack[], isEstablished: (stack: Stack) => boolean): Problem | null {
  const isKeeper = ({ kind }: Clash): boolean => {
    const rivals = all.filter(({ name, directory }) => (kind === 'name' ? name === stack.name : directory === stack.directory))
    const established = rivals.filter(isEstablished)
    return stack === (established.length === 1 ? established[0] : kind === 'directory' ? rivals[0] : undefined)
  }
  const clash = clashesOf(stack, all).find((one) => !isKeeper(one))
  if (clash === undefined) return null
  return { severity: 'error', code: 'stacks-not-distinct', message: `${stack.entryPath} is not backed up: ${clash.message} (${clash.detail})`, fix: clash.fix, stack: stack.name }
}

/** A section `[stack:NAME]` for a stack that there is not says nothing to anybody, though somebody meant something by it. */
export function strangeSections(configuration: Configuration, dirlist: Dirlist): Problem[] {
  const names = dirlist.stacks.map(({ name }) => name)
  return configuration.stackSections
    .filter((name) => !names.includes(name))
    .map((name) => {
      const nearest = nearestName(name, names)
      return {
        severity: 'warning',
        code: 'unknown-stack-section',
        message: `${configuration.file}: there is no stack '${name}', for which there is a section [stack:${name}]`,
        fix: nearest === null ? 'Check its name.' : `Did you mean [stack:${nearest}]?`,
      }
    })
}

function nothingEnabled(dirlist: Dirlist): StackbkError {
  const available = dirlist.stacks.filter((stack) => stack.available).map(({ name }) => name)
  return new StackbkError({
    kind: 'nothing-to-do',
    code: 'nothing-enabled',
    message: 'no stack is enabled',
    detail: available.length > 0 ? `disabled in ${dirlist.file}: ${available.join(', ')}` : `no stack in ${dirlist.stacksDirectory}`,
    fix: available.length > 0 ? 'Enable one with: stackbk dirlist enable NAME' : 'Check DOCKER_STACKS_DIR, and that its disk is mounted.',
  })
}

