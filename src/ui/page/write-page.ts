import { writeFileAtomically } from '../../host/atomic-write.js'
import { StackbkError } from '../../errors.js'

/** Puts a page in place, whole, as any file of this user's. Throws (kind `failed`) where it cannot be. */
export function writePage(file: string, page: string): void {
  try {
    writeFileAtomically(file, page, { mode: 0o666 & ~process.umask() })
  } catch (error) {
    throw new StackbkError({ kind: 'failed', code: 'page-not-written', message: `the page ${file} could not be written`, detail: error instanceof Error ? error.message : String(error), fix: 'Name a file in a folder that this user may write' })
  }
}
