import { answered } from '@stackbk/contract'
import type { Answer, ContainerState, StackState, Watch, WatchReport } from '@stackbk/contract'

import { type Container, isAlive, label } from './container.js'
import type { EngineEvent } from './engine-events.js'
import { readEnds } from './ends.js'
import { inspectContainers } from './look.js'
import { neighboursEnded } from './neighbours.js'
import { isMadeFrom, originOf } from './ownership.js'
import { isInside, realPath } from './paths.js'
import type { Tools } from './tools.js'
import { isStart } from './whereabouts.js'

/** Paths and volumes that the stack is known to use. */
export interface Places {
  readonly paths: readonly string[]
  readonly volumes: readonly string[]
}

/** What the state itself tells of them, for a stack whose sources were not asked for. */
export function placesOf(state: StackState): Places {
  const mounts = state.projects.flatMap((project) => project.containers).flatMap((container) => container.mounts)
  return {
    paths: [state.directory, ...mounts.filter((mount) => mount.kind === 'bind' && !isOfTheSystem(mount.source)).map((mount) => mount.source)],
    volumes: mounts.filter((mount) => mount.kind === 'volume').map((mount) => mount.name),
  }
}

/** The host's own trees and sockets, which hold no stack's data and which many containers share. */
export function isOfTheSystem(path: string): boolean {
  return isHostFolder(path) || ['/proc', '/sys', '/dev', '/run', '/var/run', '/lib/modules', '/usr/lib/modules', '/var/lib/docker', '/var/lib/containerd'].some((tree) => isInside(path, tree))
}

/**
 * Returns whether a path is a folder of the whole host, which no stack has for itself, though a folder inside it may well be a stack's.
 * No backup of a stack takes it along as a whole: a recovery would exchange the data of everyone else with it.
 */
export function isHostFolder(path: string): boolean {
  return ['/', '/etc', '/usr', '/bin', '/sbin', '/lib', '/lib64', '/boot', '/var', '/home', '/root', '/opt', '/srv', '/mnt', '/media', '/tmp', '/var/lib', '/var/log'].includes(path)
}

/**
 * Returns what of these places a container can change through its writable mounts: of a mount of the same path or of one above,
 * the whole place; of a mount inside it, that part. A volume counts by its name and by where its data lies.
 */
export async function reachOf(container: ContainerState, places: Places, resolve = realPath): Promise<Places> {
  const paths = new Set<string>()
  const volumes = new Set<string>()
  for (const mount of container.mounts) {
    if (!mount.writable) continue
    if (mount.kind === 'volume' && places.volumes.includes(mount.name)) volumes.add(mount.name)
    if ((mount.kind !== 'bind' && mount.kind !== 'volume') || mount.source === '') continue
    const source = await resolve(mount.source)
    for (const path of places.paths) {
      if (isInside(path, source)) paths.add(path)
      else if (isInside(source, path)) paths.add(source)
    }
  }
  return { paths: [...paths], volumes: [...volumes] }
}

/** Returns whether a container can change anything of these places. */
export async function canWrite(container: ContainerState, places: Places): Promise<boolean> {
  const { paths, volumes } = await reachOf(container, places)
  return paths.length > 0 || volumes.length > 0
}

/** Returns what tells by ID and labels whether a container is of this stack, perhaps made since it was looked at. */
export function isOfStackIn(state: StackState): (id: string, labels: Readonly<Record<string, string>>) => boolean {
  const ids = new Set(state.projects.flatMap((project) => project.containers).map((container) => container.id))
  return (id, labels) => ids.has(id) || state.projects.some((project) => isMadeFrom(originOf(labels), project, state.directory))
}

/**
 * Listens for what happens to the stack, and for containers of elsewhere that start meanwhile and use its places. Whether one
 * does is asked at its creation or start; one that was gone before it could be asked counts as if it did.
 */
