import type { Answer, Progress, Transport } from '@stackbk/contract'

import { counted } from '../counted.js'
import { errorFrom, StackbkError } from '../errors.js'
import { checkContents } from './restore/content-check.js'
import type { Run } from './run.js'
import type { FileList } from './sync/file-list.js'
import { asked } from './sync/transfer.js'

/** The value, or the failure as an error to throw. */
export function valueOf<T>(answer: Answer<T>): T {
  if (!answer.ok) throw errorFrom(answer.failure)
  return answer.value
}

/**
 * Fetches files of the copy into a folder of this host and compares them with their names. Throws as the transport fails, and
 * `corrupt` (6) where one is not what its name says.
 */
export async function fetchFromCloud(run: Run, transport: Transport, localRoot: string, list: FileList, onProgress?: (progress: Progress) => void): Promise<void> {
  const files = list.flatMap((entry) => entry.files.map((file) => file.path))
  valueOf(
    await asked(run, () =>
      transport.download({ files, localRoot, whenSameSize: 'keep', stallTimeoutMs: run.configuration.backup.stallTimeoutMs, signal: run.signal, ...(onProgress === undefined ? {} : { onProgress }) }),
    ),
  )
  const { corrupt } = await checkContents(localRoot, list, { signal: run.signal })
  if (corrupt.length === 0) return
  throw new StackbkError({ kind: 'corrupt', code: 'rotten-on-remote', message: `the copy is damaged: ${counted(corrupt.length, 'file')} ${corrupt.length === 1 ? 'does not match its checksum' : 'do not match their checksums'}`, detail: corrupt.slice(0, 3).join(', '), fix: 'Run: stackbk verify --cloud --repair' })
}
