import { readdirSync, readFileSync } from 'node:fs'

import type { Answer, ContainerMount, Engine, Runtime, StackState } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import { isWithin, realPathSoFar } from '../../host/mounts.js'
import { isSystemFile } from '../../host/system-files.js'
import { readDirlist } from '../../stacks/dirlist.js'
import type { Run } from '../run.js'
import { ownFolderPrefix } from '../own-folders.js'
import { isThere, statusOf } from './moves.js'
import { placeOf, type Relocation } from './relocation.js'
import type { UsedPlace } from './used-places.js'

/**
 * A path outside of the stack's folder that is not the stack's alone. What is there stays, and what is not there comes back.
 *
 * - `system`: a file of the operating system
 * - `shared`: another stack writes to it too, or would if it ran
 */
export interface ForeignPath {
  /** On this host. */
  readonly path: string
  readonly reason: 'system' | 'shared'
  /** A running container has it mounted: it stays even if it is an empty folder. */
  readonly isUsed: boolean
}

/** What is to come back of a stack. */
export interface ForeignPathsRequest {
  readonly name: string
  readonly directory: string
  /** Its folder in the snapshot. */
  readonly origin: string
  readonly held: readonly string[]
  readonly volumePaths: readonly string[]
  readonly relocations: readonly Relocation[]
}

/** A writable mount of something else than the stack. */
interface Use {
  /** On this host; symbolic links resolved. */
  readonly path: string
  readonly by: string
  readonly isRunning: boolean
  /** The container's name; empty if it is only declared. */
  readonly container: string
}

/** Who else uses it: names of stacks, or of containers of no stack. */
export interface FoundForeignPath extends ForeignPath {
  readonly by: readonly string[]
}

/** Returns the binds of a snapshot: what lies outside of the stack's folder and is no data of a volume, by its path on this host. */
function bindsOf({ held, volumePaths, origin, relocations }: ForeignPathsRequest): readonly string[] {
  return held.filter((path) => !volumePaths.includes(path) && !isWithin(path, origin)).map((path) => placeOf(relocations, path))
}

/**
 * Finds out which of the paths outside of the stack's folder belong to the system or are shared with other stacks: those of this host,
 * whether they run, are stopped or are only declared, and those of the same run. A mount of a folder above does not make it shared, nor
 * does one that only reads. Fails as the runtime does.
 */
export async function foreignPathsOf(draft: ForeignPathsRequest, others: readonly ForeignPathsRequest[], state: StackState | null, used: readonly UsedPlace[], { run, runtime }: { readonly run: Run; readonly runtime: Runtime }): Promise<Answer<readonly FoundForeignPath[]>> {
  const binds = bindsOf(draft)
  const system = binds.filter(isSystemFile)
  const rest = binds.filter((path) => !system.includes(path))
  const ofSystem = system.map((path) => ({ path, reason: 'system' as const, isUsed: true, by: [] }))
  if (rest.length === 0) return { ok: true, value: ofSystem }
  const ofHost = await usesOfHost(draft, state, { run, runtime })
  if (!ofHost.ok) return ofHost
  const uses = [...ofHost.value, ...usesOfRunning(used).filter(({ container }) => !ofHost.value.some((use) => use.container === container)), ...others.flatMap((other) => bindsOf(other).map((path): Use => ({ path, by: other.name, isRunning: false, container: '' })))]
  const shared = uses.flatMap(({ path, by, isRunning }) => {
    const inside = rest.find((own) => isWithin(path, own))
    return inside === undefined ? [] : [{ path, reason: 'shared' as const, isUsed: isRunning, by: [by] }]
  })
  return { ok: true, value: [...ofSystem, ...joined([...shared, ...inOtherFolders(draft, rest, run)])] }
}

/** What lies in the folder of another stack is that one's. */
function inOtherFolders({ directory, origin }: ForeignPathsRequest, binds: readonly string[], run: Run): readonly FoundForeignPath[] {
  const { dirlist: file, stacksDirectory } = run.configuration.docker
  const stacks = readDirlist({ file, stacksDirectory }).stacks.flatMap(({ stack }) => (stack === null || stack.directory === directory || stack.directory === origin ? [] : [stack]))
  return binds.flatMap((path) => stacks.filter((stack) => isWithin(path, stack.directory)).map(({ name }) => ({ path, reason: 'shared' as const, isUsed: false, by: [name] })))
}

function joined(paths: readonly FoundForeignPath[]): readonly FoundForeignPath[] {
  const byPath = new Map<string, FoundForeignPath>()
  for (const one of paths) {
    const known = byPath.get(one.path)
    byPath.set(one.path, known === undefined ? one : { ...one, isUsed: known.isUsed || one.isUsed, by: [...new Set([...known.by, ...one.by])] })
  }
  return [...byPath.values()]
}

