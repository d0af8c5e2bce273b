import type { Log } from '@stackbk/contract'

import type { Docker } from './docker.js'
import type { EngineEvents } from './engine-events.js'
import type { Layers } from './layers.js'
import type { Removals } from './removals.js'
import type { HooksOfServices } from './service-hooks.js'
import type { Whereabouts } from './whereabouts.js'

/** What every part of a live runtime works with. */
export interface Tools {
  readonly docker: Docker
  readonly events: EngineEvents
  readonly log: Log
  readonly hooks: HooksOfServices
  /** Seconds of grace that our stops gave, by container ID. */
  readonly graces: Map<string, number>
  readonly whereabouts: Whereabouts
  readonly removals: Removals
  readonly layers: Layers
}
