import { answered, done } from '@stackbk/contract'
import type { Answer, Capsule, CapsuleProject, ProjectState, RebuildReport, RebuildRequest, StackState } from '@stackbk/contract'

import { isAlive, readContainer, toState } from './container.js'
import type { DockerCall } from './docker.js'
import { type Json, list } from './json.js'
import { inspectContainers } from './look.js'
import { makeNetwork } from './rebuild-networks.js'
import { createContainers, creationLimitMs } from './recreate-containers.js'
import { startMade } from './start-made.js'
import type { Tools } from './tools.js'

/** Returns whether the capsule says how the engine itself has made the containers, so that no model is needed. */
export function tellsOfContainers({ projects }: Capsule): boolean {
  return projects.some(({ containers }) => containers !== undefined)
}

/**
 * Makes the very containers again that a capsule describes as the engine did: by the same names, of the same images, with their
 * settings, labels, networks and volumes, the anonymous ones too, which have to be there still. Then starts those that ran and
 * waits for them. For a stack whose compose files did not resolve when its containers were removed: Compose could not make them.
 */
export async function makeSameContainers(tools: Tools, capsule: Capsule, request: Pick<RebuildRequest, 'directory' | 'noStart' | 'healthTimeoutMs' | 'signal'>): Promise<Answer<RebuildReport>> {
  const call: DockerCall = { signal: request.signal, timeoutMs: creationLimitMs }
  const networks = await makeLostNetworks(tools, capsule, call)
  if (!networks.ok) return networks
  const made = await createContainers(tools, { containers: capsule.projects.flatMap(containersIn), engineVersion: capsule.engine.version }, call)
  if (!made.ok) return made
  const state = await stateToStart(tools, capsule, { directory: request.directory, made: made.value }, call)
  if (!state.ok) return state
  const whole = { unprovenImages: [], losses: [] }
  if (request.noStart) return answered({ isUp: false, missing: [], completed: [], ...whole })
  for (const project of state.value.projects) tools.hooks.forget(project)
  const up = await startMade(tools, state.value, request)
  return up.ok ? answered({ ...up.value, ...whole }) : up
}

function containersIn({ containers }: CapsuleProject): readonly Json[] {
  return list(containers)
}

/** Makes the networks again that are gone, with their own addresses. */
async function makeLostNetworks(tools: Tools, { projects }: Capsule, call: DockerCall): Promise<Answer<void>> {
  const recorded = new Map(projects.flatMap(({ networks }) => networks).map((network) => [network.name, network]))
  const present = await tools.docker.inspect('network', [...recorded.keys()], call)
  if (!present.ok) return present
  for (const name of present.value.missing) {
    const made = await makeNetwork(tools.docker, recorded.get(name)!, call)
    if (!made.ok) return made
  }
  return done
}

/** What was made, described as it ran before. */
async function stateToStart(tools: Tools, { projects }: Capsule, { directory, made }: { readonly directory: string; readonly made: ReadonlyMap<string, string> }, call: DockerCall): Promise<Answer<StackState>> {
  const takenAt = new Date().toISOString()
  const present = await inspectContainers(tools.docker, [...made.values()], call)
  if (!present.ok) return present
  const states = projects.map((project): ProjectState => {
    const { name, workingDirectory, configFiles, environmentFiles } = project
    const containers = containersIn(project).flatMap((description) => {
      const was = readContainer(description)
      const now = present.value.get(made.get(was.id) ?? '')
      return now === undefined ? [] : [isAlive(was) ? { ...toState(now), condition: was.condition, health: was.health } : toState(now)]
    })
    return { name, workingDirectory, configFiles, environmentFiles, containers }
  })
  return answered({ schemaVersion: 1, directory, condition: 'running', failure: null, projects: states, dependents: [], takenAt })
}
