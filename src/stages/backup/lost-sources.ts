import type { StackState } from '@stackbk/contract'
import { files, isUnknown } from '@stackbk/tool-runner/files'

import { bootId } from '../../host/boot.js'
import { isOfTheSystem, isWithin, mountedAt, mountPointOf, nearestDevice } from '../../host/mounts.js'
import type { JournalEntry } from '../../stacks/journal.js'
import { isAlive } from '../../stacks/running.js'
import type { StackPlan } from './stack-plan.js'

/** How long a file system may take to say where one source lies, before the stop and while the stack is down. */
const sourceLimitMs = 5_000

/** Why a stack must not be started: its containers would see empty folders in place of their data. Both empty: it may start. */
export interface LostSources {
  /** On another device than at the stop. */
  readonly moved: readonly string[]
  /** Not there any more: the engine would make an empty folder in its place. */
  readonly gone: readonly string[]
}

export const nothingLost: LostSources = { moved: [], gone: [] }

/** Returns where the sources of a stack lie, for the journal entry that {@link findLostSources} compares with at the start. */
export async function placesAtStop({ mode, sources, state }: StackPlan): Promise<Pick<JournalEntry, 'devices' | 'filledBinds'>> {
  const ownMounts = sources.filter(({ isMountedByStack }) => isMountedByStack === true).map(({ path }) => path)
  return {
    devices: sources.flatMap(({ path, device, isMountedByStack }) =>
      device === null || isMountedByStack === true || isOfTheSystem(path) ? [] : [{ path, device, ...mountOf(path) }],
    ),
    // A paused container keeps its mounts.
    filledBinds: mode === 'down' || mode === 'stop' ? await filledBindsOf(state, ownMounts) : [],
  }
}

function mountOf(path: string): Pick<JournalEntry['devices'][number], 'mountPoint' | 'mount'> {
  const mountPoint = mountPointOf(path, { limitMs: sourceLimitMs })
  const mount = mountedAt(mountPoint)
  return mount === null ? { mountPoint } : { mountPoint, mount }
}

/** Returns what of the stack's data is not where it was at the stop. */
export async function findLostSources(entry: JournalEntry): Promise<LostSources> {
  const [moved, missing] = await Promise.all([sourcesThatMoved(entry), missingOf(lastingBinds(entry))])
  return { moved, gone: missing.filter((path) => !moved.some((place) => isWithin(path, place))) }
}

export function isAnythingLost({ moved, gone }: LostSources): boolean {
  return moved.length + gone.length > 0
}

/** Returns what is lost, as the end of a sentence, and what to do so that `stackbk resume` starts the stack. */
export function describeLost({ moved, gone }: LostSources, stack: string): { readonly what: string; readonly fix: string } {
  const parts = [
    ...(moved.length === 0 ? [] : [{ what: `${moved.join(', ')} is not on the disk it was on before the stop`, fix: 'Mount the disk' }]),
    ...(gone.length === 0 ? [] : [{ what: `${gone.join(', ')} existed before the stop and is gone, so a container would start with an empty folder`, fix: 'Put the missing data back' }]),
  ]
  const without = gone.length === 0 ? '' : `. To start without it: stackbk resume --force ${stack}`
  return { what: parts.map(({ what }) => what).join('; '), fix: `${parts.map(({ fix }) => fix).join('. ')}, then run: stackbk resume${without}` }
}

/**
 * Returns the sources that lie on another device than at the stop: a start would meet the folder below an unmounted disk. One
 * that is gone from the same device (a socket, say) is its owner's business and keeps nothing down. Neither does one that does
 * not answer as long as it is mounted where it was: a start writes nothing below it. The system's own trees do not count.
 */
export async function sourcesThatMoved(entry: JournalEntry): Promise<readonly string[]> {
  const isSameBoot = !wasRebootedSince(entry)
  const compared = entry.devices.filter(({ path }) => !isOfTheSystem(path))
  const verdicts = await Promise.all(compared.map((source) => hasMoved(source, isSameBoot)))
  return compared.filter((_, index) => verdicts[index]).map(({ path }) => path)
}

