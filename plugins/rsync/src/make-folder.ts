import { answered, failed, type Answer, type CallOptions } from '@stackbk/contract'

import { endedInSilence, failureOf, lacksWay } from './failure.js'
import { absolute, addressOf, operandOf } from './place.js'
import type { Rsync, RsyncRun } from './rsync.js'
import { withSkeleton } from './skeleton.js'

/**
 * rsync makes the last part of the folder that it copies to, not the way there (`--mkpath` is too new for most NAS). So where
 * a call fails for want of it, the way is made, and the call done again.
 */
export async function withFolder(rsync: Rsync, folder: string, options: CallOptions, call: () => Promise<RsyncRun>): Promise<Answer<RsyncRun>> {
  const run = await call()
  if (!lacksWay(run) && !endedInSilence(run)) return answered(run)
  const made = await makeFolder(rsync, folder, options)
  return made.ok ? answered(await call()) : made
}

/** With nothing but its path named, so that what is there of it already, be it a symbolic link, stays as it is. */
async function makeFolder(rsync: Rsync, folder: string, { signal }: CallOptions): Promise<Answer<void>> {
  const path = absolute(rsync.place, folder).replace(/^\/+/, '')
  if (path === '') return answered(undefined)
  const run = await withSkeleton([`${path}/none`], (root) =>
    rsync.run({ flags: ['--no-implied-dirs', '--dirs'], files: [path], operands: [`${root}/`, operandOf({ ...rsync.place, folder: '/' })], signal }),
  )
  if (run.result.outcome === 'exited' && run.result.exitCode === 0) return answered(undefined)
  return failed(failureOf(run, { what: `making the folder ${addressOf(rsync.place, folder)}`, place: rsync.place, isTransfer: true }))
}
