import { statSync } from 'node:fs'
import { basename, isAbsolute, normalize } from 'node:path'

import type { Capsule, ContainerState, Engine, PlaceReader, Preflight, RebuildProblem, RebuildProblemCode, Runtime, Snapshot, Source, StackState } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { problemFrom, StackbkError, type Problem } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'
import { stackKey } from '../../stacks/identity.js'
import { isAlive, runningServices } from '../../stacks/running.js'
import type { Run } from '../run.js'
import type { ChosenSnapshot } from './choice.js'
import { ownFolderPrefix } from '../own-folders.js'
import { foreignPathProblems, foreignPathsOf, stays, type ForeignPath } from './foreign-paths.js'
import { isWritable, sharesOf, type FileSystemShare } from './file-systems.js'
import { heldPath, isCapsule } from './held-path.js'
import { keptPathsOf, mountPointsBelow } from './kept-paths.js'
import { isThere } from './moves.js'
import { oldPathProblems } from './old-paths.js'
import { previewChanges } from './preview.js'
import type { RecoveryChanges } from './recover-result.js'
import { destinationOf, destinationProblems, heldOf, placeOf, type Relocation } from './relocation.js'
import { eachSnapshotEntry } from './snapshot-entries.js'
import { subvolumesAt } from './subvolumes.js'
import { mayNeedRestart, readersOf, usedByOthers, usedPlacesOf } from './used-places.js'

/** What will be done for one stack, found out before anything is touched. */
export interface RecoveryPlan {
  readonly name: string
  readonly key: string
  readonly snapshot: Snapshot
  /** The stack's folder on this host, where it comes back to. */
  readonly directory: string
  /** The stack's real folder in the snapshot: another one than `directory` if the stack moves. */
  readonly origin: string
  /** Folders that come back to another path, those of the other stacks of the run too. */
  readonly relocations: readonly Relocation[]
  /** `null` where the snapshot holds none: then only files come back. */
  readonly capsule: Capsule | null
  /** What the snapshot holds, the folder first, without the capsule. */
  readonly held: readonly string[]
  /** Those of them that are, or lie in, data of volumes. */
  readonly volumePaths: readonly string[]
  /** The patterns that left files out of the snapshot. */
  readonly excludes: readonly string[]
  /** The paths below which these acted; undefined: anywhere in a path. */
  readonly excludeRoots?: readonly string[] | undefined
  /** Single files outside of the folder that the stack writes to: its own data, which is replaced. */
  readonly writtenFiles: readonly string[]
  /** What outside of its folder is not the stack's alone. Absent: nothing. */
  readonly foreignPaths?: readonly ForeignPath[]
  /** Running containers of elsewhere that only read what is exchanged. Absent: none. */
  readonly readers?: readonly PlaceReader[]
  /** Subvolumes among what comes back, on this host: they stay, and what is in them is exchanged. Absent: none. */
  readonly subvolumes?: readonly string[]
  readonly shares: readonly FileSystemShare[]
  /** Paths of the snapshot at which other file systems are mounted on this host. */
  readonly mountPoints: readonly string[]
  /** Only these of the snapshot are exchanged, with the containers as they are; `null`: the whole stack. Bytes, and files, folders and links, of all of them. */
  readonly part: { readonly paths: readonly string[]; readonly bytes: number; readonly files: number } | null
  /** As it is here now; `null` where nobody was asked. */
  readonly state: StackState | null
  readonly preflight: Preflight | null
  /** What is here and is replaced, in words; empty on a bare host. */
  readonly present: readonly string[]
  /** In a dry run: what would be replaced, kept and removed; else `null`. */
  readonly changes: RecoveryChanges | null
  readonly problems: readonly Problem[]
  /** It cannot be recovered as things are: nothing of it is touched. */
  readonly isBlocked: boolean
}

export interface PlanContext {
  readonly run: Run
  readonly engine: Engine
  readonly runtime: Runtime
  readonly services: readonly string[]
  readonly allowHostVolumes: boolean
  readonly overwrite: boolean
  readonly noStart: boolean
  /** A file or folder of the only stack. */
  readonly path: string | undefined
  /** The folder in which the stacks' folders are to be; undefined: where they were, or in the configured stacks folder. */
  readonly into: string | undefined
  readonly createExternal: boolean
}

