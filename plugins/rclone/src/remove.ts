import { done, failed, filesInWords, refuseNames, type Answer, type CallOptions } from '@stackbk/contract'

import { failureOf, isMissingFolder } from './failure.js'
import { linesOf, questionPatienceMs } from './list.js'
import type { Rclone } from './rclone.js'
import { address, folderAddress, type Remote } from './remote.js'
import { traversal } from './transfer.js'

/** Deletes these files and no other, in one call. With an empty list rclone deletes nothing (tried with 1.60 and 1.75); we do not ask it to. */
export async function removeFiles(rclone: Rclone, remote: Remote, files: readonly string[], options: CallOptions = {}): Promise<Answer<void>> {
  if (files.length === 0) return done
  const named = refuseNames(files)
  if (!named.ok) return named
  const run = await rclone.run({
    verb: ['delete'],
    flags: ['--files-from-raw=-', ...traversal(files)],
    operands: [folderAddress(remote)],
    input: linesOf(files),
    patienceMs: questionPatienceMs,
    signal: options.signal,
    onStats: (stats) => options.onProgress?.({ phase: 'remove', filesDone: stats.deletes, filesTotal: files.length }),
  })
  if (run.result.exitCode === 0 || isMissingFolder(run)) return done
  return failed(failureOf(run, { what: `deleting ${filesInWords(files)} on ${address(remote)}`, remote: remote.name, isTransfer: true }))
}