/** So many stacks are asked about at once. */
const atOnce = 4

async function usesOfHost({ directory, origin }: ForeignPathsRequest, state: StackState | null, { run, runtime }: { readonly run: Run; readonly runtime: Runtime }): Promise<Answer<readonly Use[]>> {
  const { dirlist: file, stacksDirectory } = run.configuration.docker
  const listed = readDirlist({ file, stacksDirectory }).stacks.flatMap(({ stack }) => (stack === null ? [] : [stack]))
  const known = await runtime.projectFolders?.({ signal: run.signal })
  const folders = [...new Set([...listed.map((stack) => stack.directory), ...(known?.ok === true ? known.value : []).map((folder) => realPathSoFar(folder))])]
  const others = folders.filter((folder) => !isWithin(folder, directory) && folder !== origin)
  if (others.length === 0) return { ok: true, value: [] }
  const states = await runtime.inspect(others, { signal: run.signal })
  if (!states.ok) return states
  const own = new Set((state?.projects ?? []).flatMap(({ containers }) => containers).map(({ id }) => id))
  const uses: Use[] = []
  const undeclared: StackState[] = []
  for (const other of states.value) {
    const by = listed.find((stack) => stack.directory === other.directory)?.name ?? other.directory
    const containers = other.projects.flatMap((project) => project.containers).filter(({ id }) => !own.has(id))
    if (containers.length === 0 && other.projects.length > 0) undeclared.push(other)
    for (const { name, condition, mounts } of containers) for (const { source } of mounts.filter(isWritableBind)) uses.push({ path: realPathSoFar(source), by, isRunning: condition === 'running' || condition === 'paused' || condition === 'restarting', container: name })
  }
  for (let from = 0; from < undeclared.length; from += atOnce) {
    const asked = await Promise.all(undeclared.slice(from, from + atOnce).map(async (other) => ({ other, sources: await runtime.sources(other, { signal: run.signal }) })))
    for (const { other, sources } of asked) {
      const by = listed.find((stack) => stack.directory === other.directory)?.name ?? other.directory
      // A model that does not resolve declares nothing that could be known.
      if (sources.ok) uses.push(...sources.value.filter(({ kind, isWritable }) => kind === 'bind' && isWritable).map(({ path }): Use => ({ path, by, isRunning: false, container: '' })))
    }
  }
  return { ok: true, value: uses }
}

function isWritableBind({ kind, writable, source }: ContainerMount): boolean {
  return kind === 'bind' && writable && source !== ''
}

/** Returns what running containers have mounted, whether or not they belong to a stack. */
function usesOfRunning(used: readonly UsedPlace[]): readonly Use[] {
  return used
    .filter(({ kind }) => kind === 'bind')
    .flatMap(({ path, otherUsers, usersInside = otherUsers, possibleWriters = [] }) => usersInside.flatMap((by) => (possibleWriters.find(({ name }) => name === by)?.paths ?? [path]).map((place): Use => ({ path: place, by, isRunning: true, container: by }))))
}

/** Returns whether what is at this path of this host stays, as things are now. An empty folder that no one uses is as good as none. */
export function stays({ path, isUsed }: Pick<ForeignPath, 'path' | 'isUsed'>): boolean {
  const found = statusOf(path)
  if (found === null) return false
  return isUsed || !found.isDirectory() || readdirSync(path).some((name) => name !== 'lost+found' && !name.startsWith(ownFolderPrefix))
}

/** Names what stays although the snapshot holds it: what is shared in any case, a file of the system if it differs. */
export async function foreignPathProblems({ name, snapshot }: { readonly name: string; readonly snapshot: { readonly id: string } }, paths: readonly FoundForeignPath[], { run: { signal }, engine }: { readonly run: Pick<Run, 'signal'>; readonly engine: Engine }): Promise<readonly Problem[]> {
  const found = await Promise.all(
    paths.filter(stays).map(async ({ path, reason, by }): Promise<Problem[]> => {
      const fix = `To have it as it was, run: stackbk recover ${name} --path ${path}`
      if (reason === 'shared') return [{ severity: 'warning', code: 'shared', message: `${path} is used by ${by.join(', ')} too: it stays as it is, and is not taken from the snapshot of ${name}`, fix, stack: name }]
      return (await isTheSame(engine, snapshot.id, path, signal)) ? [] : [{ severity: 'warning', code: 'file-differs', message: `${path} belongs to this host and differs from the snapshot of ${name}: it stays as it is`, fix, stack: name }]
    }),
  )
  return found.flat()
}

async function isTheSame(engine: Engine, snapshot: string, path: string, signal: AbortSignal): Promise<boolean> {
  if (!isThere(path) || statusOf(path)?.isFile() !== true) return false
  const read = await engine.read(snapshot, path, { signal })
  return read.ok && Buffer.from(read.value).equals(readFileSync(path))
}
