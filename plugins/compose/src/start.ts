import { answered, done, failed } from '@stackbk/contract'
import type { Answer, ContainerState, Failure, ProjectState, StackState, StartRequest } from '@stackbk/contract'

import { askCompose } from './compose.js'
import { pauseContainer, startContainer, unpauseContainer, withEach } from './container-calls.js'
import { removeContainers } from './container-removal.js'
import { isAlive } from './container.js'
import { healthWaitMs, isCheckedWithin } from './health-wait.js'
import { imageIds } from './images.js'
import { jsonForYaml } from './json.js'
import { inspectContainers, type Listed, listWithin, scopeOf } from './look.js'
import { connectAgain, lacksNetwork, lostNetworks } from './lost-networks.js'
import { inOrder, type Need, type Unit, unitsThatRan } from './order.js'
import { isMadeFrom } from './ownership.js'
import { isSettled, waitUntilSettled } from './settle.js'
import { recreateRemovedContainers } from './recreate-containers.js'
import type { Tools } from './tools.js'
import { beginWaiting, type Waiting } from './waiting.js'

/** An engine that takes longer for a single start or creation does not answer. */
const startLimitMs = 300_000

/** Starting is mostly the kernel's work: more at a time make none of them faster. */
const startsAtATime = 4

/** What the engine may need to end a container after its grace. */
const settleMarginMs = 30_000

/** The least time that a stop of somebody else's is waited for, whose grace is not known here. */
const settleLeastMs = 300_000

/**
 * Starts exactly what ran, whatever happened meanwhile. What to do is decided by container, from what is there now and not
 * from the mode: one that still exists is started, one that is gone is made again by Compose, of its service's present
 * definition and of its very image. In dependency order, each as soon as what it needs is there; health is waited for where
 * a dependency asks for it, by the engine's events (Compose looks twice a second). Each failure leaves the others to go on.
 */
export async function startStack(tools: Tools, state: StackState, request: StartRequest): Promise<Answer<void>> {
  await tools.removals.ended([state.directory])
  const units = unitsThatRan(state)
  if (units.length === 0) return done
  const failures: Failure[] = []
  const waiting = await beginWaiting(tools)
  const slots = new Slots(startsAtATime)
  const early = startEarly(tools, state, units, { request, slots })
  try {
    // After a `down` all are made again, so what their images are by now is asked while the containers are looked for.
    const [present, hooks, images] = await Promise.all([
      presentOnceSettled(tools, state, units, { request, areSettled: early.size > 0 }),
      tools.hooks.ofAll(state),
      request.mode === 'down' ? presentImages(tools, units) : null,
    ])
    if (!present.ok) return present
    const left = request.mode === 'down' ? await finishRemovals(tools, state, present.value) : present.value
    const made = await makeMissing(tools, state, units, { present: left, images })
    failures.push(...made.failures)
    const containers = made.projects.length === 0 ? present : await listWithin(tools.docker, scopeOf(state))
    if (!containers.ok) return containers
    const chosen = new Map(units.map((unit) => [unit.key, chooseContainers(state, unit, containers.value)]))
    const networks = new NetworkMaker(tools, state, { present: containers.value, images })
    const unfrozen = await unfreeze(tools, state, [...chosen.values()].flat())
    failures.push(...unfrozen.failures)
    await inOrder(units, 'start', async (unit) => {
      if ((await early.get(unit.key)) === true) return
      const toStart = (chosen.get(unit.key) ?? []).filter((container) => !isAlive(container))
      if (toStart.length === 0) return
      for (const need of unit.needs) failures.push(...(await waitForNeed(tools, { need, units, chosen, request, waiting })))
      const project = state.projects.find((one) => one.name === unit.project)
      if (project !== undefined && hooks.get(project.name)!.postStart.has(unit.service) && (await startByCompose(tools, project, unit, { toStart, containers: containers.value }))) return
      await Promise.all(toStart.map((container) => slots.use(async () => {
        const failed = await bringUp(tools, container)
        failures.push(...(failed.some(lacksNetwork) ? await bringUpAnew(tools, container, failed, () => networks.make(project, unit)) : failed))
      })))
    })
    failures.push(...(await pauseAgain(tools, units, chosen)))
  } finally {
    await Promise.all(early.values())
    waiting.end()
  }
  const [first, ...others] = failures
  if (first === undefined) {
    tools.removals.forget(units.flatMap((unit) => unit.containers).map(({ id }) => id))
    return done
  }
  return failed(others.length === 0 ? first : { ...first, message: [first, ...others].map(withReason).join('; '), toolOutput: '' })
}

