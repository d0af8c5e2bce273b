import { type ClientRequest, type IncomingMessage, request } from 'node:http'

import { answered, failed } from '@stackbk/contract'
import type { Answer } from '@stackbk/contract'

import { number, record, text, texts } from './json.js'

/** Something that happened to a container. */
export interface EngineEvent {
  /** Milliseconds since the epoch, by the engine's clock, which is this host's. */
  readonly at: number
  /** `die`, `start`, `health_status: healthy`, ... */
  readonly action: string
  readonly id: string
  readonly name: string
  /** The container's labels, and what the action tells, such as `exitCode` and `signal`. */
  readonly attributes: Readonly<Record<string, string>>
}

/** What one listener heard since it began. */
export interface Ear {
  readonly events: readonly EngineEvent[]
  /** The stream broke off: something may be missing. */
  readonly isLossy: boolean
  /** Settles at the next event, at a break, or after the limit. */
  change(limitMs: number): Promise<void>
  close(): void
}

const actions = ['create', 'start', 'die', 'kill', 'pause', 'unpause', 'health_status', 'destroy', 'oom']

const attachLimitMs = 10_000

/** The engine subscribes a client just after it sent the response's headers; what happened in between it sends too if asked for a moment before. */
const overlapMs = 2_000

/**
 * The engine's events, read from its own socket: the headers of its response prove that it listens to us, which a started
 * `docker events` does not tell; asked afterwards it has often forgotten, since healthchecks fill its memory. One stream
 * serves all listeners, from the first one until {@link EngineEvents.close}. A run that is interrupted listens on: how the
 * stop ended, what ran while the stack was read and when it is healthy again is asked until it is up.
 */
export class EngineEvents {
  readonly #socketPath: () => Promise<Answer<string>>
  readonly #ears = new Set<ListeningEar>()
  #stream: Promise<Answer<IncomingMessage>> | null = null
  #request: ClientRequest | null = null
  #isClosed = false

  constructor(socketPath: () => Promise<Answer<string>>) {
    this.#socketPath = socketPath
  }

  /** Everything from now on: the engine listens to us before the answer. */
  async listen(onEvent?: (event: EngineEvent) => void): Promise<Answer<Ear>> {
    if (this.#isClosed) return failed({ kind: 'cancelled', message: 'The run has ended, and with it the listening to the engine' })
    const ear = new ListeningEar(Date.now(), onEvent, () => this.#ears.delete(ear))
    this.#ears.add(ear)
    this.#stream ??= this.#attach()
    const stream = await this.#stream
    if (!stream.ok) {
      ear.close()
      this.#stream = null
      return stream
    }
    return answered(ear)
  }

  /**
   * What the engine remembers since then, and whether that is all. It remembers 256 events of all kinds, and each run of a
   * healthcheck is three. Only one that is older than that moment proves that none since has been forgotten: their number does
   * not, since one that happens meanwhile takes the place of the oldest, and an engine that was restarted remembers nothing.
   */
  async remembered(since: number): Promise<Answer<{ readonly events: readonly EngineEvent[]; readonly isComplete: boolean }>> {
    const events: EngineEvent[] = []
    const response = await this.#ask(`/events?since=${seconds(1)}&until=${seconds(Date.now())}`)
    if (!response.ok) return response
    return new Promise((resolve) => {
      const read = lineReader((line) => events.push(...readEvent(line)))
      response.value.on('data', read)
      response.value.on('error', (error) => resolve(unreachable(error)))
      response.value.on('end', () => resolve(answered({ events: events.filter((event) => event.at >= since), isComplete: events.some((event) => event.at < since) })))
    })
  }

  close(): void {
    this.#isClosed = true
    this.#request?.destroy()
    for (const ear of this.#ears) ear.loseTrack()
  }

  async #attach(): Promise<Answer<IncomingMessage>> {
    const filters = encodeURIComponent(JSON.stringify({ type: ['container'], event: actions }))
    const response = await this.#ask(`/events?since=${seconds(Date.now() - overlapMs)}&filters=${filters}`, (made) => (this.#request = made))
    if (!response.ok) return response
    const stream = response.value
    const read = lineReader((line) => {
      for (const event of readEvent(line)) for (const ear of this.#ears) ear.hear(event)
    })
    stream.on('data', read)
    const onBreak = (): void => {
      this.#stream = null
      for (const ear of this.#ears) ear.loseTrack()
    }
    stream.on('error', onBreak)
    stream.on('close', onBreak)
    // A listener that was forgotten must not keep the program from ending.
    stream.socket.unref()
    return response
  }

  async #ask(path: string, onRequest?: (made: ClientRequest) => void): Promise<Answer<IncomingMessage>> {
    const socketPath = await this.#socketPath()
    if (!socketPath.ok) return socketPath
    return new Promise((resolve) => {
      const made = request({ socketPath: socketPath.value, path, agent: false, headers: { host: 'docker' } })
      onRequest?.(made)
      const limit = setTimeout(() => made.destroy(new Error(`no response within ${attachLimitMs} ms`)), attachLimitMs)
      made.on('error', (error) => {
        clearTimeout(limit)
        resolve(unreachable(error))
      })
      made.on('response', (response) => {
        clearTimeout(limit)
        if (response.statusCode === 200) return resolve(answered(response))
        response.resume()
        resolve(unreachable(new Error(`HTTP status ${response.statusCode}`)))
      })
      made.end()
    })
  }
}

class ListeningEar implements Ear {
  readonly events: EngineEvent[] = []
  isLossy = false
  readonly #since: number
  readonly #onEvent: ((event: EngineEvent) => void) | undefined
  readonly #onClose: () => void
  readonly #waiting = new Set<() => void>()

  constructor(since: number, onEvent: ((event: EngineEvent) => void) | undefined, onClose: () => void) {
    this.#since = since
    this.#onEvent = onEvent
    this.#onClose = onClose
  }

  hear(event: EngineEvent): void {
    if (event.at < this.#since) return
    this.events.push(event)
    this.#onEvent?.(event)
    this.#wake()
  }

  loseTrack(): void {
    this.isLossy = true
    this.#wake()
  }

  change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(limit)
        this.#waiting.delete(finish)
        resolve()
      }
      const limit = setTimeout(finish, limitMs)
      this.#waiting.add(finish)
    })
  }

  close(): void {
    this.#onClose()
  }

  #wake(): void {
    for (const finish of [...this.#waiting]) finish()
  }
}

function readEvent(line: string): EngineEvent[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    return []
  }
  const event = record(parsed)
  const actor = record(event['Actor'])
  const attributes = texts(actor['Attributes'])
  return [{ at: Math.floor(number(event['timeNano']) / 1e6), action: text(event['Action']), id: text(actor['ID']), name: attributes['name'] ?? '', attributes }]
}

function lineReader(onLine: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new TextDecoder()
  let rest = ''
  return (chunk) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') onLine(line)
  }
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3)
}

function unreachable(error: Error): Answer<never> {
  return failed({
    kind: 'tool-not-answering',
    message: 'The Docker engine did not let us listen to its events',
    toolOutput: error.message,
    fix: 'See whether the Docker engine answers, and that this user may use its socket: docker info',
  })
}
