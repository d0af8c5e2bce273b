import { answered } from '@stackbk/contract'
import type { Answer, ProviderContext, Runtime } from '@stackbk/contract'

import { isAlive } from './container.js'
import { copiedPaths } from './copied-content.js'
import { describeStack } from './describe.js'
import { createDocker } from './docker.js'
import { localSocket } from './endpoint.js'
import { EngineEvents } from './engine-events.js'
import { freeNetworks } from './free-networks.js'
import { inspectStacks } from './inspect.js'
import { startIsolated } from './isolated.js'
import { isolationNeeds } from './isolation-needs.js'
import { text } from './json.js'
import { Layers } from './layers.js'
import { listContainers } from './look.js'
import { Models } from './models.js'
import { writersAt } from './place-writers.js'
import { preflightStack } from './preflight.js'
import { ranDuring } from './ran-during.js'
import { engineInfo, examineTools, isReady } from './readiness.js'
import { canRebuild, rebuildStack } from './rebuild.js'
import { recallState } from './recall.js'
import { removeByLabel, removeVolumes } from './removal.js'
import { Removals } from './removals.js'
import { waitUntilSettled } from './settle.js'
import { HooksOfServices } from './service-hooks.js'
import { runInside } from './run-inside.js'
import { sourcesOf } from './sources.js'
import { startStack } from './start.js'
import { stopStack } from './stop.js'
import type { Tools } from './tools.js'
import { waitUntilUp } from './up.js'
import { type Places, placesOf, watchStack } from './watch.js'
import { Whereabouts } from './whereabouts.js'

/** The live runtime: one docker client, one stream of the engine's events, and what was learnt of the stacks on the way. */
export function createComposeRuntime(context: ProviderContext, requestedVariables: readonly string[] = []): Runtime {
  let socket: Promise<Answer<string>> | null = null
  const socketPath = async (): Promise<Answer<string>> => {
    socket ??= localSocket()
    const answer = await socket
    if (!answer.ok) socket = null
    return answer
  }
  const docker = createDocker(context.exec, requestedVariables, { socketPath, log: context.log })
  const models = new Models(docker)
  const tools: Tools = { docker, events: new EngineEvents(docker.engine), log: context.log, hooks: new HooksOfServices(models), graces: new Map(), whereabouts: new Whereabouts(), removals: new Removals(), layers: new Layers(docker), neighbours: new Map() }
  /** By folder: the sources last asked for, which know more than the containers do. */
  const places = new Map<string, Places>()

  return {
    ready: (options) => isReady(docker, options),
    examine: (options) => examineTools(docker, socketPath, options),
    async close() {
      await tools.removals.ended()
      tools.events.close()
      await docker.engine.close()
    },

    async identity(options) {
      const info = await engineInfo(docker, options)
      if (!info.ok) return info
      return answered({ id: text(info.value['ID']), version: text(info.value['ServerVersion']) })
    },

    async projectFolders(options) {
      const listed = await listContainers(docker, options)
      if (!listed.ok) return listed
      return answered([...new Set(listed.value.filter(({ project }) => project !== '').map(({ workingDirectory }) => workingDirectory).filter((folder) => folder !== ''))].sort())
    },

    async runningProjects(options) {
      const listed = await listContainers(docker, options)
      if (!listed.ok) return listed
      const running = listed.value.filter((container) => container.project !== '' && isAlive(container))
      return answered([...new Set(running.map(({ project }) => project))].sort().map((name) => {
        const own = running.filter(({ project }) => project === name)
        return { name, workingDirectory: own[0]!.workingDirectory, containers: own.map((container) => ({ id: container.id, name: container.name })) }
      }))
    },

    async inspect(directories, options) {
      await tools.removals.ended(directories)
      return inspectStacks(docker, directories, options, tools.whereabouts, (id) => tools.events.lastExitOf(id))
    },
    preflight: (state, options) => preflightStack(tools, models, state, options),
    async dataInContainers(state, options) {
      const containers = state.projects.flatMap((project) => project.containers).filter((container) => isAlive(container) && !container.isOneOff)
      const copied = await Promise.all(state.projects.map(async (project) => {
        const model = await models.resolved(project, options)
        return model.ok ? [...copiedPaths(model.value, project.containers)] : []
      }))
      const { data, unknown } = await tools.layers.dataIn(containers, new Map(copied.flat()), options)
      return answered([...data, ...unknown])
    },

    async sources(state, options) {
      const sources = await sourcesOf(tools, models, state, options)
      if (sources.ok) {
        const readable = sources.value.filter((source) => source.canBeRead)
        places.set(state.directory, { paths: readable.map((source) => source.path), volumes: sources.value.flatMap((source) => (source.volume === '' ? [] : [source.volume])) })
      }
      return sources
    },
    writersAt: (places, { except, ...options }) => writersAt(docker, places, except, options),

    stop: (state, request) => stopStack(tools, state, request),
    start: (state, request) => startStack(tools, state, request),
    waitUntilUp: (state, request) => waitUntilUp(tools, state, request),
    waitUntilSettled: (state, request) => waitUntilSettled(tools, state, request),
    watch: (state) => watchStack(tools, state, places.get(state.directory) ?? placesOf(state)),
    ranDuring: (state, reading, options) => ranDuring(tools, state, places.get(state.directory) ?? placesOf(state), reading, options),
    describe: (state, options) => describeStack(tools, models, state, options),
    recall: (capsule, options) => recallState(docker, capsule, options),
    removeVolumes: (names, options) => removeVolumes(docker, names, options),
    removeByLabel: (scratch, options) => removeByLabel(docker, scratch, options),
    removePart: (scratch, part, options) => removeByLabel(docker, scratch, { ...options, part }),
    isolationNeeds: (capsule, options) => isolationNeeds(docker, capsule, options),
    freeNetworks: (scratch, options) => freeNetworks(docker, scratch, options),

    canRebuild: (capsule, question) => canRebuild(tools, capsule, question),
    rebuild: (capsule, request) => rebuildStack(tools, capsule, request),
    startIsolated: (capsule, scratch, options) => startIsolated(tools, capsule, scratch, options),
    runInside: (containerId, argv, request) => runInside(docker, containerId, argv, request),
  }
}
