import type { NeighbourEnd, StackState } from '@stackbk/contract'

import { type Container, isAlive, label } from './container.js'
import type { EngineEvent } from './engine-events.js'

/** A running container that does not belong to the stack. */
export interface Neighbour {
  readonly id: string
  readonly name: string
  readonly project: string
  readonly networks: readonly string[]
  readonly restartPolicy: string
  /** How often its policy had restarted it when it was looked at. */
  readonly restartCount: number
  /** How often the policy `on-failure` restarts it; 0 for any number of times. */
  readonly maximumRestarts: number
}

/** Networks that are there on every host: to share one of them connects nothing. */
const generalNetworks: readonly string[] = ['bridge', 'host', 'none']

export function neighbourOf(container: Container): Neighbour {
  const { id, name, networks, restartPolicy, restartCount, maximumRestarts, allLabels } = container
  return { id, name, networks, restartPolicy, restartCount, maximumRestarts, project: allLabels[label.project] ?? '' }
}

/**
 * Returns the neighbours that share a network with the stack and ended after it began to stop: they may have lost what they were
 * connected to. One that a person or another program stopped, at once or after it had been started again, is left out, and so is
 * one that is stopped with the stack.
 */
export function neighboursEnded(state: StackState, neighbours: readonly Neighbour[], events: readonly EngineEvent[]): readonly NeighbourEnd[] {
  const own = state.projects.flatMap((project) => project.containers)
  const stopped = new Set([...own, ...state.dependents].map((container) => container.id))
  const networks = new Set(own.filter(isAlive).flatMap((container) => container.networks).filter((network) => !generalNetworks.includes(network)))
  const firstStop = events.findIndex((event) => stopped.has(event.id) && ['kill', 'die', 'pause'].includes(event.action))
  if (firstStop < 0) return []
  return neighbours.flatMap((neighbour): NeighbourEnd[] => {
    const shared = neighbour.networks.filter((network) => networks.has(network))
    if (shared.length === 0 || stopped.has(neighbour.id)) return []
    const isOfNeighbour = ({ id }: EngineEvent): boolean => id === neighbour.id
    const sinceStop = events.slice(firstStop).filter(isOfNeighbour)
    const end = sinceStop.find(({ action }) => action === 'die')
    if (end === undefined || wasToldToStop(sinceStop, end)) return []
    const last = sinceStop.findLast(({ action }) => action === 'die' || action === 'start') ?? end
    if (last.action === 'die' && wasToldToStop(sinceStop, last)) return []
    const exitCode = exitCodeOf(end)
    const ends = events.filter(isOfNeighbour).filter(({ action }) => action === 'die').length
    return [{ container: neighbour.name, project: neighbour.project, exitCode, networks: shared, at: end.at, runsAgain: last.action === 'start' || restartsAfter(neighbour, exitCodeOf(last), ends) }]
  })
}

/** The engine reports a signal that was sent through it, whatever signal the container asks for. What was sent before its last start did not end it. */
function wasToldToStop(events: readonly EngineEvent[], end: EngineEvent): boolean {
  const before = events.slice(0, events.indexOf(end))
  return before.slice(before.findLastIndex(({ action }) => action === 'start') + 1).some(({ action }) => action === 'kill')
}

function exitCodeOf(end: EngineEvent): number | null {
  const exitCode = Number.parseInt(end.attributes['exitCode'] ?? '', 10)
  return Number.isNaN(exitCode) ? null : exitCode
}

/** Whether its restart policy is known to start it after the last of so many ends since it was looked at. */
function restartsAfter({ restartPolicy, restartCount, maximumRestarts }: Neighbour, exitCode: number | null, ends: number): boolean {
  if (restartPolicy !== 'on-failure') return restartPolicy === 'always' || restartPolicy === 'unless-stopped'
  // Each earlier end has used up one restart.
  const isOneLeft = maximumRestarts === 0 || restartCount + ends <= maximumRestarts
  return exitCode !== null && exitCode !== 0 && isOneLeft
}
