import { answered, failed } from '@stackbk/contract'
import type { Answer, Exec, Failure, ToolResult } from '@stackbk/contract'

import { Confidential, withoutQuotedValues } from './confidential.js'
import { composeEnvironment, environmentChanges } from './environment.js'

export interface DockerCall {
  readonly signal?: AbortSignal | undefined
  /** Default: {@link questionLimitMs}. */
  readonly timeoutMs?: number
  readonly input?: string
  readonly cwd?: string
  /** Called for each line of the error stream, also of a call that succeeds. */
  readonly onErrorLine?: (line: string) => void
}

/** The docker client, and Compose as its plugin. */
export interface Docker {
  /** What the call printed; a failure unless it exited with 0. `what` names the call in the failure's sentence. */
  ask(what: string, args: readonly string[], call?: DockerCall): Promise<Answer<string>>
  /**
   * A JSON value a line for those of the named things that exist, and the names of those that do not. Docker prints what
   * it found and exits with 1 when one is missing; any other trouble fails the whole.
   */
  inspect(kind: Inspectable, names: readonly string[], call?: DockerCall): Promise<Answer<Inspected>>
  /** A call whose exit code means something of its own. Fails only where docker could not be run to its end. */
  attempt(what: string, args: readonly string[], call?: DockerCall): Promise<Answer<ToolResult>>
  /** The environment of stacks, taken out of what docker says wherever it speaks to people. */
  readonly confidential: Confidential
  /** The variables that Compose sees besides those of a stack's own files. */
  readonly environment: Readonly<Record<string, string>>
}

export type Inspectable = 'container' | 'image' | 'volume' | 'network'

export interface Inspected {
  readonly found: readonly unknown[]
  readonly missing: readonly string[]
}

/** An engine that has not answered a question by then does not answer. Commands that stop or start bring a limit of their own. */
export const questionLimitMs = 60_000

/** @param requestedVariables names from COMPOSE_ENV, which Compose gets too */
export function createDocker(exec: Exec, requestedVariables: readonly string[] = []): Docker {
  const confidential = new Confidential()
  const run = (args: readonly string[], call: DockerCall, hideIn?: (line: string) => string): Promise<ToolResult> => {
    // Compose reads `.env` of the folder it is called in, and looks there for a compose file: `/` has neither. What is asked
    // about a project is called in that project's folder.
    const cwd = call.cwd ?? '/'
    return exec.run({
      file: 'docker',
      args,
      env: environmentChanges(process.env, requestedVariables, cwd),
      ...(hideIn === undefined ? {} : { hideIn }),
      timeoutMs: call.timeoutMs ?? questionLimitMs,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
      ...(call.input === undefined ? {} : { input: call.input }),
      ...(call.onErrorLine === undefined ? {} : { onStderrLine: call.onErrorLine }),
      cwd,
    })
  }

  return {
    confidential,
    environment: composeEnvironment(process.env, requestedVariables),

    async ask(what, args, call = {}) {
      const hideQuoted = withoutQuotedValues()
      const result = await run(args, call, (line) => confidential.hideIn(hideQuoted(line)))
      const failure = failureOf(what, result)
      return failure === null ? answered(result.stdout) : failed(failure)
    },

    async attempt(what, args, call = {}) {
      const result = await run(args, call, (line) => confidential.hideIn(line))
      const failure = result.outcome === 'exited' || result.outcome === 'timed-out' ? null : failureOf(what, result)
      return failure === null ? answered(result) : failed(failure)
    },

    async inspect(kind, names, call = {}) {
      if (names.length === 0) return answered({ found: [], missing: [] })
      // Its errors hold names and nothing else, and are read by us.
      const result = await run([kind, 'inspect', '--format', '{{json .}}', '--', ...names], call)
      const missing = missingNames(result.stderr)
      const failure = failureOf(`docker ${kind} inspect`, result)
      if (failure !== null && (result.outcome !== 'exited' || missing === null)) return failed(failure)
      const found = jsonLines(result.stdout)
      if (found === null) return failed({ kind: 'failed', message: `docker ${kind} inspect printed what is no JSON`, toolOutput: lastWords(result.stdout) })
      if (kind === 'container') found.forEach((container) => confidential.learnContainer(container))
      return answered({ found, missing: missing ?? [] })
    },
  }
}

/** `null` when the errors speak of anything else than things that do not exist. */
function missingNames(stderr: string): string[] | null {
  const names: string[] = []
  for (const line of stderr.split('\n')) {
    if (line.trim() === '') continue
    const name = /No such (?:object|container|image|volume|network): (.+)$/i.exec(line)?.[1]
      ?? /get (.+): no such volume$/i.exec(line)?.[1]
      ?? /network (.+) not found$/i.exec(line)?.[1]
    if (name !== undefined) names.push(name.trim())
    else if (!/^(?:WARNING|time=.*level=warning)/.test(line)) return null
  }
  return names
}

/** One JSON value a line; `null` when one is none. */
export function jsonLines(text: string): unknown[] | null {
  const values: unknown[] = []
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    try {
      values.push(JSON.parse(line))
    } catch {
      return null
    }
  }
  return values
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
      return { kind: 'failed', message: `${what} failed with exit code ${result.exitCode ?? `none (${result.endedBySignal ?? 'no signal'})`}`, toolOutput }
    }
  }
}

function isEngineAway(stderr: string): boolean {
  return /cannot connect to the docker daemon|is the docker daemon running|permission denied while trying to connect|error during connect|dial unix|failed to connect to the docker api/i.test(stderr)
}
