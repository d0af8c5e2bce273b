import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { StackbkError } from '../errors.js'
import { waitForAbstractLock } from '../host/abstract-lock.js'
import { writeFileAtomically } from '../host/atomic-write.js'
import { realPathSoFar } from '../host/mounts.js'

const waitLimitMs = 30_000

/** The dirlist's text; empty where there is none yet. Throws (exit 2) where it cannot be read or is not text. */
export function readDirlistText(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return ''
    const isText = code !== 'ERR_ENCODING_INVALID_ENCODED_DATA'
    throw new StackbkError({
      kind: 'configuration',
      code: 'dirlist-unreadable',
      message: `the dirlist ${file} cannot be read`,
      detail: isText ? message : 'it is not UTF-8 text',
      fix: isText ? 'Check its path and permissions.' : 'Save it as UTF-8.',
    })
  }
}

/**
 * Load, change and save as one step for every process on this host. `change` gets the text as it is and gives the new one;
 * where they are equal nothing is written. The file keeps its mode and owner; a linked one stays linked.
 */
export async function editDirlist<T>(file: string, change: (text: string) => { readonly text: string; readonly result: T }): Promise<T> {
  const lock = await waitForAbstractLock(lockName(file), 'stackbk dirlist', waitLimitMs)
  if ('heldBy' in lock) {
    throw new StackbkError({
      kind: 'busy',
      code: 'dirlist-busy',
      message: `the dirlist ${file} is being changed by another stackbk`,
      detail: lock.heldBy ? `process ${lock.heldBy.pid}, since ${lock.heldBy.startedAt}` : '',
      fix: 'Try again when it is done.',
    })
  }
  try {
    const before = readDirlistText(file)
    const { text, result } = change(before)
    if (text !== before) save(file, text)
    return result
  } finally {
    await lock.release()
  }
}

function save(file: string, text: string): void {
  try {
    writeFileAtomically(file, text, { mode: 0o644 })
  } catch (error) {
    throw new StackbkError({
      kind: 'failed',
      code: 'dirlist-not-written',
      message: `the dirlist ${file} cannot be written, and is as it was`,
      detail: (error as Error).message,
      fix: 'Check the permissions of its folder, and the space on its disk.',
    })
  }
}

/** The same for every way of naming one file. */
function lockName(file: string): string {
  return `stackbk-dirlist-${createHash('sha256').update(realPathSoFar(resolve(file))).digest('hex')}`
}
