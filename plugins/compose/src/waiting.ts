import { setTimeout as sleep } from 'node:timers/promises'

import type { Ear } from './engine-events.js'
import type { Tools } from './tools.js'

/** How often facts are looked at where no event would say that something changed. */
const pollMs = 100

/** While the engine tells its events: each look takes time from what is being started. */
const heardPollMs = 500

/** Ends once it happened, at a poll's distance if the engine's events cannot be heard. */
export interface Waiting {
  /** For the next event, or for the next poll, after this time at the latest. Milliseconds. */
  change(limitMs?: number): Promise<void>
  /** An event said so since the container's last start. False also says that nothing was heard. */
  heardHealthy(id: string): boolean
  end(): void
}

/** Begin before the first look, so that nothing falls between a look and the wait after it. */
export async function beginWaiting(tools: Tools): Promise<Waiting> {
  const heard = await tools.events.listen()
  const ear: Ear | null = heard.ok ? heard.value : null
  let seen = ear?.events.length ?? 0
  return {
    async change(limitMs = heardPollMs) {
      if (ear === null || ear.isLossy) return sleep(Math.min(limitMs, pollMs))
      if (ear.events.length === seen) await ear.change(Math.min(limitMs, heardPollMs))
      seen = ear.events.length
    },
    heardHealthy: (id) => ear?.events.findLast((event) => event.id === id && (event.action === 'start' || event.action.startsWith('health_status')))?.action === 'health_status: healthy',
    end: () => ear?.close(),
  }
}
