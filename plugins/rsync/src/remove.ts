import { answered, done, failed, filesInWords, plainFolder, refuseNames, type Answer, type CallOptions } from '@stackbk/contract'

import { endedInSilence, failureOf, lacksWay } from './failure.js'
import { listFiles } from './list.js'
import { absolute, addressOf, operandOf } from './place.js'
import type { Rsync, RsyncRun } from './rsync.js'
import { withSkeleton } from './skeleton.js'

/**
 * Nothing but rsync may be there to call on a NAS, so files are deleted by it: named to it as to be copied from a folder that
 * has none of them, and what is missing here it deletes there. `--existing`: it makes nothing there.
 */
const deleteNamed = ['--dirs', '--no-implied-dirs', '--existing', '--delete-missing-args']

/** Deletes these files and no other, in one call. */
export async function removeFiles(rsync: Rsync, files: readonly string[], { signal }: CallOptions = {}): Promise<Answer<void>> {
  if (files.length === 0) return done
  const named = refuseNames(files)
  if (!named.ok) return named
  const run = await withSkeleton(files, (root) => rsync.run({ flags: deleteNamed, files, operands: [`${root}/`, operandOf(rsync.place)], signal }))
  return answerOf(rsync, run, `deleting ${filesInWords(files)} on ${addressOf(rsync.place)}`)
}

/**
 * Moves files from below one folder to below another, in one call: deletes them as above, with the other folder for the backups
 * that rsync can make of what it deletes. It makes them by renaming, so nothing is sent.
 */
export async function moveAll(rsync: Rsync, files: readonly string[], request: { readonly from: string; readonly to: string } & CallOptions): Promise<Answer<void>> {
  const [from, to] = [plainFolder(request.from), plainFolder(request.to)]
  if (files.length === 0 || from === to) return done
  const named = refuseNames([...files, ...[from, to].filter((folder) => folder !== '')])
  if (!named.ok) return named
  const backup = ['--backup', '--suffix=', `--backup-dir=${absolute(rsync.place, to)}`]
  const run = await withSkeleton(files, (root) => rsync.run({ flags: [...deleteNamed, ...backup], files, operands: [`${root}/`, operandOf(rsync.place, from)], signal: request.signal }))
  return answerOf(rsync, run, `moving ${filesInWords(files)} on ${addressOf(rsync.place)}`)
}

/** Where the folder is not there, neither are the files. */
async function answerOf(rsync: Rsync, run: RsyncRun, what: string): Promise<Answer<void>> {
  if (run.result.outcome === 'exited' && (run.result.exitCode === 0 || lacksWay(run))) return answered(undefined)
  if (endedInSilence(run)) {
    const left = await listFiles(rsync, '')
    if (left.ok && left.value.length === 0) return answered(undefined)
  }
  return failed(failureOf(run, { what, place: rsync.place, isTransfer: true }))
}