function withReason({ message, toolOutput = '' }: Failure): string {
  return toolOutput === '' ? message : `${message}: ${toolOutput}`
}

/**
 * Right after our own stop, what needs nothing is started before anything is looked at: it is known to be there and to be down.
 * True when all of a unit started; any that did not is left to the look.
 */
function startEarly(tools: Tools, state: StackState, units: readonly Unit[], { request, slots }: { request: StartRequest; slots: Slots }): ReadonlyMap<string, Promise<boolean>> {
  const stopped = tools.whereabouts.takeStopped(state.directory)
  if (request.mode !== 'stop') return new Map()
  const roots = units.filter((unit) => unit.needs.length === 0 && unit.containers.every((container) => stopped.has(container.id)))
  return new Map(roots.map((unit) => [unit.key, startUnitEarly(tools, state, unit, slots)]))
}

async function startUnitEarly(tools: Tools, state: StackState, unit: Unit, slots: Slots): Promise<boolean> {
  const project = state.projects.find((one) => one.name === unit.project)
  if (project !== undefined && (await tools.hooks.of(project)).postStart.has(unit.service)) return false
  const started = await Promise.all(unit.containers.map((container) => slots.use(() => bringUp(tools, container))))
  return started.flat().length === 0
}

/** What is there, after stops that are still under way. */
async function presentOnceSettled(tools: Tools, state: StackState, units: readonly Unit[], { request, areSettled }: { request: StartRequest; areSettled: boolean }): Promise<Answer<readonly Listed[]>> {
  const present = await listWithin(tools.docker, scopeOf(state))
  if (!present.ok || areSettled || request.mode === 'none' || request.mode === 'pause' || request.isAfterReboot === true || isSettled(tools, state)) return present
  const recorded = units.flatMap((unit) => unit.containers)
  const unsettled = present.value.filter((container) => recorded.some((one) => one.id === container.id) && (isAlive(container) || container.condition === 'removing'))
  if (unsettled.length === 0) return present
  const longestGraceMs = Math.max(...recorded.map((container) => tools.graces.get(container.id) ?? container.stopGraceSeconds)) * 1000
  const settled = await waitUntilSettled(tools, state, { timeoutMs: Math.max(settleLeastMs, longestGraceMs) + settleMarginMs })
  if (!settled.ok) tools.log('warning', settled.failure.message, { directory: state.directory })
  return listWithin(tools.docker, scopeOf(state))
}

/**
 * An engine that ends while it removes a container keeps it as `dead`: it can never start, holds its name, and Compose takes it
 * for the service's container. What our own `down` has begun to remove is removed now. Returns the containers that remain.
 */
async function finishRemovals(tools: Tools, state: StackState, present: readonly Listed[]): Promise<readonly Listed[]> {
  const recorded = new Set(state.projects.flatMap((project) => project.containers).map((container) => container.id))
  const dead = present.filter((container) => container.condition === 'dead' && recorded.has(container.id))
  const removed = await removeContainers(tools, state.directory, dead, { force: true, timeoutMs: startLimitMs })
  return present.filter((container) => !removed.has(container.id))
}

/** Of the service's containers: those that ran, then those made since; never one that the user had stopped. */
function chooseContainers(state: StackState, unit: Unit, containers: readonly Listed[]): Listed[] {
  const own = unit.containers.flatMap((one) => containers.filter((container) => container.id === one.id && container.condition !== 'removing' && container.condition !== 'dead'))
  if (unit.project === '' || unit.containers.some((container) => container.isOneOff)) return own
  return [...own, ...madeSince(state, unit, containers)].slice(0, unit.containers.length)
}

function madeSince(state: StackState, unit: Unit, containers: readonly Listed[]): Listed[] {
  const known = new Set(state.projects.flatMap((project) => project.containers).map((container) => container.id))
  const project = state.projects.find((one) => one.name === unit.project)
  return containers.filter((container) => !known.has(container.id) && !container.isOneOff && container.service === unit.service && project !== undefined && isMadeFrom(container, project, state.directory))
}

/** What is there already; `images`: by reference, as far as they were asked for. */
interface Found {
  readonly present: readonly Listed[]
  readonly images: Answer<ReadonlyMap<string, string>> | null
}

