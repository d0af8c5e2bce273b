import { answered, failed } from '@stackbk/contract'
import type { Answer, Failure } from '@stackbk/contract'

import { type Engine, type EngineStream, filtersOf } from './engine.js'
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
  readonly #engine: Engine
  readonly #ears = new Set<ListeningEar>()
  readonly #lastExits = new Map<string, number>()
  #stream: Promise<Answer<EngineStream>> | null = null
  #isClosed = false

  constructor(engine: Engine) {
    this.#engine = engine
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
    const response = await this.#ask({ since: seconds(1), until: seconds(Date.now()) })
    if (!response.ok) return response
    const { body, close } = response.value
    return new Promise((resolve) => {
      const limit = setTimeout(() => body.destroy(new Error(`no end within ${attachLimitMs} ms`)), attachLimitMs)
      const finish = (answer: Answer<{ readonly events: readonly EngineEvent[]; readonly isComplete: boolean }>): void => {
        clearTimeout(limit)
        close()
        resolve(answer)
      }
      body.on('data', lineReader((line) => events.push(...readEvent(line))))
      body.on('error', (error) => finish(unreachable(error.message)))
      body.on('end', () => finish(answered({ events: events.filter((event) => event.at >= since), isComplete: events.some((event) => event.at < since) })))
    })
  }

  /** Returns the exit code with which this container last ended while the events were read; `undefined` where that is not known. */
  lastExitOf(id: string): number | undefined {
    return this.#lastExits.get(id)
  }

  close(): void {
    this.#isClosed = true
    void this.#stream?.then((stream) => {
      if (stream.ok) stream.value.close()
    })
    for (const ear of this.#ears) ear.loseTrack()
  }

  async #attach(): Promise<Answer<EngineStream>> {
    const stream = await this.#ask({ since: seconds(Date.now() - overlapMs), ...filtersOf({ type: ['container'], event: actions }) })
    if (!stream.ok) return stream
    const { body, unref, close } = stream.value
    body.on('data', lineReader((line) => {
      for (const event of readEvent(line)) {
        this.#recordExit(event)
        for (const ear of this.#ears) ear.hear(event)
      }
    }))
    const onBreak = (): void => {
      this.#stream = null
      // Whatever ended last may have ended again since.
      this.#lastExits.clear()
      close()
      for (const ear of this.#ears) ear.loseTrack()
    }
    body.on('error', onBreak)
    body.on('close', onBreak)
    // A listener that was forgotten must not keep the program from ending.
    unref()
    return stream
  }

  #recordExit({ action, id, attributes }: EngineEvent): void {
    if (action !== 'die') return
    const code = Number.parseInt(attributes['exitCode'] ?? '', 10)
    if (Number.isNaN(code)) this.#lastExits.delete(id)
    else this.#lastExits.set(id, code)
  }

  async #ask(query: Readonly<Record<string, string>>): Promise<Answer<EngineStream>> {
    const stream = await this.#engine.stream({ what: 'docker events', path: '/events', query, timeoutMs: attachLimitMs })
    return stream.ok ? stream : unreachable(stream.failure.toolOutput ?? stream.failure.message, stream.failure)
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

function unreachable(reason: string, failure?: Failure): Answer<never> {
  if (failure?.kind === 'configuration') return failed(failure)
  return failed({
    kind: 'tool-not-answering',
    message: 'could not subscribe to the events of the Docker engine',
    toolOutput: reason,
    fix: 'See whether the Docker engine answers, and that this user may use its socket: docker info',
  })
}
