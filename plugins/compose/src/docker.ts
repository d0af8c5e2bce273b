import { answered, failed } from '@stackbk/contract'
import type { Answer, Exec, Failure, Log, ToolResult } from '@stackbk/contract'

import { fixForNoFreePool } from './address-pools.js'
import { findComposePlugin } from './compose-command.js'
import { Confidential, withoutQuotedValues } from './confidential.js'
import { localSocket } from './endpoint.js'
import { type CallLimits, createEngine, type Engine, type EngineResponse, limitsOf, pathOf, questionLimitMs } from './engine.js'
import { composeEnvironment, environmentChanges } from './environment.js'
import { HostListing } from './host-listing.js'

export interface DockerCall extends CallLimits {
  readonly input?: string
  readonly cwd?: string
  /** Called for each line of the error stream, also of a call that succeeds. */
  readonly onErrorLine?: (line: string) => void
}

/** The engine by its API, and the docker command line for what only Compose and registries' credentials need. */
export interface Docker {
  readonly engine: Engine
  /** Lists all containers of the host as they are at this moment. Those who ask at nearly the same time share one answer. */
  listHost(call?: CallLimits): Promise<Answer<EngineResponse>>
  /** Runs the command line and returns what it printed; a failure unless it exited with 0. `what` names the call in the failure's sentence. */
  ask(what: string, args: readonly string[], call?: DockerCall): Promise<Answer<string>>
  /** Returns the engine's descriptions of those of the named things that exist, in the order of the names, and the names of the others. */
  inspect(kind: Inspectable, names: readonly string[], call?: CallLimits): Promise<Answer<Inspected>>
  /** The environment of stacks, taken out of what docker says wherever it speaks to people. */
  readonly confidential: Confidential
  /** The variables that Compose sees besides those of a stack's own files. */
  readonly environment: Readonly<Record<string, string>>
}

export type Inspectable = 'container' | 'image' | 'volume' | 'network'

export interface Inspected {
  readonly found: readonly unknown[]
  /** The same by the name that was asked for. */
  readonly byName: ReadonlyMap<string, unknown>
  readonly missing: readonly string[]
}

/** Questions about single things that are asked at the same time. */
const questionsAtATime = 8

export interface DockerOptions {
  readonly socketPath?: () => Promise<Answer<string>>
  readonly log?: Log
  readonly findPlugin?: () => Promise<string | null>
}

/** @param requestedVariables names from COMPOSE_ENV, which Compose gets too */
export function createDocker(exec: Exec, requestedVariables: readonly string[] = [], { socketPath = localSocket, log = () => {}, findPlugin = findComposePlugin }: DockerOptions = {}): Docker {
  const confidential = new Confidential()
  const plain = createEngine({ socketPath, confidential, log })
  const listing = new HostListing(plain)
  const engine: Engine = {
    request: (call) => ((call.method ?? 'GET') === 'GET' ? plain.request(call) : listing.changing(() => plain.request(call))),
    stream: (call) => plain.stream(call),
    close: () => plain.close(),
  }
  let composePlugin: Promise<string | null> | null = null

  return {
    confidential,
    engine,
    listHost: (call = {}) => listing.ask(call),
    environment: composeEnvironment(process.env, requestedVariables),

    async ask(what, args, call = {}) {
      const hideQuoted = withoutQuotedValues()
      // Compose reads `.env` of the folder it is called in, and looks there for a compose file: `/` has neither. What is asked
      // about a project is called in that project's folder.
      const cwd = call.cwd ?? '/'
      const plugin = args[0] === 'compose' ? await (composePlugin ??= findPlugin()) : null
      const result = await listing.changing(() => exec.run({
        ...(plugin === null ? { file: 'docker', args } : { file: plugin, args: args.slice(1) }),
        env: environmentChanges(process.env, requestedVariables, cwd),
        hideIn: (line) => confidential.hideIn(hideQuoted(line)),
        timeoutMs: call.timeoutMs ?? questionLimitMs,
        ...(call.signal === undefined ? {} : { signal: call.signal }),
        ...(call.input === undefined ? {} : { input: call.input }),
        ...(call.onErrorLine === undefined ? {} : { onStderrLine: call.onErrorLine }),
        cwd,
      }))
      const failure = failureOf(what, result)
      return failure === null ? answered(result.stdout) : failed(failure)
    },

    async inspect(kind, names, call = {}) {
      const byName = new Map<string, unknown>()
      const missing: string[] = []
      for (let at = 0; at < names.length; at += questionsAtATime) {
        const some = names.slice(at, at + questionsAtATime)
        const answers = await Promise.all(some.map((name) => describe(engine, kind, name, call)))
        for (const [index, answer] of answers.entries()) {
          if (!answer.ok) return answer
          if (answer.value === null) missing.push(some[index]!)
          else byName.set(some[index]!, answer.value)
        }
      }
      const found = [...byName.values()]
      if (kind === 'container') found.forEach((container) => confidential.learnContainer(container))
      return answered({ found, byName, missing })
    },
  }
}

/** Returns the engine's description; `null` where there is no such thing. */
async function describe(engine: Engine, kind: Inspectable, name: string, limits: CallLimits): Promise<Answer<unknown>> {
  // The engine would take such a name for another path of its API.
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..')) return answered(null)
  const path = kind === 'volume' || kind === 'network' ? pathOf(`${kind}s`, name) : pathOf(`${kind}s`, name, 'json')
  const answer = await engine.request({ ...limitsOf(limits), what: `docker ${kind} inspect`, path, accepts: [404], isLogged: false })
  if (!answer.ok) return answer
  return answered(answer.value.status === 404 ? null : answer.value.body)
}

/** The last five lines that a tool said. */
export function lastWords(text: string): string {
  return text.split('\n').map((line) => line.trimEnd()).filter((line) => line !== '').slice(-5).join('\n')
}

/** What became of a docker call, as a failure; `null` for exit code 0. What it printed never decides. */
function failureOf(what: string, result: ToolResult): Failure | null {
  const toolOutput = lastWords(result.stderr)
  switch (result.outcome) {
    case 'not-started':
      return {
        kind: 'tool-missing',
        message: 'The docker client could not be started',
        toolOutput: result.startError ?? '',
        fix: 'Install Docker with its Compose plugin, and see that docker is in PATH',
      }
    case 'cancelled':
      return { kind: 'cancelled', message: `${what} was cancelled`, toolOutput }
    case 'timed-out':
      return { kind: 'tool-not-answering', message: `${what} did not end within its time limit`, toolOutput, fix: 'See whether the Docker engine answers: docker info' }
    case 'stalled':
      return { kind: 'stalled', message: `${what} stalled`, toolOutput }
    case 'exited': {
      if (result.exitCode === 0) return null
      if (isEngineAway(result.stderr)) {
        return { kind: 'tool-not-answering', message: `The Docker engine did not answer ${what}`, toolOutput, fix: 'Start the Docker engine, and see that this user may use its socket: docker info' }
      }
      return { kind: 'failed', message: `${what} failed with exit code ${result.exitCode ?? `none (${result.endedBySignal ?? 'no signal'})`}`, toolOutput, ...fixForNoFreePool(toolOutput) }
    }
  }
}

function isEngineAway(stderr: string): boolean {
  return /cannot connect to the docker daemon|is the docker daemon running|permission denied while trying to connect|error during connect|dial unix|failed to connect to the docker api/i.test(stderr)
}
