import type { ContainerEnd } from '@stackbk/contract'

import { type Container, label } from './container.js'
import type { EngineEvent } from './engine-events.js'

/** How containers ended, from what the engine told: exit codes vanish with removed containers, and neither Compose nor Docker says that it had to kill. */
export function readEnds(events: readonly EngineEvent[], isWanted: (event: EngineEvent) => boolean, graceOf: (id: string) => number): ContainerEnd[] {
  return events.filter((event) => event.action === 'die' && isWanted(event)).map((event) => ({
    containerId: event.id,
    name: event.name,
    service: event.attributes[label.service] ?? '',
    project: event.attributes[label.project] ?? '',
    exitCode: exitCodeOf(event),
    wasKilled: wasKilled(events, event),
    graceSeconds: graceOf(event.id),
    ...tookSeconds(events, event),
    at: new Date(event.at).toISOString(),
  }))
}

/** The same from the container itself, where the events were not heard; `null` for one that is gone. */
export function readEnd(container: Container, project: string, graceSeconds: number): ContainerEnd {
  return {
    containerId: container.id,
    name: container.name,
    service: container.service,
    project,
    exitCode: container.exitCode,
    wasKilled: container.exitCode === 137 && !container.wasOutOfMemory,
    graceSeconds,
    at: container.finishedAt ?? new Date().toISOString(),
  }
}

/** Nothing for a container that no signal asked to end. */
function tookSeconds(events: readonly EngineEvent[], end: EngineEvent): { readonly tookSeconds?: number } {
  const first = signalsBefore(events, end)[0]
  return first === undefined ? {} : { tookSeconds: Math.max(0, Math.round((end.at - first.at) / 100) / 10) }
}

function exitCodeOf(event: EngineEvent): number | null {
  const code = Number.parseInt(event.attributes['exitCode'] ?? '', 10)
  return Number.isNaN(code) ? null : code
}

/** The engine sent SIGKILL after another signal. SIGKILL alone is a container's own `stop_signal`, and exit code 137 alone may be a lack of memory. */
function wasKilled(events: readonly EngineEvent[], end: EngineEvent): boolean {
  const signals = signalsBefore(events, end).map((event) => event.attributes['signal'] ?? '')
  return signals.at(-1) === '9' && signals.some((signal) => signal !== '9')
}

/** Returns the signals that the container got since it was last started. */
function signalsBefore(events: readonly EngineEvent[], end: EngineEvent): EngineEvent[] {
  const signals: EngineEvent[] = []
  for (const event of events) {
    if (event === end) break
    if (event.id !== end.id) continue
    if (event.action === 'start') signals.length = 0
    if (event.action === 'kill') signals.push(event)
  }
  return signals
}
