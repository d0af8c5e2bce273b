import type { NeighbourEnd, StackState } from '@stackbk/contract'

import { type Container, isAlive, label } from './container.js'
import type { EngineEvent } from './engine-events.js'
import { isStart } from './whereabouts.js'

/** A running container that does not belong to the stack. */
export interface Neighbour {
  readonly id: string
  readonly name: string
  readonly project: string
  readonly networks: readonly string[]
  readonly restartPolicy: string
}

/** Networks that are there on every host: to share one of them connects nothing. */
const generalNetworks: readonly string[] = ['bridge', 'host', 'none']

export function neighbourOf(container: Container): Neighbour {
  const { id, name, networks, restartPolicy, allLabels } = container
  return { id, name, networks, restartPolicy, project: allLabels[label.project] ?? '' }
}

/**
 * Returns the neighbours that share a network with the stack and ended after it began to stop: they may have lost what they were
 * connected to. One that a person or another program stopped is left out, and so is one that is stopped with the stack.
 */
export function neighboursEnded(state: StackState, neighbours: readonly Neighbour[], events: readonly EngineEvent[]): readonly NeighbourEnd[] {
  const own = state.projects.flatMap((project) => project.containers)
  const stopped = new Set([...own, ...state.dependents].map((container) => container.id))
  const networks = new Set(own.filter(isAlive).flatMap((container) => container.networks).filter((network) => !generalNetworks.includes(network)))
  const firstStop = events.findIndex((event) => stopped.has(event.id) && ['kill', 'die', 'pause'].includes(event.action))
  if (firstStop < 0) return []
  const since = events.slice(firstStop)
  return neighbours.flatMap((neighbour): NeighbourEnd[] => {
    const shared = neighbour.networks.filter((network) => networks.has(network))
    if (shared.length === 0 || stopped.has(neighbour.id)) return []
    const ofNeighbour = since.filter(({ id }) => id === neighbour.id)
    const end = ofNeighbour.find(({ action }) => action === 'die')
    if (end === undefined || wasToldToStop(ofNeighbour, end)) return []
    const exitCode = Number.parseInt(end.attributes['exitCode'] ?? '', 10)
    const isRestarted = ofNeighbour.some((event) => isStart(event) && event.at >= end.at)
    return [{ container: neighbour.name, project: neighbour.project, exitCode: Number.isNaN(exitCode) ? null : exitCode, networks: shared, at: end.at, runsAgain: isRestarted || restartsBy(neighbour.restartPolicy, exitCode) }]
  })
}

/** The engine reports a signal that was sent through it, whatever signal the container asks for. */
function wasToldToStop(events: readonly EngineEvent[], end: EngineEvent): boolean {
  return events.slice(0, events.indexOf(end)).some(({ action }) => action === 'kill')
}

function restartsBy(policy: string, exitCode: number): boolean {
  return policy === 'always' || policy === 'unless-stopped' || (policy === 'on-failure' && exitCode !== 0)
}
