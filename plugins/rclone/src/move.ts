import { posix } from 'node:path'

import { done, failed, filesInWords, plainFolder, refuseNames, type Answer, type CallOptions } from '@stackbk/contract'

import { failureOf, isMissingFolder } from './failure.js'
import { linesOf, presentFiles, questionPatienceMs } from './list.js'
import type { Rclone } from './rclone.js'
import { address, folderAddress, folderOn, type Remote } from './remote.js'
import { traversal } from './transfer.js'

/** Moves one file, on the remote itself where it can do that; what is not there is none of our business. */
export async function moveFile(rclone: Rclone, remote: Remote, from: string, to: string, options: CallOptions = {}): Promise<Answer<void>> {
  const named = refuseNames([from, to])
  if (!named.ok) return named
  if (from === to) return done
  // By list where only the folder changes: `moveto` takes a file that is not there for a folder, and tries to move that.
  const file = posix.basename(from)
  if (file === posix.basename(to)) return moveAll(rclone, remote, [file], { ...options, from: folderOf(from), to: folderOf(to) })

  return moveTo(rclone, remote, from, to, options)
}

/** Moves files from below one folder to below another. */
export async function moveAll(rclone: Rclone, remote: Remote, files: readonly string[], request: { readonly from: string; readonly to: string } & CallOptions): Promise<Answer<void>> {
  const [from, to] = [plainFolder(request.from), plainFolder(request.to)]
  if (files.length === 0 || from === to) return done
  const named = refuseNames([...files, ...[from, to].filter((folder) => folder !== '')])
  if (!named.ok) return named
  const run = await rclone.run({
    verb: ['move'],
    flags: ['--files-from-raw=-', ...traversal(files), '--ignore-times'],
    operands: [folderAddress(remote, from), folderAddress(remote, to)],
    input: linesOf(files),
    patienceMs: questionPatienceMs,
    signal: request.signal,
  })
  if (run.result.exitCode === 0 || isMissingFolder(run)) return done
  // An older one (1.60) moves to below a folder, but not from below one to the folder itself.
  if (/overlapping remotes/.test(run.words.text)) return moveEach(rclone, remote, files, { ...request, from, to })
  return failed(failureOf(run, { what: `moving ${filesInWords(files)} on ${address(remote)}`, remote: remote.name, isTransfer: true }))
}

/** The slow way, a call for each that is there. */
async function moveEach(rclone: Rclone, remote: Remote, files: readonly string[], { from, to, ...options }: { readonly from: string; readonly to: string } & CallOptions): Promise<Answer<void>> {
  const present = await presentFiles(rclone, folderOn(remote, from), files, options)
  if (!present.ok) return present
  for (const { path } of present.value) {
    const moved = await moveTo(rclone, remote, posix.join(from, path), posix.join(to, path), options)
    if (!moved.ok) return moved
  }
  return done
}

async function moveTo(rclone: Rclone, remote: Remote, from: string, to: string, options: CallOptions): Promise<Answer<void>> {
  const run = await rclone.run({
    verb: ['moveto'],
    // Without it a file of the same size, on a remote without times, counts as moved already.
    flags: ['--ignore-times'],
    operands: [address(remote, from), address(remote, to)],
    patienceMs: questionPatienceMs,
    signal: options.signal,
  })
  if (run.result.exitCode === 0) return done
  const failure = failureOf(run, { what: `moving ${address(remote, from)} to ${to}`, remote: remote.name, isTransfer: true })
  if (run.result.outcome !== 'exited') return failed(failure)
  // Each backend has its own words for a file that is not there, so ask.
  const present = await presentFiles(rclone, remote, [from], options)
  return present.ok && present.value.length === 0 ? done : failed(failure)
}

function folderOf(path: string): string {
  return path.includes('/') ? posix.dirname(path) : ''
}
