import type { Configuration } from '../config/configuration.js'
import { nearestName } from '../config/nearest-name.js'
import { type Problem, StackbkError } from '../errors.js'
import { type Dirlist, type DirlistEntry, findStacks, readDirlist } from './dirlist.js'
import { assertDistinct, type Stack } from './identity.js'

/** Which stacks a command is to work on. */
export interface Selection {
  /** Enabled ones in the order of the dirlist, named ones in that of their naming. */
  readonly stacks: readonly Stack[]
  /** Wanted, and not there: an unmounted disk, a removed folder. Each is a failure of its own. */
  readonly unavailable: readonly (DirlistEntry & { readonly reason: string })[]
  /** All stacks that are there, on or off. */
  readonly known: readonly KnownStack[]
  /** Warnings about the dirlist and the stacks folder. */
  readonly problems: readonly Problem[]
}

/** A stack of this host, whether it is chosen or not. */
export interface KnownStack extends Stack {
  readonly isEnabled: boolean
}

/**
 * The enabled stacks, or those named, on or off. Throws before anything is touched (exit 2): an unknown name, one that
 * stands for two stacks, nothing enabled, two stacks of one name or one directory, a stack that is both on and off.
 */
export function selectStacks(configuration: Configuration, names: readonly string[] = []): Selection {
  const { dirlist: file, stacksDirectory } = configuration.docker
  const dirlist = readDirlist({ file, stacksDirectory })
  const contradiction = dirlist.problems.find(({ severity }) => severity === 'error')
  if (contradiction) throw new StackbkError({ kind: 'configuration', ...contradiction })

  const selected = names.length > 0 ? findStacks(dirlist, names) : dirlist.stacks.filter(({ enabled }) => enabled)
  if (selected.length === 0) throw nothingEnabled(dirlist)
  const stacks = selected.flatMap(({ stack }) => stack ?? [])
  const enabled = dirlist.stacks.flatMap(({ enabled: isOn, stack }) => (isOn && stack ? [stack] : []))
  assertDistinct([...new Set([...stacks, ...enabled])])
  const unavailable = selected.flatMap(({ stack, name, path, enabled: isOn, external, reason }) =>
    stack ? [] : [{ name, path, enabled: isOn, external, available: false, reason }],
  )
  const known = dirlist.stacks.flatMap(({ enabled: isEnabled, stack }) => (stack === null ? [] : [{ ...stack, isEnabled }]))
  return { stacks, unavailable, known, problems: [...dirlist.problems, ...strangeSections(configuration, dirlist)] }
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

