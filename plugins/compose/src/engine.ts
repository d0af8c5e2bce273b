import type { Readable } from 'node:stream'

import { answered, failed } from '@stackbk/contract'
import type { Answer, Failure, Log } from '@stackbk/contract'
import type { Client, Dispatcher, Pool } from 'undici'

import { fixForNoFreePool } from './address-pools.js'
import type { Confidential } from './confidential.js'
import { record, text } from './json.js'

/** An engine that has not answered a question by then does not answer. Calls that stop or start bring a limit of their own. */
export const questionLimitMs = 60_000

/** The newest version of the API that this program was written for. An older engine is spoken to in its own version. */
const newestVersion = '1.51'

/** Node fires a longer timer at once. */
const longestTimerMs = 2 ** 31 - 1

export interface CallLimits {
  readonly signal?: AbortSignal | undefined
  /** Default: {@link questionLimitMs}. */
  readonly timeoutMs?: number
}

/** Returns the limits alone of what may hold more. */
export function limitsOf({ signal, timeoutMs }: CallLimits): CallLimits {
  return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
}

export interface EngineCall extends CallLimits {
  /** Names the call in the sentence of a failure, such as `docker stop of web`. */
  readonly what: string
  readonly method?: 'GET' | 'POST' | 'DELETE'
  /** Without the API version; see {@link pathOf}. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** False for what is asked many times: a line of the log only if it fails. */
  readonly isLogged?: boolean
  /** Status codes outside of 200 to 299 that are an answer and no failure. */
  readonly accepts?: readonly number[]
}

export interface EngineResponse {
  readonly status: number
  /** The parsed JSON; `null` where the engine sent no body. */
  readonly body: unknown
}

/** A response that goes on, on a connection of its own. */
export interface EngineStream {
  readonly body: Readable
  /** Lets the program end although the stream is open. */
  readonly unref: () => void
  readonly close: () => void
}

/** The Docker Engine API over its local socket. */
export interface Engine {
  request(call: EngineCall): Promise<Answer<EngineResponse>>
  /** The limit holds until the response's headers are there; the signal and `close` end the stream. */
  stream(call: EngineCall): Promise<Answer<EngineStream>>
  close(): Promise<void>
}

/** Returns the path of these segments, each encoded. */
export function pathOf(...segments: readonly string[]): string {
  return segments.map((segment) => `/${segment.split('/').map(encodeURIComponent).join('/')}`).join('')
}

/** Returns the path with a star for the thing that it is about, so that equal calls have equal words in the log. */
function withoutNames(path: string): string {
  const [, kind = '', name = '', ...rest] = path.split('/')
  return ['', 'json', 'create'].includes(name) ? path : ['', kind, '*', ...rest.slice(-1)].join('/')
}

/** Returns the engine's way to write a filter in a query. */
export function filtersOf(filters: Readonly<Record<string, readonly string[]>>): { readonly filters: string } {
  return { filters: JSON.stringify(filters) }
}

export function createEngine(options: { readonly socketPath: () => Promise<Answer<string>>; readonly confidential: Confidential; readonly log: Log }): Engine {
  return new SocketEngine(options)
}

/** One pool of connections that are kept open between calls. It holds as many as there are calls at a time: a stop that waits for its grace blocks no question. */
class SocketEngine implements Engine {
  readonly #socketPath: () => Promise<Answer<string>>
  readonly #confidential: Confidential
  readonly #log: Log
  #connection: Promise<Answer<Connection>> | null = null
  readonly #closing = new AbortController()
  readonly #streams = new Set<Client>()

  constructor({ socketPath, confidential, log }: { readonly socketPath: () => Promise<Answer<string>>; readonly confidential: Confidential; readonly log: Log }) {
    this.#socketPath = socketPath
    this.#confidential = confidential
    this.#log = log
  }

