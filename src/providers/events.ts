import type { StackbkEvent, StackbkEventName } from '@stackbk/contract'

import { type HookHost, runPluginHook } from './plugin-hook.js'

/** A plugin that listens may take so long for one event; then the run goes on without it. */
const listenerLimitMs = 10_000

/** Whose events they are. */
export interface EventSource {
  readonly id: string
  readonly command: string
  readonly dryRun: boolean
  readonly host?: string
}

/** The events of one run. While a stack is down they wait: nothing but the snapshot belongs there. */
export class EventQueue {
  readonly #config: HookHost
  readonly #run: EventSource
  readonly #onFailure: (plugin: string, reason: string, stack: string) => void
  readonly #tell: (event: StackbkEvent) => Promise<void>
  readonly #waiting: StackbkEvent[] = []
  /** Those that did not take an event in time: they are not waited for again, or a night of many stacks would be one of waiting. */
  readonly #tooSlow = new Set<string>()
  #held = 0
  /** One delivery at a time, so that they come in order. */
  #delivering: Promise<void> = Promise.resolve()

  /** `tell`: to the notifiers. It keeps its own limits and throws nothing. */
  constructor(config: HookHost, run: EventSource, onFailure: (plugin: string, reason: string, stack: string) => void, tell: (event: StackbkEvent) => Promise<void> = () => Promise.resolve()) {
    this.#config = config
    this.#run = run
    this.#onFailure = onFailure
    this.#tell = tell
  }

  add(event: StackbkEventName, more: Pick<StackbkEvent, 'stack' | 'stage' | 'result' | 'exitCode' | 'log'> = {}): void {
    const { id, command, dryRun, host } = this.#run
    this.#waiting.push({
      schemaVersion: 1,
      event,
      runId: id,
      at: new Date().toISOString(),
      command,
      dryRun,
      ...(host === undefined ? {} : { host }),
      ...more,
    })
  }

  /** What happened before this run, and is told of only now. */
  putFirst(event: StackbkEvent): void {
    this.#waiting.unshift(event)
  }

  /** Nothing of what waits is of interest to anybody. */
  clear(): void {
    this.#waiting.length = 0
  }

  /** From here on events wait, until as many calls of {@link release}. */
  hold(): void {
    this.#held++
  }

  release(): void {
    this.#held--
  }

  /** Delivers what waits, in order, unless a stack is down. A failing listener is told of and changes nothing. */
  deliver(): Promise<void> {
    this.#delivering = this.#delivering.then(() => this.#deliverAll(), () => this.#deliverAll())
    return this.#delivering
  }

  async #deliverAll(): Promise<void> {
    while (this.#held === 0) {
      const event = this.#waiting.shift()
      if (event === undefined) return
      // Copies: what somebody does to his must not change what the run says of itself.
      const listeners = { event: 'stackbk:event', options: { event: structuredClone(event) }, limitMs: listenerLimitMs, without: this.#tooSlow } as const
      const [answers] = await Promise.all([runPluginHook(this.#config, listeners), this.#tell(structuredClone(event))])
      for (const answer of answers) {
        if (answer.ok) continue
        if (answer.isTooLate) this.#tooSlow.add(answer.plugin.name)
        this.#onFailure(answer.plugin.name, answer.reason, answer.stack)
      }
    }
  }
}
