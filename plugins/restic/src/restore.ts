import { answered, displayPath, failed, hasRawBytes, type Answer, type RestoreRequest, type RestoreResult } from '@stackbk/contract'

import { asNumber, parseObject } from './json.js'
import { literalPattern, withAnyByte } from './patterns.js'
import type { Restic } from './restic.js'
import { RetryProgress } from './retries.js'

/** Brings a snapshot back, or the part of it that is asked for. Owners are set inside the target, not on the target itself. */
export async function restoreSnapshot(restic: Restic, request: RestoreRequest): Promise<Answer<RestoreResult>> {
  if (restic.place.problem !== null) return failed(restic.place.problem)
  const what = `the snapshot ${request.snapshot} could not be restored to ${request.target}`
  const { exclude = [] } = request
  if (exclude.length > 0 && request.include.length > 0) return failed({ kind: 'usage', message: 'restic takes either paths to include or paths to exclude, not both' })
  const outside = [...request.include, ...exclude].find((path) => !isWithin(path, request.subfolder))
  if (outside !== undefined) return failed({ kind: 'usage', message: `${outside} is not within ${request.subfolder}` })
  // An argument is UTF-8. What is included may be a little more; what is left out, and where it goes, has to be exact.
  const inexact = [request.target, request.subfolder, ...exclude].find(hasRawBytes)
  if (inexact !== undefined) return failed({ kind: 'unsupported', message: `${displayPath(inexact)} has a name that is not UTF-8, which restic cannot be given`, fix: 'Rename it, or restore it with restic by hand' })
  const retrying = new RetryProgress('restore', request.onProgress)
  let result: RestoreResult = { files: 0, bytes: 0 }
  const ended = await restic.run({
    command: 'restore',
    flags: [
      `--target=${request.target}`,
      // Patterns are matched from the root of what is restored.
      ...request.include.map((path) => `--include=${withAnyByte(literalPattern(path.slice(request.subfolder.length))) || '/'}`),
      ...exclude.map((path) => `--exclude=${literalPattern(path.slice(request.subfolder.length))}`),
      ...(request.deleteExtra ? ['--delete'] : []),
      ...(request.sparse ? ['--sparse'] : []),
      ...(request.verify ? ['--verify'] : []),
    ],
    operands: [request.subfolder === '' ? request.snapshot : `${request.snapshot}:${request.subfolder}`],
    locking: 'if-possible',
    keepBytes: 64 * 1024,
    onStderrLine: (line) => retrying.line(line),
    onStdoutLine: (line) => {
      const message = parseObject(line)
      const count = (name: string): number => asNumber(message?.[name])
      if (message?.['message_type'] === 'status') {
        retrying.progress({
          phase: 'restore',
          bytesDone: count('bytes_restored') + count('bytes_skipped'),
          bytesTotal: count('total_bytes'),
          filesDone: count('files_restored') + count('files_skipped'),
          filesTotal: count('total_files'),
        })
      }
      if (message?.['message_type'] === 'summary') {
        result = { files: count('files_restored') + count('files_skipped'), bytes: count('bytes_restored') + count('bytes_skipped') }
      }
    },
    options: request,
  })
  if (ended.outcome !== 'exited' || ended.exitCode !== 0) return restic.failed(ended, what)
  return answered(result)
}

function isWithin(path: string, folder: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`)
}
