import { answered, failed } from '@stackbk/contract'
import type { Answer } from '@stackbk/contract'

import type { Docker, DockerCall } from './docker.js'

/**
 * The path of the engine's socket. An engine that is reached in any other way runs, or may run, on another host, where the
 * files of its stacks are: that is refused.
 */
export async function localSocket(docker: Docker, call: DockerCall = {}): Promise<Answer<string>> {
  const given = process.env['DOCKER_HOST']
  let endpoint = given ?? ''
  if (endpoint === '') {
    const printed = await docker.ask('docker context inspect', ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'], call)
    if (!printed.ok) return printed
    endpoint = printed.value.trim()
  }
  const path = /^unix:\/\/(\/.+)$/.exec(endpoint)?.[1]
  if (path !== undefined) return answered(path)
  return failed({
    kind: 'configuration',
    message: `The Docker engine is at ${withoutPassword(endpoint)}, which is not a socket of this host`,
    fix: given === undefined ? 'Run stackbk where the engine runs, or choose a local context with docker context use' : 'Run stackbk where the engine runs, or unset DOCKER_HOST',
  })
}

function withoutPassword(endpoint: string): string {
  return endpoint.replace(/\/\/([^/@:]*):[^/@]*@/, '//$1:********@')
}
