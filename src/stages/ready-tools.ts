import type { Engine, Runtime } from '@stackbk/contract'

import { errorFrom } from '../errors.js'
import type { Run } from './run.js'

/** Sees that runtime and engine answer, and takes the container engine for this run. Throws as they fail, `busy` where another run has it. */
export async function takeReadyTools(run: Run, runtime: Runtime, engine: Engine): Promise<void> {
  const [identity, ...tools] = await Promise.all([runtime.identity({ signal: run.signal }), runtime.ready({ signal: run.signal }), engine.ready({ signal: run.signal })])
  // An engine elsewhere is a wrong configuration, whether it answers or not.
  if (!identity.ok && identity.failure.kind === 'configuration') throw errorFrom(identity.failure)
  for (const ready of tools) if (!ready.ok) throw errorFrom(ready.failure)
  if (!identity.ok) throw errorFrom(identity.failure)
  await run.lock({ kind: 'engine', id: identity.value.id })
}
