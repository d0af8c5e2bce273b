import { isAbsolute, resolve } from 'node:path'

import type { Source } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'
import { isSystemFile } from '../../host/system-files.js'
import type { Stack } from '../../stacks/identity.js'
import type { ReservedPlace } from './reserved-places.js'

export interface CoverageChoices {
  readonly includeVolumes: boolean
  readonly includeBinds: 'none' | 'writable'
  readonly ignoreMounts: readonly string[]
  /** Places that are no stack's data, or another stack's. */
  readonly reserved?: readonly ReservedPlace[]
}

export interface Coverage {
  /** What the snapshot is made of; none lies within another, unless something between them is left out. */
  readonly paths: readonly string[]
  /** What lies within these and is left out of the snapshot: the repository, the state folder, other stacks, ignored mounts. */
  readonly excludePaths: readonly string[]
  /** Writable places that the snapshot will not hold, and those that it should hold and cannot. */
  readonly problems: readonly Problem[]
  /** One of them is closed to this user alone, does not answer, or has its data elsewhere: the snapshot is not complete. */
  readonly isIncomplete: boolean
}

/** Returns which of a stack's places go into its snapshot, and which writable ones do not: those are named in every report. */
export function coverageOf(stack: Pick<Stack, 'name' | 'directory'>, sources: readonly Source[], choices: CoverageChoices): Coverage {
  const isIgnored = (source: Source): boolean => choices.ignoreMounts.some((ignored) => isNamedBy(source, ignored))
  const reserved = (choices.reserved ?? []).filter(({ kind, path }) => kind !== 'stack' || path !== stack.directory)
  const isReserved = (source: Source): boolean => !isOwn(source) && reserved.some((place) => belongsTo(source, place))
  const included = sources.filter((source) => isIncluded(source, choices) && !(source.kind === 'bind' && isIgnored(source)))
  const held = included.filter((source) => source.canBeRead && !isReserved(source))
  const binds = held.filter(({ kind }) => kind === 'bind').map(({ path }) => path)
  const mounted = held.filter((source) => !isOwn(source)).map(({ path }) => path)

  const isBelow = (path: string, roots: readonly string[]): boolean => roots.some((root) => root !== path && isWithin(path, root))
  const left = reserved.filter(({ kind, path }) => isBelow(path, kind === 'stack' ? mounted : held.map((source) => source.path)))
  const excludePaths = [...new Set([...left.map(({ path }) => path), ...choices.ignoreMounts.filter(isAbsolute).map((ignored) => resolve(ignored)).filter((ignored) => isBelow(ignored, binds))])].sort()
  const paths = withoutNested(held.map((source) => source.path), excludePaths)

  const closed = included.filter((source) => (source.isForbidden === true || source.isUnanswered === true || source.isNotOnHost === true) && !isIgnored(source))
  const misplaced = sources.filter((source) => source.missing === 'elsewhere' && isIncluded(source, choices) && !isIgnored(source))
  const unheld = sources
    .filter((source) => source.isWritable && !closed.includes(source) && !misplaced.includes(source) && !paths.some((path) => isWithin(source.path, path)))
    .filter((source) => !isIgnored(source) && !isReserved(source))
    .filter((source) => !isOfTheSystem(source) && !isOfThisHost(source))
  const leftOut = [...left, ...reserved.filter((place) => included.some((source) => source.canBeRead && isReserved(source) && belongsTo(source, place)))]
  const problems = [
    ...closed.map((source) => notReadable(stack.name, source)),
    ...misplaced.map((source) => misplacedVolume(stack.name, source)),
    ...unheld.map((source) => notHeld(stack.name, source, choices)),
    ...leftOutProblems(stack.name, [...new Set(leftOut)].filter(({ path }) => !choices.ignoreMounts.some((ignored) => isAbsolute(ignored) && isWithin(path, ignored)))),
  ]
  return { paths, excludePaths, problems, isIncomplete: closed.length > 0 || misplaced.length > 0 }
}

/** Its folder and the files that Compose reads, as opposed to what its containers have mounted. */
function isOwn({ kind }: Source): boolean {
  return kind === 'directory' || kind === 'model-file'
}

/** Whether an entry of IGNORE_MOUNTS means this source: by its path, a link to it, a folder above, or the volume's name. */
function isNamedBy(source: Source, ignored: string): boolean {
  if (source.volume !== '' && ignored === source.volume) return true
  return isAbsolute(ignored) && [source.path, ...(source.links ?? [])].some((path) => isWithin(path, ignored))
}

/** Another stack may well share a folder of its own; the whole of it is that stack's. */
function belongsTo(source: Source, { kind, path }: ReservedPlace): boolean {
  return kind === 'stack' ? source.kind === 'bind' && source.path === path : isWithin(source.path, path)
}

function isIncluded(source: Source, choices: CoverageChoices): boolean {
  switch (source.kind) {
    case 'directory':
    case 'model-file':
      return true
    case 'named-volume':
    case 'anonymous-volume':
      return choices.includeVolumes
    case 'bind':
      return choices.includeBinds === 'writable' && source.isWritable && !isOfThisHost(source)
  }
}

/** Sockets, devices and the system's own trees: nobody wants them in a backup, so nobody is warned of them. */
function isOfTheSystem(source: Source): boolean {
  return source.kind === 'bind' && !source.canBeRead && source.whyNot !== '' && source.device !== null && systemTrees.some((tree) => isWithin(source.path, tree))
}

