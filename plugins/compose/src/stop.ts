import { answered, failed, stopGraceOf } from '@stackbk/contract'
import type { Answer, ContainerEnd, ContainerState, Failure, StackState, StopEvidence, StopRequest } from '@stackbk/contract'

import { askCompose } from './compose.js'
import { type Named, pauseContainer, stopContainer, withEach } from './container-calls.js'
import { removeContainers } from './container-removal.js'
import { isAlive, label } from './container.js'
import type { Ear } from './engine-events.js'
import { readEnd, readEnds } from './ends.js'
import { inspectContainers, type Listed, listContainers, listWithin, scopeOf } from './look.js'
import { inOrder, type Unit, unitsThatRan } from './order.js'
import { isMadeFrom } from './ownership.js'
import type { Tools } from './tools.js'

/** What a stop may take beyond its grace before the engine counts as not answering. */
const overheadMs = 60_000

/** How long we wait for the news of an end that has happened: it comes within milliseconds. */
const newsLimitMs = 500

/** The engine answers a removal when the container's files are gone, which takes long on a busy disk. */
const removalLimitMs = 300_000

/**
 * Stops what runs, container by container, what needs others first. Services with a `pre_stop` hook are stopped by Compose.
 * `down` then removes the stack's own containers, each by its ID, and nothing else: networks stay, and so do containers of
 * another folder whose project has the same name. What still runs is looked up, whatever the engine answered, unless its events
 * have proven that nothing does: then the answer does not wait for the removal either.
 */
export async function stopStack(tools: Tools, state: StackState, request: StopRequest): Promise<Answer<StopEvidence>> {
  if (request.mode === 'none') return answered({ ended: [], stillRunning: [] })
  const units = unitsThatRan(state)
  const toStop = request.mode === 'stop' ? units : units.filter((unit) => unit.project !== '')
  const containers = toStop.flatMap((unit) => unit.containers)
  if (request.mode === 'pause') return pause(tools, state, containers, request)

  for (const container of containers) tools.graces.set(container.id, graceOf(container, request))
  const heard = await tools.events.listen()
  const ear = heard.ok ? heard.value : null
  try {
    if (request.mode === 'down' && state.dependents.some(isAlive)) {
      tools.log('warning', `${namesOf(state.dependents.filter(isAlive))} will be without what it shares with a container of ${state.directory}, which is removed`)
    }
    const failures = await stopInOrder(tools, state, toStop, request)
    if (request.signal?.aborted) return failed(cancelled(state))
    const wasAlive = containers.filter((container) => container.condition !== 'restarting')
    const graceSecondsOf = (id: string): number => tools.graces.get(id) ?? request.graceSeconds
    const heardEnds = failures.length === 0 ? await collectEnds(ear, wasAlive, graceSecondsOf) : null
    const isProven = heardEnds !== null && tools.whereabouts.nothingRuns(state)
    const listed = isProven ? answered([]) : await listWithin(tools.docker, scopeOf(state), request)
    if (!listed.ok) return listed
    const alive = await stillAlive(tools, listed.value.filter((container) => isWithin(container, state, containers) && isAlive(container)), request)
    const remaining = new Set(alive.map((container) => container.id))
    if (alive.length > 0 && failures.length > 0) return failed(failures[0]!)
    for (const failure of failures) tools.log('warning', `${failure.message}, yet nothing of it runs`, { directory: state.directory, toolOutput: failure.toolOutput })
    const expected = wasAlive.filter((container) => !remaining.has(container.id))
    const ended = heardEnds ?? (await collectEnds(ear, expected, graceSecondsOf))
    // Before they are removed: an end without an event is known from the container alone.
    const withoutEvent = expected.filter((container) => !ended.some((end) => end.containerId === container.id))
    const present = await inspectContainers(tools.docker, withoutEvent.map((container) => container.id), request)
    for (const container of present.ok ? present.value.values() : []) ended.push(readEnd(container, projectOf(state, container.id), graceOf(container, request)))
    // Nothing is removed of a stack of which something still runs: all of it is started again.
    if (request.mode === 'down' && alive.length === 0) {
      const removal = removeStopped(tools, state, listed.value.filter((container) => isWithin(container, state, [])), request)
      if (isProven) tools.removals.begin(state.directory, removal)
      else await removal
      if (request.signal?.aborted) return failed(cancelled(state))
    }
    if (isProven && request.mode === 'stop') tools.whereabouts.stopped(state.directory, new Set(containers.map((container) => container.id)))
    return answered({ ended, stillRunning: alive.map((container) => container.name) })
  } finally {
    ear?.close()
  }
}

function graceOf(container: ContainerState, request: StopRequest): number {
  return stopGraceOf(container, request.graceSeconds)
}

/**
 * Removes the stack's containers, and those of `madeSince` that are not in the state. What stays is started again as it is. Their
 * descriptions are kept, for a start whose compose files changed.
 */
async function removeStopped(tools: Tools, state: StackState, madeSince: readonly Named[], request: StopRequest): Promise<void> {
  const containers = new Map([...madeSince, ...state.projects.flatMap((project) => project.containers)].map((container) => [container.id, container]))
  const described = await tools.docker.inspect('container', [...containers.keys()], { signal: request.signal })
  if (described.ok) tools.removals.keep(described.value.byName)
  else tools.log('warning', described.failure.message, { directory: state.directory })
  await removeContainers(tools, state.directory, containers.values(), { force: false, signal: request.signal, timeoutMs: removalLimitMs })
}