async function hasMoved(source: JournalEntry['devices'][number], isSameBoot: boolean): Promise<boolean> {
  const { path, device, mountPoint } = source
  if (isSameBoot || mountPoint === undefined) {
    const now = await nearestDevice(path, { limitMs: sourceLimitMs })
    if (now !== 'unknown') return now !== device && !isSameShareRemounted(source)
  }
  return mountPoint !== undefined && mountPointOf(path, { limitMs: sourceLimitMs }) !== mountPoint
}

/**
 * Whether the same share, or another file system without a disk of its own, is mounted where it was: each time it is mounted it gets
 * another device number. Disks do not, and the next one may have the same name. A source that repeats the type, as that of a file
 * system in memory, does not say which one it is.
 */
function isSameShareRemounted({ path, mountPoint, mount }: JournalEntry['devices'][number]): boolean {
  if (mountPoint === undefined || mountPoint === '/' || mount === undefined || mount.source.startsWith('/dev/') || [mount.type, 'none', ''].includes(mount.source)) return false
  if (mountPointOf(path, { limitMs: sourceLimitMs }) !== mountPoint) return false
  const now = mountedAt(mountPoint)
  return now !== null && now.type === mount.type && now.source === mount.source && now.root === mount.root
}

/** The machine was restarted since the entry was written. Boards without a clock tell that by nothing else. */
export function wasRebootedSince(entry: Pick<JournalEntry, 'bootId'>): boolean {
  const now = bootId()
  return entry.bootId !== '' && now !== '' && entry.bootId !== now
}

/** A disk is mounted where it was at the stop, under another number: it was plugged in again, or it is another disk. */
export function isRemounted({ devices }: JournalEntry, path: string): boolean {
  return devices.some((source) => source.path === path && source.mountPoint !== undefined && source.mountPoint === mountPointOf(path, { limitMs: sourceLimitMs }))
}

/**
 * Returns the files, and the folders that are not empty, that the stack's running containers have mounted from the host. Neither
 * sockets nor the system's own trees, nor what lies below `ownMounts`, which the stack itself mounts: these come and go.
 */
async function filledBindsOf(state: StackState, ownMounts: readonly string[]): Promise<readonly string[]> {
  const running = state.projects.flatMap(({ containers }) => containers).filter(isAlive)
  const paths = new Set(running.flatMap(({ mounts }) => mounts.filter(({ kind }) => kind === 'bind').map(({ source }) => source)))
  const lasting = [...paths].filter((path) => path.startsWith('/') && !isOfTheSystem(path) && !ownMounts.some((place) => isWithin(path, place)))
  const verdicts = await Promise.all(lasting.map(isFilled))
  return lasting.filter((_path, at) => verdicts[at])
}

/** Returns false if the file system does not answer. */
async function isFilled(path: string): Promise<boolean> {
  const limit = { limitMs: sourceLimitMs }
  try {
    const { kind } = await files.stat(path, limit)
    return kind === 'file' || (kind === 'directory' && (await files.hasEntries(path, limit)))
  } catch {
    return false
  }
}

/** A restart of the machine clears what is in memory, and `/tmp` on many systems. */
function lastingBinds(entry: JournalEntry): readonly string[] {
  const binds = entry.filledBinds ?? []
  return wasRebootedSince(entry) ? binds.filter((path) => !isWithin(path, '/tmp') && !isInMemory(path)) : binds
}

function isInMemory(path: string): boolean {
  return ['tmpfs', 'ramfs'].includes(mountedAt(mountPointOf(path, { limitMs: sourceLimitMs }))?.type ?? '')
}

/** One whose file system does not answer is not missing. */
async function missingOf(paths: readonly string[]): Promise<readonly string[]> {
  const answers = await Promise.all(paths.map((path) => files.stat(path, { limitMs: sourceLimitMs }).then(() => false, (error: unknown) => !isUnknown(error))))
  return paths.filter((_path, at) => answers[at])
}