async function makeMissing(tools: Tools, state: StackState, units: readonly Unit[], found: Found): Promise<{ projects: readonly ProjectState[]; failures: readonly Failure[] }> {
  const failures: Failure[] = []
  const incomplete = units.filter((unit) => chooseContainers(state, unit, found.present).length < unit.containers.length)
  for (const unit of incomplete.filter((one) => one.project === '' || one.containers.some((container) => container.isOneOff))) {
    failures.push({ kind: 'not-found', message: `${unit.containers[0]!.name} is gone, and nothing says how to make it again`, fix: 'Start it by hand' })
  }
  const projects = state.projects.filter((project) => servicesOf(incomplete, project).length > 0)
  await Promise.all(
    projects.map(async (project) => {
      const missing = servicesOf(incomplete, project)
      const all = await create(tools, { state, project, units: missing, found })
      if (all.ok) return
      // One service that cannot be made must not keep the others from being made.
      const unmade = new Map<Unit, Failure>()
      for (const unit of missing) {
        const one = missing.length === 1 ? all : await create(tools, { state, project, units: [unit], found })
        if (!one.ok) unmade.set(unit, one.failure)
      }
      if (unmade.size > 0 && !(await recreate(tools, state, [...unmade.keys()]))) failures.push(...unmade.values())
    }),
  )
  return { projects, failures }
}

function servicesOf(units: readonly Unit[], project: ProjectState): Unit[] {
  return units.filter((unit) => unit.project === project.name && !unit.containers.some((container) => container.isOneOff))
}

/**
 * Services that these say they need and that are not made with them. Compose notes on a container only the needs that it was
 * asked to make along with it, and from those notes comes the order of the next stop and start.
 */
function needsBeside(project: ProjectState, units: readonly Unit[]): string[] {
  const made = new Set(units.map((unit) => unit.service))
  const beside = new Set<string>()
  const visit = (containers: readonly ContainerState[]): void => {
    for (const { service } of containers.flatMap((container) => container.dependsOn)) {
      if (made.has(service) || beside.has(service)) continue
      beside.add(service)
      visit(project.containers.filter((container) => container.service === service && !container.isOneOff))
    }
  }
  visit(units.flatMap((unit) => unit.containers))
  return [...beside]
}

/**
 * Makes containers and starts none. `--no-deps` and naming the services keeps what did not run away; `--no-recreate` leaves
 * those that exist as they are, however the file was edited.
 */
async function create(tools: Tools, { state, project, units, found }: { state: StackState; project: ProjectState; units: readonly Unit[]; found: Found }): Promise<Answer<void>> {
  const { present } = found
  const pins = await pinsOf(tools, units, found.images)
  if (!pins.ok) return pins
  const services = units.map((unit) => unit.service)
  const existing = (service: string): number =>
    present.filter((container) => container.service === service && !container.isOneOff && container.project === project.name).length
  const scale = units.flatMap((unit) => ['--scale', `${unit.service}=${existing(unit.service) + unit.containers.length - chooseContainers(state, unit, present).length}`])
  const make = (beside: readonly string[]): Promise<Answer<string>> =>
    askCompose(
      tools.docker,
      project,
      {
        what: `docker compose up of ${services.join(', ')} in project ${project.name}`,
        moreFiles: pins.value === null ? [] : ['-'],
        args: [
          ...['up', '--no-start', '--no-deps', '--no-build', '--pull', 'never', '--no-recreate', '--remove-orphans=false', ...scale],
          ...beside.flatMap((service) => ['--scale', `${service}=${existing(service)}`]),
          ...['--', ...services, ...beside],
        ],
      },
      { timeoutMs: startLimitMs, ...(pins.value === null ? {} : { input: pins.value }) },
    )
  const beside = needsBeside(project, units)
  const made = await make(beside)
  if (made.ok) return done
  // What is only named along may be gone from the file, or its image from the host: that must keep nothing down.
  const alone = beside.length === 0 ? made : await make([])
  return alone.ok ? done : alone
}

/**
 * Recreates containers exactly as they were before this process removed them, where Compose cannot create them: its files may have
 * been edited or moved since, and what ran must run again. Returns whether all were created.
 */
