import { tmpdir } from 'node:os'

import { answered, done, failed, plainFolder, refuseNames, type Answer, type CallOptions, type RemoteFile } from '@stackbk/contract'

import { failureOf, isMissingFolder } from './failure.js'
import { addressOf, operandOf } from './place.js'
import type { Rsync } from './rsync.js'

/** All files below a folder, or a file itself, in one call. A folder that is not there is empty; a list that broke off is a failure. */
export async function listFiles(rsync: Rsync, prefix: string, { signal }: CallOptions = {}): Promise<Answer<readonly RemoteFile[]>> {
  const folder = plainFolder(prefix)
  const named = folder === '' ? done : refuseNames([folder])
  if (!named.ok) return named
  const files: RemoteFile[] = []
  let isGarbled = false
  const run = await rsync.run({
    // Names by list: as a part of the address a shell over there, or rsync, could take them for patterns.
    flags: ['--list-only', '--recursive', ...(folder === '' ? [] : ['--no-implied-dirs', '--ignore-missing-args'])],
    ...(folder === '' ? {} : { files: [folder] }),
    // With a list of names rsync wants a place to copy to; where it only lists, nothing comes there.
    operands: [operandOf(rsync.place), ...(folder === '' ? [] : [tmpdir()])],
    signal,
    onLine: (line) => {
      const entry = entryOf(line)
      if (entry === null) isGarbled = true
      else if (entry.isFile) files.push({ path: entry.path, size: entry.size, modifiedAt: entry.modifiedAt })
    },
  })
  const what = `listing ${addressOf(rsync.place, folder)}`
  if (run.result.outcome === 'exited' && run.result.exitCode === 0 && !isGarbled) return answered(files)
  if (isMissingFolder(run) && files.length === 0) return answered([])
  if (run.result.exitCode === 0) return failed({ kind: 'remote-unreachable', message: `${what} failed: the list cannot be read`, transient: true })
  return failed(failureOf(run, { what, place: rsync.place, isTransfer: false }))
}

interface Entry {
  readonly path: string
  readonly size: number
  readonly modifiedAt: string
  readonly isFile: boolean
}

/** `-rw-r--r--   1234 2026/11/25 22:00:13 data/00/name`; `null` for what is no such line. */
export function entryOf(line: string): Entry | null {
  const [, type = '', size = '', date = '', time = '', name = ''] = /^([-dlcbps?])\S{9,}\s+([\d,.]+) (\d{4}\/\d\d\/\d\d) (\d\d:\d\d:\d\d) (.*)$/.exec(line) ?? []
  if (type === '') return null
  const modified = new Date(`${date.replaceAll('/', '-')}T${time}Z`)
  return { path: unescaped(name), size: Number(size.replaceAll(/[,.]/g, '')), modifiedAt: Number.isNaN(modified.getTime()) ? new Date(0).toISOString() : modified.toISOString(), isFile: type === '-' }
}

/** rsync writes what is no plain letter, and its own sign for that, as `\#` and three octal digits: a byte each. */
function unescaped(name: string): string {
  if (!name.includes('\\#')) return name
  const bytes: Buffer[] = []
  for (const part of name.split(/(\\#[0-7]{3})/)) bytes.push(/^\\#[0-7]{3}$/.test(part) ? Buffer.of(Number.parseInt(part.slice(2), 8)) : Buffer.from(part))
  return Buffer.concat(bytes).toString()
}

/** Whether the server answers and lets us in, by a look at the folder. A folder that is not there is an answer too. Makes nothing. */
export async function probe(rsync: Rsync, { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined }): Promise<Answer<void>> {
  const run = await rsync.run({ flags: ['--list-only', '--dirs'], operands: [operandOf(rsync.place)], timeoutMs, connectTimeoutMs: timeoutMs, signal, onLine: () => {} })
  if ((run.result.outcome === 'exited' && run.result.exitCode === 0) || isMissingFolder(run)) return done
  const failure = failureOf(run, { what: `reaching ${addressOf(rsync.place)}`, place: rsync.place, isTransfer: false })
  if (failure.kind !== 'timed-out') return failed(failure)
  return failed({ ...failure, kind: 'remote-unreachable', message: `${addressOf(rsync.place)} did not answer within ${timeoutMs / 1000} s`, transient: true })
}
