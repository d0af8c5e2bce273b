import type { Transport } from '@stackbk/contract'

import { errorFrom } from '../../errors.js'
import type { Run } from '../run.js'
import { asked } from './transfer.js'

/** A remote that does not answer by then is not there: rclone by itself would go on for minutes. */
const probeLimitMs = 25_000

/** A server that restarts is away for longer than a transfer would be tried again: nobody waits at night. The first pause. */
const nightPauseMs = 10_000

/**
 * Throws `remote-unreachable` (5) if the remote cannot be reached: within half a minute if a person waits in front of a terminal.
 * In an unattended run a failure that may pass is tried again like a transfer, as often as RETRIES says; where a schedule has called,
 * for some minutes.
 */
export async function probe(run: Run, transport: Transport): Promise<void> {
  run.reporter.step(`reaching ${transport.location}`)
  const attempt = (): ReturnType<Transport['probe']> => transport.probe({ timeoutMs: probeLimitMs, signal: run.signal })
  const reached = run.isUnattended === true ? await asked(run, attempt, run.isScheduled === true ? nightPauseMs : undefined) : await attempt()
  if (!reached.ok) throw errorFrom(reached.failure)
  run.log('info', 'remote reached', { remote: transport.location })
}
