import type { Transport } from '@stackbk/contract'

import { errorFrom } from '../../errors.js'
import type { Run } from '../run.js'

/** A remote that does not answer by then is not there: rclone by itself would go on for minutes. */
const probeLimitMs = 25_000

/** Can the remote be reached? Throws `remote-unreachable` (5) within half a minute. */
export async function probe(run: Run, transport: Transport): Promise<void> {
  run.reporter.step(`reaching ${transport.location}`)
  const reached = await transport.probe({ timeoutMs: probeLimitMs, signal: run.signal })
  if (!reached.ok) throw errorFrom(reached.failure)
  run.log('info', 'remote reached', { remote: transport.location })
}
