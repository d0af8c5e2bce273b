import type { BigIntStats } from 'node:fs'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { appendLine } from '../../host/append-line.js'
import { ensureFolder } from '../../host/state-folder.js'

/**
 * Files of one repository that were compared with their names and are still on their way up, so that an upload which takes
 * more than one night reads each of them once. A file that was changed, or replaced, since then (size, times, inode) counts as
 * never looked at. What has arrived needs no note any more: {@link clear}.
 *
 * It saves work and nothing else, so what cannot be read or written of it is no reason for anything.
 */
export class CheckedFiles {
  readonly #path: string
  readonly #folder: string
  readonly #known = new Map<string, string>()

  constructor(folder: string, repositoryId: string) {
    this.#folder = folder
    this.#path = join(folder, `${repositoryId}.checked`)
    for (const line of linesOf(this.#path)) {
      const [path = '', traits = ''] = line.split('\t')
      this.#known.set(path, traits)
    }
  }

  isSound(path: string, status: BigIntStats): boolean {
    return this.#known.get(path) === traitsOf(status)
  }

  /** `status`: as it was before and after the file was read. */
  note(path: string, status: BigIntStats): void {
    this.#known.set(path, traitsOf(status))
    try {
      ensureFolder(this.#folder)
      appendLine(this.#path, `${path}\t${traitsOf(status)}`)
    } catch {
      // It is read once more then.
    }
  }

  clear(): void {
    this.#known.clear()
    rmSync(this.#path, { force: true })
  }
}

/** Changes with the file: nobody can set the time of its last change. */
function traitsOf({ size, mtimeNs, ctimeNs, ino, dev }: BigIntStats): string {
  return [size, mtimeNs, ctimeNs, ino, dev].join(' ')
}

function linesOf(path: string): readonly string[] {
  try {
    // The last one may have been cut by a crash.
    return readFileSync(path, 'utf8').split('\n').slice(0, -1)
  } catch {
    return []
  }
}