/** So many capsules are read at once: each is a call of the engine. */
const atOnce = 4

/** Those that provide a network or a volume come before those that need it. */
export async function planRecoveries(chosen: readonly ChosenSnapshot[], context: PlanContext): Promise<readonly RecoveryPlan[]> {
  const capsules: (Capsule | null | Problem)[] = []
  for (let from = 0; from < chosen.length; from += atOnce) {
    capsules.push(...(await Promise.all(chosen.slice(from, from + atOnce).map((one) => readCapsule(context, one)))))
  }
  const drafts = relocated(chosen.map((one, index) => draftOf(one, capsules[index] ?? null, context)), context)
  const looks = await context.runtime.inspect(drafts.map(({ directory }) => directory), { signal: context.run.signal })
  const plans = await Promise.all(
    drafts.map((draft) => {
      const state = looks.ok ? (looks.value.find(({ directory }) => directory === draft.directory) ?? null) : null
      const unknown = !looks.ok ? [problemFrom(looks.failure, { code: 'state-unknown', stack: draft.name })] : state?.condition === 'unknown' ? [stateUnknown(draft.name, state)] : []
      return completed({ ...draft, problems: [...draft.problems, ...unknown] }, unknown.length === 0 ? state : null, drafts.filter((other) => other !== draft), context)
    }),
  )
  return inOrder(plans)
}

/** `null` where there is none. */
export async function readCapsule({ run, engine }: Pick<PlanContext, 'run' | 'engine'>, { stack, snapshot }: ChosenSnapshot): Promise<Capsule | null | Problem> {
  const path = snapshot.paths.find(isCapsule)
  if (path === undefined) return null
  const read = await engine.read(snapshot.id, path, { signal: run.signal })
  if (!read.ok) return problemFrom(read.failure, { code: read.failure.kind, stack })
  try {
    const capsule = JSON.parse(Buffer.from(read.value).toString('utf8')) as Partial<Capsule> | null
    if (capsule?.schemaVersion === 1 && typeof capsule.directory === 'string' && Array.isArray(capsule.projects)) return capsule as Capsule
  } catch {
    // As below.
  }
  return { severity: 'error', code: 'capsule-unreadable', message: `the description of ${stack} in the snapshot ${snapshot.id.slice(0, 8)} is none that this version can read`, fix: `Extract the files alone: stackbk recover ${stack} --target DIR`, stack }
}

type Draft = Pick<RecoveryPlan, 'name' | 'key' | 'snapshot' | 'directory' | 'origin' | 'relocations' | 'capsule' | 'held' | 'volumePaths' | 'excludes' | 'excludeRoots' | 'writtenFiles' | 'problems'>

/** Returns the drafts with all folders that move, and with what speaks against their new places. */
function relocated(drafts: readonly Draft[], { run }: PlanContext): readonly Draft[] {
  const relocations = drafts.filter(({ origin, directory }) => origin !== directory).map(({ origin, directory }): Relocation => ({ from: origin, to: directory }))
  return drafts.map((draft) => ({ ...draft, relocations, problems: [...draft.problems, ...ownPaths(draft, relocations), ...destinationProblems(run.configuration, draft, drafts.filter((other) => other !== draft))] }))
}

/** Names what of a stack that moves stays where it was: bind mounts outside of all folders that move. */
function ownPaths({ name, origin, directory, held, volumePaths }: Draft, relocations: readonly Relocation[]): readonly Problem[] {
  const staying = origin === directory ? [] : held.filter((path) => !volumePaths.includes(path) && placeOf(relocations, path) === path)
  return staying.length === 0 ? [] : [{ severity: 'warning', code: 'own-path', message: `${staying.join(', ')} of ${name} ${staying.length === 1 ? 'lies' : 'lie'} outside of its folder, and ${staying.length === 1 ? 'goes' : 'go'} back to the same path as before`, fix: '', stack: name }]
}

