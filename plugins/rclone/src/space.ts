import { answered, failed, type Answer, type CallOptions, type RemoteSpace } from '@stackbk/contract'

import { failureOf, isMissingFolder } from './failure.js'
import { questionPatienceMs } from './list.js'
import type { Rclone } from './rclone.js'
import { folderAddress, type Remote } from './remote.js'

const unknown: RemoteSpace = { totalBytes: null, freeBytes: null }

/** What the remote says of its room; many say nothing. */
export async function spaceOf(rclone: Rclone, remote: Remote, options: CallOptions = {}): Promise<Answer<RemoteSpace>> {
  const run = await rclone.run({ verb: ['about'], flags: ['--json'], operands: [folderAddress(remote)], patienceMs: questionPatienceMs, signal: options.signal })
  if (run.result.exitCode === 0) return answered(spaceIn(run.result.stdout))
  // The folder is not made yet: ask for the root that it will be in.
  if (isMissingFolder(run)) return remote.folder === '' ? answered(unknown) : spaceOf(rclone, { ...remote, folder: '' }, options)
  if (/doesn't support about|not supported|not implemented/i.test(run.words.text)) return answered(unknown)
  return failed(failureOf(run, { what: `asking ${remote.name} for its space`, remote: remote.name, isTransfer: false }))
}

function spaceIn(text: string): RemoteSpace {
  try {
    const about = JSON.parse(text) as Readonly<Record<string, unknown>>
    return { totalBytes: bytesOf(about['total']), freeBytes: bytesOf(about['free']) }
  } catch {
    return unknown
  }
}

function bytesOf(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 ? value : null
}