/** A bind mount of a file or folder of the operating system: it says which host this is, so it is no stack's data. */
function isOfThisHost(source: Source): boolean {
  return source.kind === 'bind' && [source.path, ...(source.links ?? [])].some(isSystemFile)
}

const systemTrees = ['/proc', '/sys', '/dev', '/run', '/var/run']

function notReadable(stack: string, source: Source): Problem {
  if (source.isNotOnHost === true) {
    return {
      severity: 'error',
      code: 'not-on-host',
      message: `${nameOf(source)} belongs into the backup, and ${source.whyNot}`,
      fix: `Run stackbk on the machine that has it, which may be the engine's virtual machine; or use a Docker engine that is installed on this host; or list ${source.volume || source.path} in IGNORE_MOUNTS, in [stack:${stack}]`,
      stack,
    }
  }
  return {
    severity: 'error',
    code: 'not-readable',
    message: `${nameOf(source)} belongs into the backup, and ${source.whyNot}`,
    fix: `${source.isUnanswered === true ? 'See what is wrong with it' : 'Run stackbk as root'}, or list ${source.path} in IGNORE_MOUNTS, in [stack:${stack}]`,
    stack,
  }
}

function misplacedVolume(stack: string, source: Source): Problem {
  return {
    severity: 'error',
    code: 'volume-not-found',
    message: `the volume ${source.volume}, which ${source.services.join(', ')} uses, is not in the backup: ${source.whyNot}`,
    fix: `Start the stack from its own folder and under its own project name, or list ${source.volume} in IGNORE_MOUNTS, in [stack:${stack}]`,
    stack,
  }
}

/** That the state folder is left out is of interest to no one, nor is a stack that has a backup of its own. */
function leftOutProblems(stack: string, places: readonly ReservedPlace[]): readonly Problem[] {
  const repositories = places.filter(({ kind }) => kind === 'repository').map(({ path }): Problem => ({
    severity: 'warning',
    code: 'repository-left-out',
    message: `${path} is the repository and lies in a folder that the stack has mounted: it is left out of the snapshot`,
    fix: `List ${path} in IGNORE_MOUNTS, in [stack:${stack}], or keep the repository outside of what stacks have mounted`,
    stack,
  }))
  const uncovered = places.filter(({ kind, isEnabled }) => kind === 'stack' && !isEnabled)
  if (uncovered.length === 0) return repositories
  const names = uncovered.map(({ name }) => name)
  return [
    ...repositories,
    {
      severity: 'warning',
      code: 'not-in-backup',
      message: `it has the folders of other stacks mounted, which are left out of its snapshot; of these, ${names.join(', ')} ${names.length === 1 ? 'is not enabled and is' : 'are not enabled and are'} in no backup`,
      fix: `Run: stackbk dirlist enable ${names.join(' ')}; or list ${uncovered.map(({ path }) => path).join(', ')} in IGNORE_MOUNTS, in [stack:${stack}]`,
      stack,
    },
  ]
}

function nameOf(source: Source): string {
  return source.volume === '' ? source.path : `the volume ${source.volume} (${source.path})`
}

function notHeld(stack: string, source: Source, { includeBinds }: CoverageChoices): Problem {
  if (source.missing !== undefined) {
    return {
      severity: 'warning',
      code: 'volume-not-found',
      message: `the volume ${source.volume}, which ${source.services.join(', ')} uses, is not in the backup: ${source.whyNot}`,
      fix: `If it runs from another folder or under another project name, enable that one; else list ${source.volume} in IGNORE_MOUNTS, in [stack:${stack}]`,
      stack,
    }
  }
  return {
    severity: 'warning',
    code: 'not-in-backup',
    message: `${nameOf(source)} is written to by ${source.services.join(', ') || 'this stack'} and is not in the backup${source.whyNot === '' ? '' : `: ${source.whyNot}`}`,
    fix: wayToHold(source, includeBinds, `list ${source.path} in IGNORE_MOUNTS, in [stack:${stack}]`),
    stack,
  }
}

/** Returns what would bring it into the backup, or else the one thing that ends the warning. */
function wayToHold({ kind, path, canBeRead, isForbidden, isUnanswered, isNotOnHost, isHostFolder }: Source, includeBinds: CoverageChoices['includeBinds'], ignoreIt: string): string {
  if (kind !== 'bind') return `Make it readable, or ${ignoreIt}`
  if (isHostFolder === true) return `In the compose file, mount the folders inside ${path} that hold the data, instead of ${path}${includeBinds === 'writable' ? '' : ', and set INCLUDE_BINDS=writable'}; or ${ignoreIt}`
  const wouldBeHeld = canBeRead || isForbidden === true || isUnanswered === true || isNotOnHost === true
  return wouldBeHeld ? `Set INCLUDE_BINDS=writable, or ${ignoreIt}` : `If its data is not needed, ${ignoreIt}`
}

/** A path within another one of the list says nothing new, and restic would read it twice, unless it lies in what is left out. */
export function withoutNested(paths: readonly string[], excluded: readonly string[] = []): readonly string[] {
  const unique = [...new Set(paths)].sort()
  const holds = (other: string, path: string): boolean => other !== path && isWithin(path, other) && !excluded.some((left) => isWithin(left, other) && isWithin(path, left))
  return unique.filter((path) => !unique.some((other) => holds(other, path)))
}
