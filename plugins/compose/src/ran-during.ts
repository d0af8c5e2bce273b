import { answered } from '@stackbk/contract'
import type { Answer, CallOptions, ContainerState, ReadingTime, StackState, WatchReport } from '@stackbk/contract'

import { type Container, isAlive } from './container.js'
import type { EngineEvent } from './engine-events.js'
import { inspectContainers, listContainers } from './look.js'
import type { Tools } from './tools.js'
import { canWrite, isOfStackIn, type Places, reportOf } from './watch.js'
import { isStart } from './whereabouts.js'

/**
 * Returns what ran while a stack was read whose watch failed or lost events. The events that the engine remembers decide where it
 * remembers all of that time. Else the containers themselves do: one that finished before the reading began and was started after
 * it ended did not run in between. A container of elsewhere that was made, ran and was removed in that time leaves no trace.
 */
export async function ranDuring(tools: Tools, state: StackState, places: Places, reading: ReadingTime, options: CallOptions = {}): Promise<Answer<WatchReport>> {
  const since = Math.min(reading.from, reading.othersFrom, ...reading.ended.map(({ at }) => Date.parse(at)))
  const remembered = await tools.events.remembered(since)
  if (remembered.ok && remembered.value.isComplete) return await byEvents(tools, state, places, remembered.value.events)
  const listed = await listContainers(tools.docker, options)
  if (!listed.ok) return listed
  const inspected = await inspectContainers(tools.docker, listed.value.map(({ id }) => id), options)
  if (!inspected.ok) return inspected
  return answered(await byTimes(state, places, reading, [...inspected.value.values()]))
}

async function byEvents(tools: Tools, state: StackState, places: Places, events: readonly EngineEvent[]): Promise<Answer<WatchReport>> {
  const isOfStack = isOfStackIn(state)
  const started = [...new Set(events.filter((event) => isStart(event) && !isOfStack(event.id, event.attributes)).map(({ id }) => id))]
  const found = await inspectContainers(tools.docker, started)
  if (!found.ok) return found
  // One that is gone counts as if it could write.
  const writers = new Map<string, Container | null>()
  for (const container of found.value.values()) writers.set(container.id, (await canWrite(container, places)) ? container : null)
  return answered(reportOf({ state, events, isLossy: false, isOfStack: (event) => isOfStack(event.id, event.attributes), isWriter: (event) => writers.get(event.id) !== null, writerOf: (event) => writers.get(event.id) ?? undefined, graces: tools.graces }))
}

type Start = WatchReport['starts'][number]

/** The same from the times of these containers, all that the engine has now. */
export async function byTimes(state: StackState, places: Places, reading: ReadingTime, containers: readonly Container[]): Promise<WatchReport> {
  const isOfStack = isOfStackIn(state)
  const own = containers.filter(({ id, allLabels }) => isOfStack(id, allLabels))
  const verdicts = own.map((container) => ranOf(container, reading))
  const gone = state.projects.flatMap((project) => project.containers).filter(({ id }) => !containers.some((container) => container.id === id))
  const starts: Start[] = own.flatMap((container, index) => {
    const verdict = verdicts[index]!
    const at = verdict === 'before and after' ? startOf(container) : typeof verdict === 'object' ? verdict.at : null
    return at === null ? [] : [{ at, container: container.name, isOfStack: true }]
  })
  for (const container of containers.filter((one) => !own.includes(one))) {
    const at = ranAt(container, reading)
    if (at === null || !(await canWrite(container, places))) continue
    const { id, name, image, labels } = container
    starts.push({ at, container: name, isOfStack: false, writer: { id, name, image: image.reference, labels } })
  }
  const ends = reading.ended.map(({ at }) => Date.parse(at))
  const startsAfter = own.filter(isAlive).flatMap((container) => startOf(container) ?? []).filter((at) => at >= reading.until)
  return {
    isLossy: verdicts.includes('not known') || !gone.every((container) => isProvenGone(container, reading)),
    firstStopAt: ends.length === 0 ? null : Math.min(...ends),
    lastStartAt: startsAfter.length === 0 ? null : Math.max(...startsAfter),
    readyAt: null,
    ended: reading.ended,
    starts: starts.toSorted((one, other) => one.at - other.at),
  }
}

function startOf({ startedAt }: ContainerState): number | null {
  return startedAt === null ? null : Date.parse(startedAt)
}

/** `at`: a moment of the reading at which it ran. */
function ranOf(container: Container, { from, until }: ReadingTime): 'never' | 'before' | 'before and after' | 'not known' | { readonly at: number } {
  const started = startOf(container)
  if (started === null) return 'never'
  const finished = container.finishedAt === null ? null : Date.parse(container.finishedAt)
  if (started > from && started < until) return { at: started }
  // The run before this one ended while it was read, or this one did.
  if (finished !== null && finished > from && finished <= until) return { at: (from + finished) / 2 }
  if (isAlive(container)) return started >= until && (finished === null || finished <= from) ? 'before and after' : 'not known'
  if (finished === null) return 'not known'
  return finished <= from ? 'before' : 'not known'
}

/** Returns a moment at which a container of elsewhere ran that may not have run before; `null` where it did not run, or ran all the time. */
function ranAt(container: Container, { othersFrom, until }: ReadingTime): number | null {
  const started = startOf(container)
  if (started === null) return null
  if (started > othersFrom && started < until) return started
  const finished = container.finishedAt === null ? null : Date.parse(container.finishedAt)
  const hasEnded = finished !== null && finished > othersFrom && (started >= until || finished >= started)
  return hasEnded ? (othersFrom + Math.min(finished, until)) / 2 : null
}

/** A `down` has removed it, which the engine refuses for one that runs; before that it was seen to end, or did not run. */
function isProvenGone(container: ContainerState, { mode, ended, from }: ReadingTime): boolean {
  return mode === 'down' && (!isAlive(container) || container.condition === 'restarting' || ended.some((end) => end.containerId === container.id && Date.parse(end.at) <= from))
}
