import type { StackbkEvent, StackbkEventName } from '@stackbk/contract'

import { type HookHost, runPluginHook } from './plugin-hook.js'

/** A plugin that listens may take so long for one event; then the run goes on without it. */
const listenerLimitMs = 10_000

/** The events of one run. While a stack is down they wait: nothing but the snapshot belongs there. */
export class EventQueue {
  readonly #config: HookHost
  readonly #run: { readonly id: string; readonly command: string; readonly dryRun: boolean }
  readonly #onFailure: (plugin: string, reason: string) => void
  readonly #waiting: StackbkEvent[] = []
  /** Those that did not take an event in time: they are not waited for again, or a night of many stacks would be one of waiting. */
  readonly #tooSlow = new Set<string>()
  #held = 0

  constructor(
    config: HookHost,
    run: { readonly id: string; readonly command: string; readonly dryRun: boolean },
    onFailure: (plugin: string, reason: string) => void,
  ) {
    this.#config = config
    this.#run = run
    this.#onFailure = onFailure
  }

  add(event: StackbkEventName, more: Pick<StackbkEvent, 'stack' | 'stage' | 'result'> = {}): void {
    this.#waiting.push({
      schemaVersion: 1,
      event,
      runId: this.#run.id,
      at: new Date().toISOString(),
      command: this.#run.command,
      dryRun: this.#run.dryRun,
      ...more,
    })
  }

  /** From here on events wait, until as many calls of {@link release}. */
  hold(): void {
    this.#held++
  }

  release(): void {
    this.#held--
  }

  /** Delivers what waits, in order, unless a stack is down. A failing listener is told of and changes nothing. */
  async deliver(): Promise<void> {
    while (this.#held === 0) {
      const event = this.#waiting.shift()
      if (event === undefined) return
      const answers = await runPluginHook(this.#config, { event: 'stackbk:event', options: { event }, limitMs: listenerLimitMs, without: this.#tooSlow })
      for (const answer of answers) {
        if (answer.ok) continue
        if (answer.isTooLate) this.#tooSlow.add(answer.plugin.name)
        this.#onFailure(answer.plugin.name, answer.reason)
      }
    }
  }
}
