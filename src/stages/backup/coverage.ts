import type { Source } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'

export interface CoverageChoices {
  readonly includeVolumes: boolean
  readonly includeBinds: 'none' | 'writable'
  readonly ignoreMounts: readonly string[]
}

export interface Coverage {
  /** What the snapshot is made of; none lies within another. */
  readonly paths: readonly string[]
  /** Writable places that the snapshot will not hold, and those that it should hold and cannot. */
  readonly problems: readonly Problem[]
  /** One of them is closed to this user alone, or does not answer: the snapshot is not complete. */
  readonly isIncomplete: boolean
}

/** Which of a stack's places go into its snapshot, and which writable ones do not: those are told in every report. */
export function coverageOf(stack: string, sources: readonly Source[], choices: CoverageChoices): Coverage {
  const held = sources.filter((source) => source.canBeRead && isIncluded(source, choices)).map((source) => source.path)
  const paths = withoutNested(held)
  const isIgnored = (source: Source): boolean => choices.ignoreMounts.some((ignored) => isWithin(source.path, ignored))
  const closed = sources.filter((source) => (source.isForbidden === true || source.isUnanswered === true) && isIncluded(source, choices) && !isIgnored(source))
  const unheld = sources
    .filter((source) => source.isWritable && !closed.includes(source) && !paths.some((path) => isWithin(source.path, path)))
    .filter((source) => !isIgnored(source))
    .filter((source) => !isOfTheSystem(source))
  const problems = [...closed.map((source) => notReadable(stack, source)), ...unheld.map((source) => notHeld(stack, source))]
  return { paths, problems, isIncomplete: closed.length > 0 }
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
      return choices.includeBinds === 'writable' && source.isWritable
  }
}

/** Sockets, devices and the system's own trees: nobody wants them in a backup, so nobody is warned of them. */
function isOfTheSystem(source: Source): boolean {
  return source.kind === 'bind' && !source.canBeRead && source.whyNot !== '' && source.device !== null && systemTrees.some((tree) => isWithin(source.path, tree))
}

const systemTrees = ['/proc', '/sys', '/dev', '/run', '/var/run']

function notReadable(stack: string, source: Source): Problem {
  return {
    severity: 'error',
    code: 'not-readable',
    message: `${nameOf(source)} belongs into the backup, and ${source.whyNot}`,
    fix: `${source.isUnanswered === true ? 'See what is wrong with it' : 'Run stackbk as root'}, or list ${source.path} in IGNORE_MOUNTS, in [stack:${stack}]`,
    stack,
  }
}

function nameOf(source: Source): string {
  return source.volume === '' ? source.path : `the volume ${source.volume} (${source.path})`
}

function notHeld(stack: string, source: Source): Problem {
  return {
    severity: 'warning',
    code: 'not-in-backup',
    message: `${nameOf(source)} is written to by ${source.services.join(', ') || 'this stack'} and is not in the backup${source.whyNot === '' ? '' : `: ${source.whyNot}`}`,
    fix:
      source.kind === 'bind'
        ? `Set INCLUDE_BINDS=writable, or list ${source.path} in IGNORE_MOUNTS, in [stack:${stack}]`
        : `Make it readable, or list ${source.path} in IGNORE_MOUNTS, in [stack:${stack}]`,
    stack,
  }
}

/** A path within another one of the list says nothing new, and restic would read it twice. */
function withoutNested(paths: readonly string[]): readonly string[] {
  const unique = [...new Set(paths)].sort()
  return unique.filter((path) => !unique.some((other) => other !== path && isWithin(path, other)))
}
