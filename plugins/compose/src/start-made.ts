import { failed } from '@stackbk/contract'
import type { Answer, RebuildRequest, StackState, UpReport } from '@stackbk/contract'

import { startStack } from './start.js'
import type { Tools } from './tools.js'
import { waitUntilUp } from './up.js'

/** Starts containers that were made and not started, given as a state in which they run, and waits until they are up. */
export async function startMade(tools: Tools, state: StackState, { healthTimeoutMs, signal }: Pick<RebuildRequest, 'healthTimeoutMs' | 'signal'>): Promise<Answer<UpReport>> {
  const start = (): Promise<Answer<void>> => startStack(tools, state, { mode: 'stop', healthTimeoutMs })
  const first = await start()
  // As after a backup, what could not be started is tried once more: a port or an address may be free by now.
  const started = first.ok || signal?.aborted ? first : await start()
  const up = await waitUntilUp(tools, state, { since: new Date(state.takenAt), timeoutMs: healthTimeoutMs, ...(signal === undefined ? {} : { signal }) })
  if (!up.ok) return up
  if (!started.ok && up.value.isUp) tools.log('warning', `${started.failure.message}, yet all is up`, { directory: state.directory })
  if (!started.ok && !up.value.isUp) return failed(started.failure)
  return up
}