function draftOf({ stack, snapshot }: ChosenSnapshot, read: Capsule | null | Problem, { run, into }: PlanContext): Draft {
  const isProblem = read !== null && 'severity' in read
  const capsule = isProblem ? null : read
  const others = snapshot.paths.filter((path) => !isCapsule(path))
  const origin = capsule?.directory ?? others.find((path) => basename(path) === stack) ?? others[0] ?? ''
  const { directory, problems: moved } = destinationOf({ configuration: run.configuration, name: stack, origin, capsule, into })
  const volumes = (capsule?.projects ?? []).flatMap((project) => project.volumes).map(({ path }) => path)
  const problems: Problem[] = isProblem ? [read] : [...moved]
  if (read === null) problems.push({ severity: 'warning', code: 'no-capsule', message: `the snapshot ${snapshot.id.slice(0, 8)} of ${stack} does not say what ran: its files come back, and nothing is started`, fix: `Start it by hand: docker compose up -d in ${directory}`, stack })
  if (!others.includes(origin)) problems.push({ severity: 'error', code: 'folder-not-in-snapshot', message: `the snapshot ${snapshot.id.slice(0, 8)} does not hold the folder ${origin} of ${stack}`, fix: 'Choose another one with --snapshot: stackbk snapshots', stack })
  return {
    name: stack,
    key: stackKey({ name: stack, directory }),
    snapshot,
    directory,
    origin,
    relocations: [],
    capsule,
    held: [origin, ...others.filter((path) => path !== origin)],
    volumePaths: others.filter((path) => path !== origin && volumes.some((volume) => isWithin(path, volume))),
    excludes: capsule?.excludes ?? [],
    excludeRoots: capsule?.excludeRoots,
    writtenFiles: capsule?.writableBinds ?? [],
    problems,
  }
}

async function completed(draft: Draft, state: StackState | null, others: readonly Draft[], context: PlanContext): Promise<RecoveryPlan> {
  const { run, runtime } = context
  const problems = [...draft.problems]
  const isSound = (): boolean => problems.every(({ severity }) => severity !== 'error')
  const hasContainers = state?.projects.some(({ containers }) => containers.length > 0) ?? false
  let preflight: Preflight | null = null
  if (isSound() && state !== null && hasContainers) {
    const asked = await runtime.preflight(state, { signal: run.signal })
    if (asked.ok) preflight = asked.value
    const lost = [...(preflight?.whyNeverDown ?? []), ...(preflight?.wouldLose ?? [])]
    const isWhole = context.path === undefined && context.services.length === 0
    if (isWhole) problems.push(...(preflight?.dataInContainers ?? []).map((why): Problem => ({ severity: 'warning', code: 'does-not-come-back', message: why, fix: 'Copy what you need out of it first: docker cp', stack: draft.name })))
    if (isWhole ? !context.overwrite : (preflight?.wouldLose ?? []).length > 0) problems.push(...lost.map((why) => wouldBeLost(draft.name, why)))
  }
  const writtenFiles = [...draft.writtenFiles]
  const sources: Source[] = []
  // Of a stack without containers the runtime is asked by what the snapshot holds, or else by the model that is there.
  if (isSound() && state !== null && (hasContainers || (runtime.writersAt === undefined && isThere(draft.directory)))) {
    const asked = await runtime.sources(state, { signal: run.signal })
    if (asked.ok) {
      if (hasContainers) writtenFiles.push(...asked.value.filter(({ kind, isWritable }) => kind === 'bind' && isWritable).map(({ path }) => path))
      sources.push(...asked.value)
    } else problems.push(problemFrom(asked.failure, { stack: draft.name }))
  }
  const used = isSound() ? await usedPlacesOf(draft, { runtime, signal: run.signal, state, sources, isPart: context.path !== undefined || context.services.length > 0 }) : null
  if (used?.ok === false) problems.push(problemFrom(used.failure, { stack: draft.name }))
  const known = used?.ok === true ? used.value : []
  // What was asked for by its path comes back whoever else uses it.
  const foreign = isSound() && context.path === undefined ? await foreignPathsOf(draft, others, state, known, context) : null
  if (foreign?.ok === false) problems.push(problemFrom(foreign.failure, { code: 'state-unknown', stack: draft.name }))
  const foreignPaths = foreign?.ok === true ? foreign.value : []
  // It is not brought out of the snapshot: it may be large, and is not needed.
  const staying = new Set(foreignPaths.filter(stays).map(({ path }) => heldOf(draft.relocations, path)))
  const held = draft.held.filter((path) => !staying.has(path))
  const part = isSound() ? await partOf({ ...draft, held, staying }, state, context) : null
  const exchange = { ...draft, held, part, isPath: context.path !== undefined, overwrite: context.overwrite }
  problems.push(...usedByOthers(exchange, known))
  const readers = readersOf(exchange, known)
  // What has to be restarted in the end is known once it is known what was exchanged. What is written over stays in its place.
  if (run.dryRun && !context.overwrite) problems.push(...readers.map((reader) => mayNeedRestart(draft.name, reader)))
  const ofServices = part === null ? null : mountsOf(state, context.services)
  if (isSound()) problems.push(...(await foreignPathProblems(draft, foreignPaths.filter(({ path }) => ofServices === null || ofServices.some((mount) => isWithin(path, mount))), context)))
  if (isSound() && part === null && draft.capsule !== null) problems.push(...(await outlookOf(draft, draft.capsule, others, context)))
  const subvolumes = isSound() ? subvolumesOf({ ...draft, held, foreignPaths, part }, context) : []
  const disks = isSound() ? await disksBelow({ ...draft, held, foreignPaths, subvolumes, part }, context) : { mountPoints: [], held: [], problems: [] }
  problems.push(...disks.problems)
  const shares = isSound() ? sharesOf([...(part?.paths ?? held), ...disks.held], `${ownFolderPrefix}${draft.key}-${run.id.slice(-6)}`, draft.relocations) : []
  const changes = isSound() && run.dryRun ? await previewChanges(run, context.engine, { ...draft, foreignPaths, subvolumes, part }) : null
  return {
    ...draft,
    held,
    writtenFiles,
    subvolumes,
    foreignPaths: foreignPaths.map(({ path, reason, isUsed }) => ({ path, reason, isUsed })),
    ...(readers.length === 0 ? {} : { readers }),
    part,
    shares,
    mountPoints: disks.mountPoints,
    changes,
    state,
    preflight,
    present: part === null ? presentOf(draft, state) : presentPart(part.paths.map((path) => placeOf(draft.relocations, path)), state),
    problems,
    isBlocked: !isSound(),
  }
}