export async function watchStack(tools: Tools, state: StackState, places: Places): Promise<Answer<Watch>> {
  const isOwn = isOfStackIn(state)
  const isOfStack = ({ id, attributes }: EngineEvent): boolean => isOwn(id, attributes)
  /** `undefined`: not asked yet or gone before the answer. `null`: it cannot write to the places. */
  const strangers = new Map<string, Container | null | undefined>()
  let begun = false
  const heard = await tools.events.listen((event) => {
    if (!begun || isOfStack(event) || strangers.has(event.id) || !['create', 'start', 'unpause'].includes(event.action)) return
    strangers.set(event.id, undefined)
    void inspectContainers(tools.docker, [event.id]).then(async (found) => {
      const container = found.ok ? found.value.get(event.id) : undefined
      if (container === undefined) return
      strangers.set(event.id, (await canWrite(container, places)) ? container : null)
    })
  })
  if (!heard.ok) return heard
  begun = true
  const ear = heard.value
  tools.whereabouts.listening(state.directory, ear, performance.now())
  return answered({
    report: () => ({
      ...reportOf({ state, events: ear.events, isLossy: ear.isLossy, isOfStack, isWriter: (event) => strangers.get(event.id) !== null, writerOf: (event) => strangers.get(event.id) ?? undefined, graces: tools.graces }),
      neighboursEnded: neighboursEnded(state, tools.neighbours.get(state.directory) ?? [], ear.events),
    }),
    close: async () => {
      tools.whereabouts.deaf(state.directory, ear)
      ear.close()
    },
  })
}

interface Heard {
  readonly state: StackState
  readonly events: readonly EngineEvent[]
  readonly isLossy: boolean
  readonly isOfStack: (event: EngineEvent) => boolean
  /** Of a container of elsewhere. */
  readonly isWriter: (event: EngineEvent) => boolean
  readonly writerOf: (event: EngineEvent) => Container | undefined
  readonly graces: ReadonlyMap<string, number>
}

/** Returns what these events tell of the stack. */
export function reportOf({ state, events, isLossy, isOfStack, isWriter, writerOf, graces }: Heard): WatchReport {
  const own = events.filter(isOfStack)
  const containers = state.projects.flatMap((project) => project.containers)
  const starts = events.filter((event) => isStart(event) && (isOfStack(event) || isWriter(event)))
  return {
    isLossy,
    firstStopAt: own.find((event) => event.action === 'die' || event.action === 'pause')?.at ?? null,
    lastStartAt: own.findLast(isStart)?.at ?? null,
    readyAt: readyAt(state, own),
    ended: readEnds(events, isOfStack, (id) => graces.get(id) ?? containers.find((container) => container.id === id)?.stopGraceSeconds ?? 10),
    starts: starts.map((event) => {
      const writer = isOfStack(event) ? undefined : writerOf(event)
      const start = { at: event.at, container: event.name, isOfStack: isOfStack(event) }
      return writer === undefined ? start : { ...start, writer: { id: writer.id, name: writer.name, image: writer.image.reference, labels: writer.labels } }
    }),
  }
}

/** `null` until each service that stopped is back. A paused container counts as unhealthy for the engine, and after the pause until its next check. */
function readyAt(state: StackState, own: readonly EngineEvent[]): number | null {
  const moments: number[] = []
  for (const project of state.projects) {
    const ran = project.containers.filter((container) => isAlive(container) && !container.isOneOff)
    for (const service of new Set(ran.map((container) => container.service))) {
      const before = ran.filter((container) => container.service === service)
      const events = own.filter((event) => before.some((container) => container.id === event.id) || (event.attributes[label.project] === project.name && event.attributes[label.service] === service))
      const stopped = events.some((event) => event.action === 'die' || event.action === 'pause')
      if (!stopped) continue
      const start = events.findLast(isStart)
      if (start === undefined) return null
      if (!before.some((container) => container.health === 'healthy')) {
        moments.push(start.at)
        continue
      }
      const healthy = events.findLast((event) => event.action === 'health_status: healthy')
      if (healthy === undefined || healthy.at < start.at) return null
      moments.push(healthy.at)
    }
  }
  return moments.length === 0 ? null : Math.max(...moments)
}
