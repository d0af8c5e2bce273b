import { answered, failed } from '@stackbk/contract'
import type { Answer, ProviderContext, Runtime } from '@stackbk/contract'

import { isAlive } from './container.js'
import { describeStack } from './describe.js'
import { createDocker } from './docker.js'
import { localSocket } from './endpoint.js'
import { EngineEvents } from './engine-events.js'
import { inspectStacks } from './inspect.js'
import { startIsolated } from './isolated.js'
import { listContainers } from './look.js'
import { Models } from './models.js'
import { preflightStack } from './preflight.js'
import { examineTools, isReady } from './readiness.js'
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
  const docker = createDocker(context.exec, requestedVariables)
  let socket: Promise<Answer<string>> | null = null
  const socketPath = async (): Promise<Answer<string>> => {
    socket ??= localSocket(docker)
    const answer = await socket
    if (!answer.ok) socket = null
    return answer
  }
  const models = new Models(docker)
  const tools: Tools = { docker, events: new EngineEvents(socketPath), log: context.log, hooks: new HooksOfServices(models), graces: new Map(), whereabouts: new Whereabouts(), removals: new Removals() }
  /** By folder: the sources last asked for, which know more than the containers do. */
  const places = new Map<string, Places>()

  return {
    ready: (options) => isReady(docker, options),
    examine: (options) => examineTools(docker, socketPath, options),
    async close() {
      await tools.removals.ended()
      tools.events.close()
    },

    async identity(options) {
      const local = await socketPath()
      if (!local.ok) return local
      const printed = await docker.ask('docker info', ['info', '--format', '{{.ID}} {{.ServerVersion}}'], options)
      if (!printed.ok) return printed
      const [id = '', version = ''] = printed.value.trim().split(' ')
      if (id === '' || version === '') return failed({ kind: 'tool-not-answering', message: 'The Docker engine did not say who it is', fix: 'See whether it answers: docker info' })
      return answered({ id, version })
    },

    async projectFolders(options) {
      const printed = await docker.ask('docker ps', ['ps', '--all', '--filter', 'label=com.docker.compose.project', '--format', '{{.Label "com.docker.compose.project.working_dir"}}'], options)
      if (!printed.ok) return printed
      return answered([...new Set(printed.value.split('\n').filter((line) => line !== ''))].sort())
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
      return inspectStacks(docker, directories, options, tools.whereabouts)
    },
    preflight: (state, options) => preflightStack(tools, models, state, options),

    async sources(state, options) {
      const sources = await sourcesOf(tools, models, state, options)
      if (sources.ok) {
        const readable = sources.value.filter((source) => source.canBeRead)
        places.set(state.directory, { paths: readable.map((source) => source.path), volumes: sources.value.flatMap((source) => (source.volume === '' ? [] : [source.volume])) })
      }
      return sources
    },

    stop: (state, request) => stopStack(tools, state, request),
    start: (state, request) => startStack(tools, state, request),
    waitUntilUp: (state, request) => waitUntilUp(tools, state, request),
    waitUntilSettled: (state, request) => waitUntilSettled(tools, state, request),
    watch: (state) => watchStack(tools, state, places.get(state.directory) ?? placesOf(state)),
    describe: (state, options) => describeStack(tools, models, state, options),
    recall: (capsule, options) => recallState(docker, capsule, options),
    removeVolumes: (names, options) => removeVolumes(docker, names, options),
    removeByLabel: (scratch, options) => removeByLabel(docker, scratch, options),

    canRebuild: (capsule, question) => canRebuild(tools, capsule, question),
    rebuild: (capsule, request) => rebuildStack(tools, capsule, request),
    startIsolated: (capsule, scratch, options) => startIsolated(tools, capsule, scratch, options),
    runInside: (containerId, argv, request) => runInside(docker, containerId, argv, request),
  }
}
