import { readdirSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

import type { Capsule } from '@stackbk/contract'

import type { Configuration } from '../../config/configuration.js'
import { type Problem, StackbkError } from '../../errors.js'
import { isWithin, realPathSoFar } from '../../host/mounts.js'
import { readDirlist } from '../../stacks/dirlist.js'
import { statusOf } from './moves.js'

/** The folder of a stack that comes back to another path than it had when the snapshot was made. */
export interface Relocation {
  readonly from: string
  readonly to: string
}

/** Returns where a path of the snapshot goes on this host: into the new folder if it lies in a folder that moves, else where it was. */
export function placeOf(relocations: readonly Relocation[], held: string): string {
  const found = deepest(relocations, held, 'from')
  return found === undefined ? held : join(found.to, relative(found.from, held))
}

/** Returns the path in the snapshot of what comes to a path of this host. */
export function heldOf(relocations: readonly Relocation[], place: string): string {
  const found = deepest(relocations, place, 'to')
  return found === undefined ? place : join(found.from, relative(found.to, place))
}

function deepest(relocations: readonly Relocation[], path: string, side: keyof Relocation): Relocation | undefined {
  return relocations.filter((one) => isWithin(path, one[side])).reduce<Relocation | undefined>((best, one) => (best === undefined || one[side].length > best[side].length ? one : best), undefined)
}

export interface RelocationQuestion {
  readonly configuration: Pick<Configuration, 'docker'>
  readonly name: string
  /** The stack's folder in the snapshot. */
  readonly origin: string
  readonly capsule: Pick<Capsule, 'stacksDirectory'> | null
  /** The folder that was asked for. */
  readonly into: string | undefined
}

/**
 * Returns where the stack's folder goes, by its own name: below the folder that was asked for; below the configured stacks folder, if
 * the snapshot's host had another one and the stack lay directly in it; else where it was. A stack that the dirlist of this host lists
 * at its old path goes back there.
 */
export function destinationOf({ configuration, name, origin, capsule, into }: RelocationQuestion): { readonly directory: string; readonly problems: readonly Problem[] } {
  if (origin === '') return { directory: origin, problems: [] }
  if (into !== undefined) return { directory: realPathSoFar(join(into, basename(origin))), problems: [] }
  const { dirlist: file, stacksDirectory } = configuration.docker
  const then = capsule?.stacksDirectory
  const now = realPathSoFar(stacksDirectory)
  if (then === undefined || then === now || dirname(origin) !== then) return { directory: origin, problems: [] }
  if (readDirlist({ file, stacksDirectory }).stacks.some(({ path, lines, stack }) => lines.length > 0 && (path === origin || stack?.directory === origin))) return { directory: origin, problems: [] }
  const directory = realPathSoFar(join(now, basename(origin)))
  const moved: Problem = { severity: 'warning', code: 'other-folder', message: `${name} was in ${origin} and comes back in ${directory}, since the stacks folder of this host is ${now}`, fix: `For another folder, add --into DIR: for its old one, --into ${then}`, stack: name }
  return { directory, problems: directory === origin ? [] : [moved] }
}

/** Throws `usage` for a folder to recover into that cannot be one. */
export function assertFolder(into: string): void {
  const found = statusOf(realPathSoFar(into))
  if (found === null || found.isDirectory()) return
  throw new StackbkError({ kind: 'usage', code: 'no-folder', message: `${into} is not a folder`, fix: 'Name the folder in which the folders of the stacks are to be: --into DIR' })
}

/** Returns why a stack cannot come to its new folder: another stack of the same run or of this host has it, or files that are not a stack. */
export function destinationProblems(configuration: Pick<Configuration, 'docker'>, { name, origin, directory }: { readonly name: string; readonly origin: string; readonly directory: string }, others: readonly { readonly name: string; readonly directory: string }[]): readonly Problem[] {
  if (origin === directory) return []
  const refused = (message: string, fix: string): readonly Problem[] => [{ severity: 'error', code: 'folder-taken', message, fix, stack: name }]
  const namesake = others.find((other) => other.directory === directory)
  if (namesake !== undefined) return refused(`${name} and ${namesake.name} would both come to ${directory}, since their folders have the same name`, `Recover them one by one: stackbk recover ${name} --into DIR, each into a folder of its own`)
  const { dirlist: file, stacksDirectory } = configuration.docker
  const { stacks } = readDirlist({ file, stacksDirectory })
  const other = stacks.find(({ stack, name: listed }) => stack?.directory === directory && listed !== name)
  if (other !== undefined) return refused(`${directory}, where ${name} would come to, is the folder of the stack ${other.name}`, 'Give another folder: --into DIR')
  const found = statusOf(directory)
  if (found === null || stacks.some(({ stack }) => stack?.directory === directory) || looksLikeStack(directory)) return []
  return refused(`${directory}, where ${name} would come to, is there and is not a stack`, 'Move it away, or give another folder: --into DIR')
}

/** Whether a folder holds a compose file, or is empty and so belongs to no one. */
function looksLikeStack(directory: string): boolean {
  if (statusOf(directory)?.isDirectory() !== true) return false
  const names = readdirSync(directory)
  return names.length === 0 || names.some((one) => /^(docker-)?compose\.ya?ml$/.test(one))
}