  async request(call: EngineCall): Promise<Answer<EngineResponse>> {
    const begunAt = performance.now()
    const limit = new Limit(call)
    try {
      const answer = await this.#requestWithin(call, limit)
      if (!answer.ok || call.isLogged !== false) this.#log('debug', `engine: ${call.method ?? 'GET'} ${withoutNames(call.path)}`, { path: call.path, ms: Math.round(performance.now() - begunAt), ...(answer.ok ? { status: answer.value.status } : { outcome: answer.failure.kind, reason: answer.failure.toolOutput || answer.failure.message }) })
      return answer
    } finally {
      limit.end()
    }
  }

  async #requestWithin(call: EngineCall, limit: Limit): Promise<Answer<EngineResponse>> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const connection = await limit.before(this.#connected())
        if (!connection.ok) return limit.reason === null ? connection : failed(limit.failureOf(call.what))
        const { pool, prefix } = connection.value
        const response = await pool.request({ ...requestOf(call, prefix), signal: limit.signal })
        const written = await response.body.text()
        if (isGood(response.statusCode, call)) return answered({ status: response.statusCode, body: written === '' ? null : (JSON.parse(written) as unknown) })
        return failed(this.#refusal(call.what, response.statusCode, written))
      } catch (error) {
        // The engine may close a connection that was kept open at the moment when it is used again.
        if (attempt === 1 && limit.reason === null && (call.method ?? 'GET') === 'GET' && wasClosed(error)) continue
        return failed(this.#failureOf(call.what, error, limit))
      }
    }
  }

  async stream(call: EngineCall): Promise<Answer<EngineStream>> {
    const limit = new Limit(call)
    let client: Client | null = null
    const close = (): void => {
      if (client === null) return
      this.#streams.delete(client)
      void client.destroy().catch(() => {})
    }
    try {
      const connection = await limit.before(this.#connected())
      if (!connection.ok) return limit.reason === null ? connection : failed(limit.failureOf(call.what))
      const { Client: OwnClient, socketPath, prefix } = connection.value
      const { connect } = await import('node:net')
      const socket = connect(socketPath)
      client = new OwnClient('http://docker', {
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: (_options, done) => {
          socket.once('connect', () => done(null, socket)).once('error', (error) => done(error, null))
        },
      })
      this.#streams.add(client)
      const response = await client.request({ ...requestOf(call, prefix), signal: limit.signal })
      if (!isGood(response.statusCode, call)) {
        const written = await response.body.text()
        close()
        return failed(this.#refusal(call.what, response.statusCode, written))
      }
      // What ends a stream is the reader's business from here on.
      limit.endTimer()
      response.body.on('close', () => {
        limit.end()
        close()
      })
      return answered({ body: response.body, unref: () => socket.unref(), close })
    } catch (error) {
      const failure = this.#failureOf(call.what, error, limit)
      limit.end()
      close()
      return failed(failure)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    const connection = await this.#connection
    await Promise.all([...this.#streams].map((client) => client.destroy()))
    if (connection?.ok === true) await connection.value.pool.destroy()
    this.#connection = null
  }

  /** Connects and agrees on a version, once. A failure is not kept: the engine may come back. */
  #connected(): Promise<Answer<Connection>> {
    if (this.#connection !== null) return this.#connection
    const connection = this.#connect().catch((error: unknown): Answer<never> => failed(notAnswering('the first call', error)))
    this.#connection = connection
    void connection.then((answer) => {
      if (!answer.ok && this.#connection === connection) this.#connection = null
    })
    return connection
  }

  async #connect(): Promise<Answer<Connection>> {
    const socketPath = await this.#socketPath()
    if (!socketPath.ok) return socketPath
    const { Client: OwnClient, Pool: OwnPool } = await import('undici')
    // Every call has a limit of its own.
    const pool = new OwnPool('http://docker', { socketPath: socketPath.value, headersTimeout: 0, bodyTimeout: 0 })
    try {
      const response = await pool.request({ path: '/_ping', method: 'GET', signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(questionLimitMs)]) })
      await response.body.dump()
      const offered = response.headers['api-version']
      return answered({ Client: OwnClient, pool, socketPath: socketPath.value, prefix: versionPrefix(typeof offered === 'string' ? offered : '') })
    } catch (error) {
      await pool.destroy()
      const isLate = error instanceof Error && error.name === 'TimeoutError'
      return failed(isLate ? late('the first call') : notAnswering('the first call', error))
    }
  }

  #failureOf(what: string, error: unknown, limit: Limit): Failure {
    if (limit.reason !== null) return limit.failureOf(what)
    if (error instanceof SyntaxError) return { kind: 'failed', message: `The Docker engine answered ${what} with something that is no JSON` }
    return notAnswering(what, error)
  }

  #refusal(what: string, status: number, written: string): Failure {
    let said = written
    try {
      said = text(record(JSON.parse(written))['message']) || written
    } catch {
      // A proxy in between, or a very old engine, answers in plain text.
    }
    const toolOutput = said.split('\n').map((line) => this.#confidential.hideIn(line.trimEnd())).filter((line) => line !== '').slice(-5).join('\n')
    return { kind: 'failed', message: `${what} failed`, toolOutput: toolOutput === '' ? `HTTP status ${status}` : toolOutput, ...fixForNoFreePool(toolOutput) }
  }
}

interface Connection {
  readonly Client: typeof Client
  readonly pool: Pool
  readonly socketPath: string
  /** `/v1.45`, or empty for an engine that names no version. */
  readonly prefix: string
}

function requestOf(call: EngineCall, prefix: string): Dispatcher.RequestOptions & { path: string; method: Dispatcher.HttpMethod } {
  const query = new URLSearchParams(call.query).toString()
  return {
    path: `${prefix}${call.path}${query === '' ? '' : `?${query}`}`,
    method: call.method ?? 'GET',
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body), headers: { 'content-type': 'application/json' } }),
  }
}