/** What stays anyway is not searched for subvolumes: it may be large, or on a disk that hangs. */
function subvolumesOf(draft: Pick<RecoveryPlan, 'name' | 'directory' | 'relocations' | 'excludes' | 'held' | 'part' | 'foreignPaths'>, { run, engine }: PlanContext): readonly string[] {
  const kept = keptPathsOf(run, engine, draft)
  const isLeft = (path: string): boolean => kept.mountPoints.has(path) || kept.protectedPaths.has(path) || kept.isExcluded(heldOf(draft.relocations, path))
  return [...new Set((draft.part?.paths ?? draft.held).flatMap((path) => subvolumesAt(placeOf(draft.relocations, path), isLeft)))].filter((path) => !kept.mountPoints.has(path))
}

/**
 * Finds the file systems that are mounted below what comes back. What the snapshot holds of such a disk comes out onto that disk;
 * where it holds nothing of it, or the disk cannot be written to, the disk stays as it is.
 */
async function disksBelow(draft: Pick<RecoveryPlan, 'name' | 'directory' | 'relocations' | 'excludes' | 'excludeRoots' | 'held' | 'snapshot' | 'part' | 'foreignPaths' | 'subvolumes'>, { run, engine }: PlanContext): Promise<{ readonly mountPoints: readonly string[]; readonly held: readonly string[]; readonly problems: readonly Problem[] }> {
  const kept = keptPathsOf(run, engine, draft)
  const paths = (draft.part?.paths ?? draft.held).map((path) => placeOf(draft.relocations, path))
  const points = [...new Set(paths.flatMap((path) => mountPointsBelow(kept, path)))].filter((point) => !paths.includes(point))
  const mountPoints = points.map((point) => heldOf(draft.relocations, point))
  const held: string[] = []
  const problems: Problem[] = []
  for (const point of points) {
    if (kept.protectedPaths.has(point)) continue
    const path = heldOf(draft.relocations, point)
    let entries = 0
    const listed = await eachSnapshotEntry(engine, draft.snapshot.id, () => entries++, { below: path, signal: run.signal })
    if (!listed.ok) return { mountPoints, held, problems: [problemFrom(listed.failure, { stack: draft.name })] }
    // A mount point that is empty in the snapshot was one then, and its disk was left out.
    // Only now is the disk itself looked at: one that hangs and is no part of the snapshot must not keep the stack from coming back.
    if (entries < 2 || statSync(point, { throwIfNoEntry: false })?.isDirectory() !== true) continue
    if (isWritable(point)) held.push(path)
    else problems.push({ severity: 'warning', code: 'not-replaced', message: `the snapshot holds files of ${point}, and what is mounted there cannot be written to: it stays as it is`, fix: `Mount it writable, or extract them: stackbk recover ${draft.name} --path ${path} --target DIR`, stack: draft.name })
  }
  return { mountPoints, held, problems }
}

