import { lstat } from 'node:fs/promises'
import { resolve } from 'node:path'

import { answered, failed, filesInWords, filesMissing, plainFolder, refuseNames, type Answer, type TransferRequest, type TransferResult } from '@stackbk/contract'

import { failureOf } from './failure.js'
import { linesOf, presentFiles } from './list.js'
import type { Rclone, RcloneRun } from './rclone.js'
import { address, folderAddress, folderOn, type Remote } from './remote.js'

/** How rclone is to go about a transfer. */
export interface Pace {
  readonly transfers: number
  /** As rclone writes it; `null`: unlimited. */
  readonly bandwidth: string | null
  /** By which a file is compared with its copy; `null`: whichever rclone takes by itself. */
  readonly hash: string | null
}

const nothing: TransferResult = { files: 0, bytes: 0 }

/** From this host to the remote. */
export async function upload(rclone: Rclone, root: Remote, pace: Pace, request: TransferRequest): Promise<Answer<TransferResult>> {
  const { files } = request
  if (files.length === 0) return answered(nothing)
  const named = refuseNames(files)
  if (!named.ok) return named
  const remote = folderOn(root, plainFolder(request.remoteFolder ?? ''))
  const localRoot = resolve(request.localRoot)

  // rclone says nothing of a file in its list that is not there, so we look, and again afterwards: one may go meanwhile.
  const before = await missingLocally(localRoot, files)
  if (before.length > 0) return filesMissing(before, localRoot)
  const what = `uploading ${filesInWords(files)} to ${address(remote)}`
  const run = await copy(rclone, { from: localRoot, to: folderAddress(remote), phase: 'upload', pace, request })
  if (run.result.exitCode !== 0) return failed(failureOf(run, { what, remote: root.name, isTransfer: true }))
  const after = await missingLocally(localRoot, files)
  if (after.length > 0) return filesMissing(after, localRoot)
  return answered(resultOf(run))
}

/** From the remote to this host. */
export async function download(rclone: Rclone, root: Remote, pace: Pace, request: TransferRequest): Promise<Answer<TransferResult>> {
  const { files } = request
  if (files.length === 0) return answered(nothing)
  const named = refuseNames(files)
  if (!named.ok) return named
  const remote = folderOn(root, plainFolder(request.remoteFolder ?? ''))
  const localRoot = resolve(request.localRoot)

  const there = files.length - (await missingLocally(localRoot, files)).length
  const what = `downloading ${filesInWords(files)} from ${address(remote)}`
  const run = await copy(rclone, { from: folderAddress(remote), to: localRoot, phase: 'download', pace, request })
  const failure = run.result.exitCode === 0 ? null : failureOf(run, { what, remote: root.name, isTransfer: true })
  if (failure !== null && failure.kind !== 'not-found') return failed(failure)
  const lacking = await missingLocally(localRoot, files)
  if (lacking.length > 0) return filesMissing(lacking, address(remote))
  if (failure !== null) return failed(failure)

  // A file that was here before hides that the remote lacks it. rclone checks each pair once: fewer checks, and we ask.
  if ((run.words.stats?.checks ?? 0) < there) {
    const present = await presentFiles(rclone, remote, files, request)
    if (!present.ok) return present
    const names = new Set(present.value.map(({ path }) => path))
    const absent = files.filter((file) => !names.has(file))
    if (absent.length > 0) return filesMissing(absent, address(remote))
  }
  return answered(resultOf(run))
}

interface Copy {
  readonly from: string
  readonly to: string
  readonly phase: string
  readonly pace: Pace
  readonly request: TransferRequest
}

async function copy(rclone: Rclone, { from, to, phase, pace, request }: Copy): Promise<RcloneRun> {
  return rclone.run({
    verb: ['copy'],
    flags: [
      '--files-from-raw=-',
      ...traversal(request.files),
      request.whenSameSize === 'keep' ? '--size-only' : '--ignore-times',
      `--transfers=${pace.transfers}`,
      ...(pace.bandwidth === null ? [] : [`--bwlimit=${pace.bandwidth}`]),
      ...(pace.hash === null ? [] : [`--local-hashes=${pace.hash}`]),
    ],
    operands: [from, to],
    input: linesOf(request.files),
    signal: request.signal,
    timeoutMs: request.timeoutMs,
    stallTimeoutMs: request.stallTimeoutMs,
    onStats: (stats) =>
      request.onProgress?.({
        phase,
        bytesDone: stats.bytes,
        bytesTotal: stats.totalBytes,
        filesDone: stats.transfers,
        filesTotal: stats.totalTransfers,
        bytesPerSecond: stats.bytesPerSecond,
        ...(stats.remainingMs === null ? {} : { remainingMs: stats.remainingMs }),
      }),
  })
}

/** So many files to a folder, and listing the folder costs less than asking for each of them (measured with S3 and SFTP). */
const filesWorthAListing = 8

/** Whether rclone looks at each file by itself, or lists their folders. */
export function traversal(files: readonly string[]): string[] {
  const folders = new Set(files.map((file) => file.slice(0, file.lastIndexOf('/') + 1)))
  return files.length > filesWorthAListing * folders.size ? [] : ['--no-traverse']
}

/** So many at once: more would only fill the memory. */
const looksAtOnce = 256

/** Those of the files that are no regular file here: rclone follows no symbolic link, and passes over whatever it does not copy. */
async function missingLocally(localRoot: string, files: readonly string[]): Promise<string[]> {
  const lacking: string[] = []
  for (let start = 0; start < files.length; start += looksAtOnce) {
    const some = files.slice(start, start + looksAtOnce)
    const found = await Promise.all(some.map((file) => lstat(`${localRoot}/${file}`).then((status) => status.isFile(), () => false)))
    lacking.push(...some.filter((_, index) => found[index] !== true))
  }
  return lacking
}

function resultOf(run: RcloneRun): TransferResult {
  return { files: run.words.stats?.transfers ?? 0, bytes: run.words.stats?.bytes ?? 0 }
}