/** Like the docker client, `DOCKER_API_VERSION` decides where it is set. */
function versionPrefix(offered: string): string {
  const forced = process.env['DOCKER_API_VERSION'] ?? ''
  if (/^\d+\.\d+$/.test(forced)) return `/v${forced}`
  if (!/^\d+\.\d+$/.test(offered)) return ''
  const [major = 0, minor = 0] = offered.split('.').map(Number)
  const [ourMajor = 0, ourMinor = 0] = newestVersion.split('.').map(Number)
  return `/v${major < ourMajor || (major === ourMajor && minor < ourMinor) ? offered : newestVersion}`
}

function isGood(status: number, call: EngineCall): boolean {
  return (status >= 200 && status < 300) || call.accepts?.includes(status) === true
}

/** The signal and the time limit of one call. */
class Limit {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #outer: AbortSignal | undefined
  readonly #onAbort = (): void => this.#stop('cancelled')
  reason: 'cancelled' | 'late' | null = null

  constructor({ signal, timeoutMs }: CallLimits) {
    this.#outer = signal
    this.#timer = setTimeout(() => this.#stop('late'), Math.min(timeoutMs ?? questionLimitMs, longestTimerMs))
    if (signal?.aborted === true) this.#stop('cancelled')
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Waits for something that cannot be aborted itself. */
  async before<T>(work: Promise<T>): Promise<T> {
    const { signal } = this
    signal.throwIfAborted()
    let onAbort = (): void => {}
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(new Error('aborted'))
      signal.addEventListener('abort', onAbort, { once: true })
    })
    try {
      return await Promise.race([work, aborted])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  failureOf(what: string): Failure {
    return this.reason === 'late' ? late(what) : { kind: 'cancelled', message: `${what} was cancelled` }
  }

  endTimer(): void {
    clearTimeout(this.#timer)
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#outer?.removeEventListener('abort', this.#onAbort)
  }

  #stop(reason: 'cancelled' | 'late'): void {
    this.reason ??= reason
    this.#controller.abort()
  }
}

function late(what: string): Failure {
  return { kind: 'tool-not-answering', message: `${what} did not end within its time limit`, fix: 'See whether the Docker engine answers: docker info' }
}

function notAnswering(what: string, error: unknown): Failure {
  return {
    kind: 'tool-not-answering',
    message: `The Docker engine did not answer ${what}`,
    toolOutput: error instanceof Error ? error.message : String(error),
    fix: 'Start the Docker engine, and see that this user may use its socket: docker info',
  }
}

function wasClosed(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE'
}
