import { lstat, mkdir, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

import { answered, bandwidthAt, failed, filesInWords, filesMissing, plainFolder, refuseNames, type Answer, type BandwidthTimetable, type TransferRequest, type TransferResult } from '@stackbk/contract'

import { failureOf, isMissingFolder, reasonsIn } from './failure.js'
import { withFolder } from './make-folder.js'
import { addressOf, operandOf } from './place.js'
import { totalsIn } from './progress.js'
import type { Rsync, RsyncCall, RsyncRun } from './rsync.js'

const nothing: TransferResult = { files: 0, bytes: 0 }

/** So many looks at this host's files at once. */
const looksAtOnce = 256

/**
 * Each file goes under a name of its own (`.NAME.XXXXXX`) and is then renamed: never `--inplace`, never `--partial`. As a whole,
 * because no two files of a repository have anything in common. Folders are not sent along, so that those there stay as they
 * are, symbolic links too.
 */
const wholeFiles = ['--whole-file', '--no-implied-dirs', '--no-inplace', '--no-partial']

/** From this host to the server. */
export async function upload(rsync: Rsync, timetable: BandwidthTimetable | null, request: TransferRequest): Promise<Answer<TransferResult>> {
  const { files } = request
  if (files.length === 0) return answered(nothing)
  const named = refuseNames(files)
  if (!named.ok) return named
  const folder = plainFolder(request.remoteFolder ?? '')
  const localRoot = resolve(request.localRoot)
  // A symbolic link would be passed over in silence.
  const absent = await missingLocally(localRoot, files)
  if (absent.length > 0) return filesMissing(absent, localRoot)

  const what = `uploading ${filesInWords(files)} to ${addressOf(rsync.place, folder)}`
  const rate = timetable === null ? null : bandwidthAt(timetable, new Date()).up
  const ran = await withFolder(rsync, folder, request, () => rsync.run(copyCall(request, { phase: 'upload', rate, operands: [`${localRoot}/`, operandOf(rsync.place, folder)] })))
  if (!ran.ok) return ran
  const totals = ended(ran.value) ? totalsIn(ran.value.result.stdout) : null
  if (totals !== null) return answered(totals)
  if (ran.value.result.outcome === 'exited') {
    const gone = await missingLocally(localRoot, files)
    if (gone.length > 0) return filesMissing(gone, localRoot)
  }
  return failed(failureOf(ran.value, { what, place: rsync.place, isTransfer: true }))
}

/** From the server to this host. */
export async function download(rsync: Rsync, timetable: BandwidthTimetable | null, request: TransferRequest): Promise<Answer<TransferResult>> {
  const { files } = request
  if (files.length === 0) return answered(nothing)
  const named = refuseNames(files)
  if (!named.ok) return named
  const folder = plainFolder(request.remoteFolder ?? '')
  const localRoot = resolve(request.localRoot)
  const from = addressOf(rsync.place, folder)
  await mkdir(localRoot, { recursive: true })
  await removeHalves(localRoot, files)
  const rate = timetable === null ? null : bandwidthAt(timetable, new Date()).down
  const run = await rsync.run(copyCall(request, { phase: 'download', rate, operands: [operandOf(rsync.place, folder), `${localRoot}/`] }))
  if (isMissingFolder(run)) return filesMissing(files, from)
  const lost = filesNotThere(run, files)
  if (lost.length > 0) return filesMissing(lost, from)
  const totals = ended(run) ? totalsIn(run.result.stdout) : null
  if (totals === null) return failed(failureOf(run, { what: `downloading ${filesInWords(files)} from ${from}`, place: rsync.place, isTransfer: true }))
  // What is no file there (a folder, a link) is passed over without a word.
  const absent = await missingLocally(localRoot, files)
  return absent.length > 0 ? filesMissing(absent, from) : answered(totals)
}

function copyCall(request: TransferRequest, { phase, rate, operands }: { readonly phase: string; readonly rate: number | null; readonly operands: readonly string[] }): RsyncCall {
  return {
    flags: [
      ...wholeFiles,
      request.whenSameSize === 'keep' ? '--size-only' : '--ignore-times',
      // In KiB; 0 would be no limit.
      ...(rate === null ? [] : [`--bwlimit=${Math.max(1, Math.round(rate / 1024))}`]),
    ],
    files: request.files,
    operands,
    signal: request.signal,
    timeoutMs: request.timeoutMs,
    stallTimeoutMs: request.stallTimeoutMs,
    onCount: ({ bytes, files, bytesPerSecond }) => request.onProgress?.({ phase, bytesDone: bytes, filesDone: files, filesTotal: request.files.length, bytesPerSecond }),
  }
}

function ended({ result }: RsyncRun): boolean {
  return result.outcome === 'exited' && result.exitCode === 0
}

/** Those of which the server said that they are not there. */
function filesNotThere(run: RsyncRun, files: readonly string[]): readonly string[] {
  if (run.result.outcome !== 'exited' || run.result.exitCode === 0) return []
  const lines = reasonsIn(run)
  const lost = lines.filter((line) => /link_stat ".*" failed: No such file or directory|failed: Not a directory/.test(line))
  if (lost.length === 0 || lost.length < lines.length) return []
  const found = files.filter((file) => lost.some((line) => line.includes(`/${file}"`)))
  return found.length > 0 ? found : files.slice(0, 1)
}

/** Those of the files that are no regular file here. */
async function missingLocally(localRoot: string, files: readonly string[]): Promise<string[]> {
  const lacking: string[] = []
  for (let start = 0; start < files.length; start += looksAtOnce) {
    const some = files.slice(start, start + looksAtOnce)
    const found = await Promise.all(some.map((file) => lstat(join(localRoot, file)).then((status) => status.isFile(), () => false)))
    lacking.push(...some.filter((_, index) => found[index] !== true))
  }
  return lacking
}

/** What an earlier download that was killed has left beside these files: its temporary name, made of theirs. */
async function removeHalves(localRoot: string, files: readonly string[]): Promise<void> {
  const names = new Map<string, Set<string>>()
  for (const file of files) {
    const folder = dirname(file)
    const some = names.get(folder)
    if (some === undefined) names.set(folder, new Set([basename(file)]))
    else some.add(basename(file))
  }
  for (const [folder, some] of names) {
    const entries = await readdir(join(localRoot, folder)).catch(() => [])
    for (const entry of entries) {
      const [, name = ''] = /^\.(.+)\.[A-Za-z0-9]{6}$/.exec(entry) ?? []
      if (some.has(name)) await rm(join(localRoot, folder, entry), { force: true })
    }
  }
}