/** What of the stack is exchanged where not all of it is: a path, or the data that the containers of a service have mounted. */
async function partOf(draft: Draft & { readonly staying: ReadonlySet<string> }, state: StackState | null, { run, engine, path, services }: PlanContext): Promise<RecoveryPlan['part']> {
  const one = { stack: draft.name, snapshot: draft.snapshot }
  if (path !== undefined) {
    const held = await heldPath(engine, one, isAbsolute(path) ? heldOf(draft.relocations, normalize(path)) : path, run.signal)
    return { paths: [held.path], bytes: held.bytes, files: held.files }
  }
  const containers = containersOf(state, services)
  if (services.length === 0 || (containers.length === 0 && !isThere(draft.directory))) return null
  if (containers.length === 0) throw new StackbkError({ kind: 'usage', code: 'unknown-service', message: `the stack ${draft.name} has no container of a service ${services.join(', ')}`, fix: `Correct its name, or bring the whole stack back: stackbk recover ${draft.name}` })
  const mounted = mountsOf(state, services).map((source) => heldOf(draft.relocations, source))
  const sources = [...new Set(mounted.filter((source) => draft.held.some((held) => isWithin(source, held))))]
  const paths = sources.filter((source) => !sources.some((other) => other !== source && isWithin(source, other)))
  const shared = mounted.filter((source) => draft.staying.has(source))
  if (paths.length === 0 && shared.length > 0) throw new StackbkError({ kind: 'usage', code: 'nothing-of-service', message: `all that the snapshot holds of the service ${services.join(', ')} of ${draft.name} is not of this stack alone: ${shared.join(', ')}`, fix: `To have it as it was all the same, run: stackbk recover ${draft.name} --path ${shared[0] ?? ''}` })
  if (paths.length === 0) throw new StackbkError({ kind: 'usage', code: 'nothing-of-service', message: `the snapshot holds no data of the service ${services.join(', ')} of ${draft.name}`, fix: `Bring the whole stack back: stackbk recover ${draft.name}` })
  const held = await Promise.all(paths.map((source) => heldPath(engine, one, source, run.signal)))
  return { paths, bytes: held.reduce((sum, { bytes }) => sum + bytes, 0), files: held.reduce((sum, { files }) => sum + files, 0) }
}

function containersOf(state: StackState | null, services: readonly string[]): readonly ContainerState[] {
  return (state?.projects ?? []).flatMap((project) => project.containers).filter((container) => services.includes(container.service))
}

/** Where on this host the data of these services is. */
function mountsOf(state: StackState | null, services: readonly string[]): readonly string[] {
  return containersOf(state, services).flatMap(({ mounts }) => mounts).map(({ source }) => source)
}

async function outlookOf(draft: Draft, capsule: Capsule, others: readonly Draft[], { run, engine, runtime, services, allowHostVolumes, createExternal, noStart }: PlanContext): Promise<readonly Problem[]> {
  const { directory, relocations, held } = draft
  const outlook = await runtime.canRebuild(capsule, { directory, services, images: 'tag', noStart, allowHostVolumes, createExternal, restoredPaths: [...held.map((path) => placeOf(relocations, path)), ...others.filter((other) => mounts(capsule, other.origin)).map((other) => other.directory)], moved: relocations, signal: run.signal })
  if (!outlook.ok) return [problemFrom(outlook.failure, { stack: draft.name })]
  const comes = providedBy(others.flatMap((other) => (other.capsule === null ? [] : [other.capsule])))
  const isProvided = ({ name, message }: RebuildProblem): boolean => (name === undefined ? externalsOf(capsule).some((one) => comes.has(one) && message.includes(one)) : comes.has(name))
  return [
    ...(await oldPathProblems(engine, draft, capsule, run.signal)),
    ...outlook.value.problems
      .filter((found) => !((found.code === 'missing-network' || found.code === 'missing-volume') && isProvided(found)))
      .map(({ severity, code, message, fix }): Problem => ({ severity, code, message, fix: fixFor(code, fix), stack: draft.name })),
    ...outlook.value.losses.map((loss): Problem => ({ severity: 'warning', code: 'does-not-come-back', message: loss, fix: '', stack: draft.name })),
  ]
}

