import type { Transport } from '@stackbk/contract'

import { errorFrom, type Problem } from '../../errors.js'
import type { Run } from '../run.js'
import { probe } from './probe.js'

/** After this time the remote has been listed enough for a test; a sync itself takes the time that it needs. Milliseconds. */
const listLimitMs = 25_000

/**
 * Tests what a sync begins with: the transport is ready, the remote can be reached, and its files can be listed. Throws what any of
 * them fails with. A listing that takes long is cut short, and named.
 */
export async function testRemote(run: Run, transport: Transport): Promise<readonly Problem[]> {
  const ready = await transport.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  await probe(run, transport)
  run.reporter.step(`listing ${transport.location}`)
  const limit = AbortSignal.timeout(listLimitMs)
  const listed = await transport.list('', { signal: AbortSignal.any([run.signal, limit]) })
  if (listed.ok) return []
  if (!limit.aborted || run.signal.aborted) throw errorFrom(listed.failure)
  return [{ severity: 'warning', code: 'listing-not-finished', message: `listing ${transport.location} took longer than ${listLimitMs / 1000} s and was cut short`, fix: '' }]
}