async function recreate(tools: Tools, state: StackState, units: readonly Unit[]): Promise<boolean> {
  const present = await listWithin(tools.docker, scopeOf(state))
  if (!present.ok) return false
  const missing = units.flatMap((unit) => unit.containers).filter((container) => !present.value.some(({ name }) => name === container.name))
  // Compose failed over something else, and its reason is what has to be reported.
  if (missing.length === 0) return false
  const made = await recreateRemovedContainers(tools, missing, present.value)
  tools.log('warning', made.ok ? 'Compose could not create containers, so they were created as they were before the stop' : made.failure.message, { directory: state.directory, containers: missing.map(({ name }) => name), ...(made.ok ? {} : { toolOutput: made.failure.toolOutput }) })
  return made.ok
}

/** An override that names the recorded images by ID, where their references now mean others; `null` where none does. */
async function pinsOf(tools: Tools, units: readonly Unit[], known: Found['images']): Promise<Answer<string | null>> {
  const images = units.map((unit) => ({ service: unit.service, ...unit.containers[0]!.image }))
  const present = known?.ok ? known : await presentImages(tools, units)
  if (!present.ok) return present
  const moved = images.filter((image) => present.value.get(image.reference) !== image.id)
  if (moved.length === 0) return answered(null)
  return answered(jsonForYaml({ services: Object.fromEntries(moved.map((image) => [image.service, { image: image.id }])) }))
}

function presentImages(tools: Tools, units: readonly Unit[]): Promise<Answer<ReadonlyMap<string, string>>> {
  return imageIds(tools.docker, units.map((unit) => unit.containers[0]!.image.reference))
}

interface Awaited {
  readonly need: Need
  readonly units: readonly Unit[]
  readonly chosen: ReadonlyMap<string, readonly Listed[]>
  readonly request: StartRequest
  readonly waiting: Waiting
}

/** Waits for what a dependency asks for. Past the limit it is said, and what waits is started all the same: it ran before. */
async function waitForNeed(tools: Tools, { need, units, chosen, request, waiting }: Awaited): Promise<Failure[]> {
  const target = units.find((unit) => unit.key === need.unit)
  const containers = chosen.get(need.unit) ?? []
  if (target === undefined || containers.length === 0 || need.condition === 'service_started') return []
  if (need.condition === 'service_healthy' && !target.containers.some((container) => container.health === 'healthy')) return []
  const begunAt = performance.now()
  for (;;) {
    if (need.condition === 'service_healthy' && containers.every((container) => waiting.heardHealthy(container.id))) return []
    const now = await inspectContainers(tools.docker, containers.map((container) => container.id))
    if (!now.ok) return [now.failure]
    const states = [...now.value.values()]
    if (need.condition === 'service_healthy' && states.every((container) => container.health === 'healthy' && isAlive(container))) return []
    if (need.condition === 'service_completed_successfully' && states.every((container) => !isAlive(container))) return []
    const dead = states.find((container) => !isAlive(container) && !restartsByItself(container))
    if (dead !== undefined) return [{ kind: 'failed', message: `${dead.name} ended with exit code ${dead.exitCode ?? 'unknown'} right after its start`, fix: `Look at docker logs ${dead.name}` }]
    const limitMs = healthWaitMs(states, request.healthTimeoutMs)
    if (need.condition === 'service_healthy' && states.every((container) => container.health === 'healthy' || !isCheckedWithin(container, limitMs))) {
      tools.log('warning', `${target.service} is not waited for: its health check has no verdict for longer than ${Math.round(limitMs / 1000)} s`, { service: target.service })
      return []
    }
    if (performance.now() - begunAt > limitMs) {
      return [{ kind: 'timed-out', message: `${target.service} did not become ${need.condition === 'service_healthy' ? 'healthy' : 'complete'} within ${Math.round(limitMs / 1000)} s`, fix: `Look at docker logs ${states[0]?.name ?? target.service}` }]
    }
    await waiting.change()
  }
}

function restartsByItself(container: ContainerState): boolean {
  return container.restartPolicy !== 'no'
}

/** All frozen ones at once, but for those that the user had paused: they were frozen together, so nothing waits for anything. */
async function unfreeze(tools: Tools, state: StackState, containers: readonly Listed[]): Promise<{ failures: readonly Failure[] }> {
  const wasPaused = new Set(state.projects.flatMap((project) => project.containers).filter((container) => container.condition === 'paused').map((container) => container.id))
  const frozen = containers.filter((container) => container.condition === 'paused' && !wasPaused.has(container.id))
  if (frozen.length === 0) return { failures: [] }
  const unfrozen = await withEach(frozen, (container) => unpauseContainer(tools.docker, container, { timeoutMs: startLimitMs }))
  return { failures: unfrozen.ok ? [] : [unfrozen.failure] }
}