async function stopInOrder(tools: Tools, state: StackState, units: readonly Unit[], request: StopRequest): Promise<Failure[]> {
  const failures: Failure[] = []
  const hooks = await tools.hooks.ofAll(state)
  await inOrder(units, 'stop', async (unit) => {
    if (request.signal?.aborted) return
    const project = state.projects.find((one) => one.name === unit.project)
    if (project !== undefined && hooks.get(project.name)!.preStop.has(unit.service) && (await isWholeService(tools, unit))) {
      const grace = Math.max(...unit.containers.map((container) => graceOf(container, request)))
      const timeoutMs = (grace * 1000 + overheadMs) * unit.containers.length
      const stopped = await askCompose(tools.docker, project, { what: `docker compose stop of ${unit.service}`, args: ['stop', '--timeout', String(grace), '--', unit.service] }, { signal: request.signal, timeoutMs })
      failures.push(...failuresOf([stopped]))
      return
    }
    const answers = await Promise.all(
      unit.containers.map((container) => {
        const grace = graceOf(container, request)
        return stopContainer(tools.docker, container, grace, { signal: request.signal, timeoutMs: grace * 1000 + overheadMs })
      }),
    )
    failures.push(...failuresOf(answers))
  })
  return failures
}

/**
 * What runs of the project's service is the unit and nothing else, so that Compose, which goes by the names, stops no more than
 * that. Otherwise, and where that is not known, the hook is left out: a container of another folder is not ours to stop.
 */
async function isWholeService(tools: Tools, unit: Unit): Promise<boolean> {
  if (unit.containers.some((container) => container.isOneOff)) return false
  const listed = await listContainers(tools.docker, {}, { label: [`${label.project}=${unit.project}`, `${label.service}=${unit.service}`] })
  const isWhole = listed.ok && listed.value.filter((container) => isAlive(container) && !container.isOneOff).every((container) => unit.containers.some((one) => one.id === container.id))
  if (!isWhole) tools.log('warning', `the pre_stop hook of ${unit.service} is not run: Compose would stop containers that are not of the stack along with it`, { project: unit.project })
  return isWhole
}

/** How often a container is asked for: the kernel may give up freezing one whose processes are hard at work (runc: "unable to freeze"), and the next try does it. */
const pauseTries = 2

/** All at once: nothing waits for a frozen process to answer. What was paused before stays as it is. */
async function pause(tools: Tools, state: StackState, containers: readonly ContainerState[], request: StopRequest): Promise<Answer<StopEvidence>> {
  let toPause: readonly Named[] = containers.filter((container) => container.condition !== 'paused')
  for (let tries = 1; ; tries += 1) {
    const paused = await withEach(toPause, (container) => pauseContainer(tools.docker, container, { signal: request.signal, timeoutMs: overheadMs }))
    if (!paused.ok && paused.failure.kind !== 'failed') return paused
    if (!paused.ok) tools.log('warning', paused.failure.message, { directory: state.directory, toolOutput: paused.failure.toolOutput })
    const now = await listWithin(tools.docker, scopeOf(state), request)
    if (!now.ok) return now
    const unfrozen = now.value.filter((container) => isWithin(container, state, containers)).filter((container) => container.condition === 'running' || container.condition === 'restarting')
    if (unfrozen.length === 0 || paused.ok) return answered({ ended: [], stillRunning: unfrozen.map((container) => container.name) })
    if (tries === pauseTries) return failed(paused.failure)
    toPause = unfrozen
  }
}

async function collectEnds(ear: Ear | null, containers: readonly ContainerState[], graceSecondsOf: (id: string) => number): Promise<ContainerEnd[]> {
  if (ear === null) return []
  const ids = new Set(containers.map((container) => container.id))
  const limit = performance.now() + newsLimitMs
  for (;;) {
    const ended = readEnds(ear.events, (event) => ids.has(event.id), graceSecondsOf)
    const left = limit - performance.now()
    if (ended.length >= ids.size || ear.isLossy || left <= 0) return ended
    await ear.change(left)
  }
}

/** The engine's listing may show a container as running for a moment after its stop was answered. What it says of the container itself counts. */
async function stillAlive(tools: Tools, listed: readonly Listed[], request: StopRequest): Promise<readonly Listed[]> {
  if (listed.length === 0) return listed
  const now = await inspectContainers(tools.docker, listed.map((container) => container.id), request)
  if (!now.ok) return listed
  return listed.filter(({ id }) => {
    const container = now.value.get(id)
    return container !== undefined && isAlive(container)
  })
}

/** Of the stack, perhaps made since it was looked at, or one of those that were to be stopped with it. */
function isWithin(container: Listed, state: StackState, containers: readonly ContainerState[]): boolean {
  return state.projects.some((project) => project.containers.length > 0 && isMadeFrom(container, project, state.directory)) || containers.some((one) => one.id === container.id)
}

function projectOf(state: StackState, id: string): string {
  return state.projects.find((project) => project.containers.some((container) => container.id === id))?.name ?? ''
}

function namesOf(containers: readonly ContainerState[]): string {
  return containers.map((container) => container.name).join(', ')
}

function failuresOf(answers: readonly Answer<unknown>[]): Failure[] {
  return answers.flatMap((answer) => (answer.ok ? [] : [answer.failure]))
}

function cancelled(state: StackState): Failure {
  return { kind: 'cancelled', message: `The stop of ${state.directory} was cancelled` }
}
