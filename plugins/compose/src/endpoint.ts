import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

import { answered, failed } from '@stackbk/contract'
import type { Answer } from '@stackbk/contract'

import { type Json, record, text } from './json.js'

const defaultSocket = '/var/run/docker.sock'

/** A home folder on a file system that does not answer must not hold up a run. */
const readLimitMs = 10_000

/** Where the docker client looks for its configuration. */
export interface EndpointSources {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly home: string
}

/**
 * Returns the path of the engine's socket as the docker client would find it: `DOCKER_HOST`, then the context of `DOCKER_CONTEXT`
 * or of the client's configuration, then the default. An engine that is reached in any other way runs, or may run, on another
 * host, where the files of its stacks are: that is refused.
 */
export async function localSocket(sources: EndpointSources = { environment: process.env, home: homedir() }): Promise<Answer<string>> {
  const { environment, home } = sources
  const given = environment['DOCKER_HOST'] ?? ''
  if (given !== '') return socketOf(given, 'Run stackbk where the engine runs, or unset DOCKER_HOST')
  const { folder, content } = await clientConfiguration({ environment, home })
  const chosen = environment['DOCKER_CONTEXT'] ?? ''
  if (chosen === '' && !content.ok) return content
  const context = chosen === '' && content.ok ? text(content.value['currentContext']) : chosen
  if (context === '' || context === 'default') return answered(defaultSocket)
  const endpoint = await endpointOf(folder, context)
  return endpoint.ok ? socketOf(endpoint.value, 'Run stackbk where the engine runs, or choose a local context with docker context use') : endpoint
}

function socketOf(endpoint: string, fix: string): Answer<string> {
  if (endpoint === 'unix://') return answered(defaultSocket)
  const path = /^unix:\/\/(\/.+)$/.exec(endpoint)?.[1]
  if (path !== undefined) return answered(path)
  return failed({ kind: 'configuration', message: `The Docker engine is at ${withoutPassword(endpoint)}, which is not a socket of this host`, fix })
}

/** Returns the docker client's folder and its configuration. Like that client, it takes one that it cannot read for empty. */
export async function clientConfiguration({ environment, home }: EndpointSources): Promise<{ readonly folder: string; readonly content: Answer<Json> }> {
  const given = environment['DOCKER_CONFIG'] ?? ''
  const folder = given === '' ? join(home, '.docker') : given
  const content = await readWithin(join(folder, 'config.json'))
  return { folder, content: content.ok ? answered(record(parsed(content.value))) : content }
}

/** The docker client keeps each context in a folder that is named by the SHA-256 of the context's name. */
async function endpointOf(folder: string, name: string): Promise<Answer<string>> {
  const file = join(folder, 'contexts', 'meta', createHash('sha256').update(name).digest('hex'), 'meta.json')
  const content = await readWithin(file)
  if (!content.ok) return content
  const host = text(record(record(record(parsed(content.value))['Endpoints'])['docker'])['Host'])
  if (content.value !== '') return answered(host === '' ? `unix://${defaultSocket}` : host)
  return failed({ kind: 'configuration', message: `The docker context ${name} does not exist`, fix: 'Choose one of docker context ls with docker context use, or unset DOCKER_CONTEXT' })
}

/** Returns the file's content, empty if it cannot be read; fails if the file system does not answer. */
async function readWithin(file: string): Promise<Answer<string>> {
  const limit = new AbortController()
  try {
    const content = await Promise.race([readFile(file, 'utf8').catch(() => ''), wait(readLimitMs, null, { signal: limit.signal, ref: false })])
    if (content !== null) return answered(content)
    return failed({ kind: 'tool-not-answering', message: `${file} could not be read within ${readLimitMs / 1000} s`, fix: 'See whether the file system of this file answers, or set DOCKER_HOST' })
  } finally {
    limit.abort()
  }
}

function parsed(written: string): unknown {
  try {
    return JSON.parse(written)
  } catch {
    return null
  }
}

function withoutPassword(endpoint: string): string {
  return endpoint.replace(/\/\/([^/@:]*):[^/@]*@/, '//$1:********@')
}
