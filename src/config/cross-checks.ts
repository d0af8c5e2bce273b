import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'

import type { AnyDescriptor, RetentionPolicy, SettingValues } from '@stackbk/contract'

import { isWithin, realPathSoFar } from '../host/mounts.js'
import { type FileProblem, problemAt } from './file-checks.js'
import { descriptorCalled } from './needs.js'

const builtInFreezers = ['auto', 'none', 'btrfs', 'reflink', 'zfs']

/** The part of a configuration that is looked at here. */
interface WholeConfiguration {
  readonly file: string
  readonly docker: { readonly stacksDirectory: string; readonly freeze: string; readonly dirlist: string }
  readonly backup: { readonly autoPrune: boolean; readonly retention: RetentionPolicy; readonly engine: string }
  readonly stackSections: readonly string[]
  readonly stack: (name: string) => { readonly freeze: string }
  readonly settingsOf: (descriptor: AnyDescriptor) => SettingValues
}

/** What is right in every line and wrong all together. */
export function crossChecks(configuration: WholeConfiguration, descriptors: readonly AnyDescriptor[]): FileProblem[] {
  return [
    ...keepsNothing(configuration),
    ...unknownFreezers(configuration, descriptors),
    ...dirlistIsConfiguration(configuration),
    ...repositoryBesideStacks(configuration, descriptors),
  ]
}

function keepsNothing({ file, backup }: WholeConfiguration): FileProblem[] {
  // KEEP_WITHIN alone would forget everything older than two days by its default.
  const { withinMs: _, ...numbers } = backup.retention
  const keepsAny = Object.values(numbers).some((count) => count > 0)
  if (keepsAny || !backup.autoPrune) return []
  return [
    problemAt(file, {
      severity: 'error',
      code: 'keeps-nothing',
      line: 0,
      message: 'KEEP_LAST, KEEP_DAILY, KEEP_WEEKLY, KEEP_MONTHLY and KEEP_YEARLY are all 0 while AUTO_PRUNE is on: no snapshot would be kept for long',
      fix: 'Set one of them above 0, or AUTO_PRUNE=false.',
    }),
  ]
}

/** Freezers may come from plugins, so what is unknown can be told only where those are known. */
function unknownFreezers({ file, docker, stackSections, stack }: WholeConfiguration, descriptors: readonly AnyDescriptor[]): FileProblem[] {
  if (descriptors.length === 0) return []
  const known = [...builtInFreezers, ...descriptors.filter(({ kind }) => kind === 'freezer').map(({ id }) => id)]
  const wanted = new Set([docker.freeze, ...stackSections.map((name) => stack(name).freeze)])
  return [...wanted]
    .filter((freezer) => !known.includes(freezer))
    .map((freezer) =>
      problemAt(file, {
        severity: 'error',
        code: 'bad-value',
        line: 0,
        message: `FREEZE must be one of ${known.join(', ')}, not '${freezer}'`,
        fix: '',
      }),
    )
}

function dirlistIsConfiguration({ file, docker }: WholeConfiguration): FileProblem[] {
  if (realPathSoFar(docker.dirlist) !== realPathSoFar(file)) return []
  return [
    problemAt(file, {
      severity: 'error',
      code: 'dirlist-is-config',
      line: 0,
      message: 'DIRLIST names the configuration itself',
      fix: 'Name a file of its own.',
    }),
  ]
}

/**
 * A repository within a stack would be stopped and read as part of it and grow by itself at each run; stacks within the
 * repository's folder would be in the way of the engine. Where the engine keeps its data is a path that it requires.
 */
function repositoryBesideStacks(configuration: WholeConfiguration, descriptors: readonly AnyDescriptor[]): FileProblem[] {
  const { file, docker, backup } = configuration
  const engine = descriptorCalled(descriptors, 'engine', backup.engine)
  if (engine === undefined) return []
  const values = configuration.settingsOf(engine)
  return engine.settings
    .filter(({ required, key }) => required === true && String(values[key] ?? '').startsWith('/'))
    .flatMap(({ key }) => {
      const repository = String(values[key])
      const trouble = troubleOfPlace(repository, docker.stacksDirectory)
      return trouble === null ? [] : [problemAt(file, { ...trouble, line: 0, message: `${key}: ${repository} ${trouble.message}` })]
    })
}

function troubleOfPlace(repository: string, stacksDirectory: string): Pick<FileProblem, 'severity' | 'code' | 'message' | 'fix'> | null {
  const fix = 'Keep the repository apart from the stacks, best on another disk.'
  const [place, stacks] = [realPathSoFar(repository), realPathSoFar(stacksDirectory)]
  if (isWithin(stacks, place)) {
    return { severity: 'error', code: 'repository-holds-stacks', message: `holds the stacks folder ${stacksDirectory}`, fix }
  }
  if (!isWithin(place, stacks)) return null
  const stack = join(stacks, relative(stacks, place).split('/', 1)[0] ?? '')
  return holdsComposeFile(stack)
    ? { severity: 'error', code: 'repository-in-stack', message: `lies within the stack ${stack}, which would be backed up into itself`, fix }
    : { severity: 'warning', code: 'repository-in-stacks', message: `lies within the stacks folder ${stacksDirectory}`, fix }
}

function holdsComposeFile(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => /^(docker-)?compose\.ya?ml$/.test(name))
  } catch {
    return false
  }
}