/** For the sake of a `post_start` hook. Not if that would start more than ran; false when the containers still have to be started. */
async function startByCompose(tools: Tools, project: ProjectState, unit: Unit, { toStart, containers }: { toStart: readonly Listed[]; containers: readonly Listed[] }): Promise<boolean> {
  const startable = containers.filter((container) => container.project === unit.project && container.service === unit.service && !container.isOneOff && !isAlive(container))
  if (startable.some((container) => !toStart.includes(container))) return false
  const started = await askCompose(tools.docker, project, { what: `docker compose start of ${unit.service}`, args: ['start', '--', unit.service] }, { timeoutMs: startLimitMs })
  if (!started.ok) tools.log('warning', `${started.failure.message}; its containers are started without it`, { toolOutput: started.failure.toolOutput })
  return started.ok
}

async function bringUp(tools: Tools, container: { readonly id: string; readonly name: string }): Promise<Failure[]> {
  const started = await startContainer(tools.docker, container, { timeoutMs: startLimitMs })
  return started.ok ? [] : [{ ...started.failure, fix: started.failure.fix ?? `Start it by hand: docker start ${container.name}` }]
}

/** Starts a container whose networks were removed while it was stopped: they are made again, and it is connected to them as it was. */
async function bringUpAnew(tools: Tools, container: { readonly id: string; readonly name: string }, failures: readonly Failure[], make: () => Promise<Answer<void>>): Promise<readonly Failure[]> {
  const limits = { timeoutMs: startLimitMs }
  const lost = await lostNetworks(tools.docker, container, limits)
  if (!lost.ok || lost.value.length === 0) return failures
  const names = lost.value.map(({ name }) => name).join(', ')
  tools.log('warning', `the network ${names} of ${container.name} is gone: it is made again`, { container: container.name })
  if (lost.value.some(({ isMadeAgain }) => !isMadeAgain)) {
    const made = await make()
    if (!made.ok) return failures.map((failure) => ({ ...failure, message: `${failure.message}: the network ${names} was removed, and could not be made again: ${withReason(made.failure)}`, toolOutput: '', fix: `Make the network ${names}, then run: stackbk resume` }))
  }
  for (const network of lost.value) {
    const connected = await connectAgain(tools.docker, container, network, limits)
    if (!connected.ok) return [...failures, connected.failure]
  }
  return await bringUp(tools, container)
}

/** Has Compose make the networks of a project as its model says, at most once at a time. */
class NetworkMaker {
  readonly #tools: Tools
  readonly #state: StackState
  readonly #found: Found
  #last: Promise<Answer<void>> = Promise.resolve(done)

  constructor(tools: Tools, state: StackState, found: Found) {
    this.#tools = tools
    this.#state = state
    this.#found = found
  }

  make(project: ProjectState | undefined, unit: Unit): Promise<Answer<void>> {
    if (project === undefined || unit.containers.some((container) => container.isOneOff)) return Promise.resolve(failed({ kind: 'not-found', message: 'nothing says how' }))
    // With each of its containers there, Compose makes what else its services need, and no container.
    const making = this.#last.then(() => create(this.#tools, { state: this.#state, project, units: [unit], found: this.#found }))
    this.#last = making.catch(() => done)
    return making
  }
}

/** What the user had paused is paused again once all is up. */
async function pauseAgain(tools: Tools, units: readonly Unit[], chosen: ReadonlyMap<string, readonly Listed[]>): Promise<Failure[]> {
  const toPause = units.flatMap((unit) => {
    const count = unit.containers.filter((container) => container.condition === 'paused').length
    const containers = chosen.get(unit.key) ?? []
    const same = containers.filter((container) => unit.containers.some((one) => one.id === container.id && one.condition === 'paused'))
    const others = containers.filter((container) => !unit.containers.some((one) => one.id === container.id))
    return [...same, ...others].slice(0, count).filter((container) => container.condition !== 'paused')
  })
  if (toPause.length === 0) return []
  const paused = await withEach(toPause, (container) => pauseContainer(tools.docker, container, { timeoutMs: startLimitMs }))
  return paused.ok ? [] : [paused.failure]
}

/** At most so many at a time. */
class Slots {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(count: number) {
    this.#free = count
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
