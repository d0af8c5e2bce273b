import { answered, failed, refuseNames, type Answer, type CallOptions } from '@stackbk/contract'

import { failureOf } from './failure.js'
import { isFolderInstead, linesOf, questionPatienceMs } from './list.js'
import type { Rclone } from './rclone.js'
import { address, folderAddress, type Remote } from './remote.js'

/** What servers answer when a range begins behind the end of a file that is there. */
const behindTheEnd = /\b416\b|InvalidRange|Range Not Satisfiable/i

/** A file's bytes, or those of a range. */
export async function readFile(
  rclone: Rclone,
  remote: Remote,
  path: string,
  { range, signal }: { readonly range?: { readonly start: number; readonly end: number } } & CallOptions = {},
): Promise<Answer<Uint8Array>> {
  const named = refuseNames([path])
  if (!named.ok) return named
  const wanted = range === undefined ? null : Math.max(0, range.end - range.start)
  const run = await rclone.run({
    verb: ['cat'],
    // By list and not by its own address: given the address of a folder rclone prints all files in it, one after another.
    flags: [
      '--files-from-raw=-',
      '--no-traverse',
      // For an empty range a byte all the same, to learn whether the file is there.
      ...(range === undefined ? [] : [`--offset=${range.start}`, `--count=${Math.max(1, wanted ?? 0)}`]),
    ],
    operands: [folderAddress(remote)],
    input: linesOf([path]),
    stdout: 'bytes',
    patienceMs: questionPatienceMs,
    signal,
  })
  const bytes = run.result.stdoutBytes
  if (run.result.exitCode === 0 && (run.words.stats?.transfers ?? 0) > 0) return answered(wanted === null ? bytes : bytes.subarray(0, wanted))
  if (run.result.exitCode === 0 || isFolderInstead(run)) {
    return failed({ kind: 'not-found', message: `there is no file ${address(remote, path)}` })
  }
  if (range !== undefined && behindTheEnd.test(run.words.text)) return answered(new Uint8Array())
  return failed(failureOf(run, { what: `reading ${address(remote, path)}`, remote: remote.name, isTransfer: true }))
}
