import { done, failed, type Answer } from '@stackbk/contract'

import { failureOf, isMissingFolder } from './failure.js'
import type { Rclone } from './rclone.js'
import { address, folderAddress, type Remote } from './remote.js'

/** Some backends try to connect twice, one after the other. */
const triesOfABackend = 3

/** Whether the remote answers and lets us in, by a look at the folder. A folder that is not there is an answer too. Makes nothing. */
export async function probe(rclone: Rclone, remote: Remote, request: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Answer<void>> {
  const { timeoutMs, signal } = request
  const run = await rclone.run({
    verb: ['lsf'],
    flags: ['--max-depth=1'],
    operands: [folderAddress(remote)],
    patienceMs: Math.max(100, Math.floor(timeoutMs / triesOfABackend)),
    lowLevelRetries: 1,
    timeoutMs,
    signal,
    onStdoutLine: () => {},
  })
  if (run.result.exitCode === 0 || isMissingFolder(run)) return done
  const failure = failureOf(run, { what: `reaching ${address(remote)}`, remote: remote.name, isTransfer: false })
  if (failure.kind !== 'timed-out') return failed(failure)
  return failed({ ...failure, kind: 'remote-unreachable', message: `${address(remote)} did not answer within ${timeoutMs / 1000} s`, transient: true })
}
