import { answered, failed, plainFolder, type Answer, type CallOptions, type RemoteFile } from '@stackbk/contract'

import { failureOf, isMissingFolder } from './failure.js'
import type { Rclone, RcloneRun } from './rclone.js'
import { address, folderAddress, type Remote } from './remote.js'

/** How long a question may wait for the remote before it tries again. */
export const questionPatienceMs = 60_000

/**
 * All files below a folder, or a file itself. One call whatever their number. A folder that is not there, and for bucket
 * storage a bucket, is empty; a list that broke off is a failure, never a shorter list.
 */
export async function listFiles(rclone: Rclone, remote: Remote, prefix: string, options: CallOptions = {}): Promise<Answer<readonly RemoteFile[]>> {
  const folder = plainFolder(prefix)
  const listing = new Listing()
  const run = await rclone.run({
    verb: ['lsjson'],
    // The server's own times: those that rclone keeps beside an object would cost a request for each file.
    flags: ['--recursive', '--files-only', '--no-mimetype', '--use-server-modtime'],
    operands: [folderAddress(remote, folder)],
    patienceMs: questionPatienceMs,
    signal: options.signal,
    onStdoutLine: (line) => listing.read(line),
  })
  const { entries } = listing
  const isMissing = isMissingFolder(run) && entries.length === 0
  const isNoFolder = run.result.exitCode !== 0 && entries.length === 0 && noFolder.test(run.words.text)
  const what = `listing ${address(remote, folder)}`
  if (run.result.exitCode !== 0 && !isMissing && !isNoFolder) {
    const failure = failureOf(run, { what, remote: remote.name, isTransfer: false })
    // A folder that went while it was being listed: what remains is no whole list.
    return failed(failure.kind === 'not-found' ? { ...failure, kind: 'remote-unreachable', message: `${what} failed: a folder vanished meanwhile`, transient: true } : failure)
  }
  if (run.result.exitCode === 0 && !listing.isWhole) return failed({ kind: 'remote-unreachable', message: `${what} failed: the list broke off`, transient: true })
  if (folder === '') return isNoFolder ? failed(failureOf(run, { what, remote: remote.name, isTransfer: false })) : answered(entries.map((entry) => fileOf(entry, '')))

  // The path of a file lists as nothing, as a failure, or as that file under its own name, which a folder could do as well.
  const [only] = entries
  if (only === undefined || (entries.length === 1 && only.Path === folder.split('/').at(-1))) {
    const itself = await presentFiles(rclone, remote, [folder], options)
    if (!itself.ok || itself.value.length === 1) return itself
  }
  return answered(entries.map((entry) => fileOf(entry, `${folder}/`)))
}

/** What backends say of a file where a folder was wanted. */
const noFolder = /not a directory|is a file/i

/** Which of these files are there; one call. */
export async function presentFiles(rclone: Rclone, remote: Remote, files: readonly string[], options: CallOptions = {}): Promise<Answer<readonly RemoteFile[]>> {
  const listing = new Listing()
  const run = await rclone.run({
    verb: ['lsjson'],
    flags: ['--recursive', '--files-only', '--no-mimetype', '--use-server-modtime', '--files-from-raw=-', '--no-traverse'],
    operands: [folderAddress(remote)],
    input: linesOf(files),
    patienceMs: questionPatienceMs,
    signal: options.signal,
    onStdoutLine: (line) => listing.read(line),
  })
  if ((run.result.exitCode === 0 && listing.isWhole) || isMissingFolder(run)) return answered(listing.entries.map((entry) => fileOf(entry, '')))
  // One that is a folder ends the whole call: where it is the only one, that is the answer.
  if (files.length === 1 && run.result.exitCode !== 0 && isFolderInstead(run)) return answered([])
  return failed(failureOf(run, { what: `looking for files on ${address(remote)}`, remote: remote.name, isTransfer: false }))
}

/** Whether the call failed because a folder bears the name of the file that was asked for. */
export function isFolderInstead(run: RcloneRun): boolean {
  return /is a directory not a file/.test(run.words.text)
}

/** As `--files-from-raw` reads them. */
export function linesOf(files: readonly string[]): string {
  return `${files.join('\n')}\n`
}

interface Entry {
  readonly Path: string
  readonly Size: number
  readonly ModTime: string
}

/** What rclone lists: an entry a line, a comma behind each but the last, brackets around them. */
class Listing {
  readonly entries: Entry[] = []
  #isClosed = false
  #isGarbled = false

  /** Said to its end, and every line of it understood. */
  get isWhole(): boolean {
    return this.#isClosed && !this.#isGarbled
  }

  read(line: string): void {
    if (line === ']') this.#isClosed = true
    if (!line.startsWith('{')) return
    try {
      this.entries.push(JSON.parse(line.endsWith(',') ? line.slice(0, -1) : line) as Entry)
    } catch {
      this.#isGarbled = true
    }
  }
}

function fileOf(entry: Entry, folder: string): RemoteFile {
  return { path: `${folder}${entry.Path}`, size: entry.Size, modifiedAt: isoTime(entry.ModTime) }
}

/** rclone gives nanoseconds and, for what has no time, an empty text or the year 2000 or 1. */
function isoTime(text: string): string | null {
  const time = text === '' ? Number.NaN : Date.parse(text)
  return Number.isNaN(time) || time <= Date.UTC(2000, 0, 1) ? null : new Date(time).toISOString()
}