/** Returns what can be done about it, in the words of this command. */
function fixFor(code: RebuildProblemCode, fix: string): string {
  if (code === 'host-volume') return 'Add --host-volumes'
  return (code === 'missing-network' || code === 'missing-volume') && fix !== '' ? `Add --create-external, which makes it as it was. Without it: ${fix}` : fix
}

/** Names of networks and volumes that these stacks make for others. */
function providedBy(capsules: readonly Capsule[]): ReadonlySet<string> {
  return new Set(capsules.flatMap(({ projects }) => projects).flatMap(({ networks, volumes }) => [...networks, ...volumes]).flatMap(({ isExternal, name }) => (isExternal ? [] : [name])))
}

function externalsOf({ projects }: Capsule): readonly string[] {
  return projects.flatMap(({ networks, volumes }) => [...networks, ...volumes]).flatMap(({ isExternal, name }) => (isExternal ? [name] : []))
}

/** Whether a stack mounts something of a folder, as far as its model says. */
function mounts({ projects }: Capsule, folder: string): boolean {
  if (folder === '') return false
  const written = JSON.stringify(folder.replaceAll('$', '$$$$')).slice(1, -1)
  return projects.some(({ model }) => {
    const text = JSON.stringify(model ?? null)
    return text.includes(`"${written}"`) || text.includes(`"${written}/`)
  })
}

/** Stacks of which others need something, a network, a volume or a folder, come first. In a circle the order stays. */
function inOrder(plans: readonly RecoveryPlan[]): readonly RecoveryPlan[] {
  const sorted: RecoveryPlan[] = []
  const visit = (plan: RecoveryPlan, above: readonly RecoveryPlan[]): void => {
    if (sorted.includes(plan) || above.includes(plan)) return
    const needed = plan.capsule === null ? [] : externalsOf(plan.capsule)
    for (const other of plans) if (other !== plan && ((other.capsule !== null && needed.some((name) => providedBy([other.capsule!]).has(name))) || (plan.capsule !== null && mounts(plan.capsule, other.origin)))) visit(other, [...above, plan])
    sorted.push(plan)
  }
  for (const plan of plans) visit(plan, [])
  return sorted
}

function presentOf({ directory, relocations, capsule, volumePaths }: Draft, state: StackState | null): readonly string[] {
  const present: string[] = []
  if (directory !== '' && isThere(directory)) present.push(`the folder ${directory}`)
  const volumes = (capsule?.projects ?? []).flatMap((project) => project.volumes).filter((volume) => volumePaths.includes(volume.path) && isThere(placeOf(relocations, volume.path)))
  for (const volume of volumes) present.push(`the volume ${volume.name}`)
  const containers = (state?.projects ?? []).flatMap((project) => project.containers)
  if (state !== null && containers.some(isAlive)) present.push(`what runs (${runningServices(state).join(', ')})`)
  else if (containers.length > 0) present.push(counted(containers.length, 'stopped container'))
  return present
}

function presentPart(paths: readonly string[], state: StackState | null): readonly string[] {
  const runs = state !== null && runningServices(state).length > 0 ? [`what runs is stopped meanwhile (${runningServices(state).join(', ')})`] : []
  return [...paths.filter((path) => isThere(path)), ...runs]
}

function wouldBeLost(stack: string, why: string): Problem {
  return { severity: 'error', code: 'would-be-lost', message: `${stack} is not touched, because this would be gone for good: ${why}`, fix: 'Take care of it by hand, or give it up with --overwrite', stack }
}

function stateUnknown(stack: string, state: StackState): Problem {
  if (state.failure !== null) return problemFrom(state.failure, { code: 'state-unknown', stack })
  return { severity: 'error', code: 'state-unknown', message: `whether ${stack} runs could not be found out`, fix: 'Run: stackbk doctor', stack }
}
