import { answered, failed, shellWord, type Answer, type CallOptions, type Exec, type RemoteSpace } from '@stackbk/contract'

import { failureOf } from './failure.js'
import { addressOf, type Place } from './place.js'
import { sshOptions } from './ssh.js'

const unknown: RemoteSpace = { totalBytes: null, freeBytes: null }

/** A `df` that hangs on a dead disk is no answer either. */
const spaceLimitMs = 30_000

/** SSH's own exit code, when it has not reached the other side. */
const sshFailed = 255

/** rsync knows nothing of space. Where the user may run other commands, `df` is asked; where not, it is not known. */
export async function spaceOf(exec: Exec, place: Place, { signal }: CallOptions = {}): Promise<Answer<RemoteSpace>> {
  // The folder itself may not be made yet: then that which it will be in.
  const folders = [place.folder, ...parents(place.folder)].map(shellWord).join(' ')
  const result = await exec.run({
    file: 'ssh',
    args: [...sshOptions(place), '--', place.host, `for folder in ${folders}; do test -d "$folder" && exec df -kP "$folder"; done`],
    env: { LC_ALL: 'C', SSH_ASKPASS: undefined, SSH_ASKPASS_REQUIRE: undefined },
    timeoutMs: spaceLimitMs,
    ...(signal === undefined ? {} : { signal }),
  })
  if (result.outcome === 'cancelled' || result.outcome === 'not-started' || (result.outcome === 'exited' && result.exitCode === sshFailed)) {
    return failed(failureOf({ result, words: result.stderr.trim() }, { what: `asking for the space of ${addressOf(place)}`, place, isTransfer: false }))
  }
  const [, total, free] = /^\S.*?\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s/m.exec(result.stdout.split('\n').slice(1).join('\n')) ?? []
  if (result.exitCode !== 0 || total === undefined || free === undefined) return answered(unknown)
  return answered({ totalBytes: Number(total) * 1024, freeBytes: Number(free) * 1024 })
}

function parents(folder: string): string[] {
  const parts = folder.split('/').slice(1, -1)
  return parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`).concat('/')
}
