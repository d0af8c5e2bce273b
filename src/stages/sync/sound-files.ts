import { stat } from 'node:fs/promises'
import { join } from 'node:path'

import { isDamage, matchesItsName } from '../restore/content-check.js'
import type { CheckedFiles } from './checked-files.js'
import type { CopiedFile } from './file-list.js'

/** Reading is bound by the disk, hashing by one processor: more at once only makes the disk seek. */
const atOnce = 2

export interface SoundFilesRequest {
  /** The repository's folder. */
  readonly root: string
  readonly files: readonly CopiedFile[]
  readonly checked: CheckedFiles
  readonly signal: AbortSignal
  readonly onFile?: (done: number) => void
}

/**
 * Compares files with their names, SHA-256 of what they hold, while those that are sound already are taken away and sent:
 * reading them first and sending them afterwards would take as long as both together.
 */
export class SoundFiles {
  /** Relative paths of files that do not hold what their names say, or that the disk cannot read any more. Whole when {@link take} has said `null`. */
  readonly corrupt: string[] = []
  /** Why a file could not be compared at all, which says nothing of what it holds; nothing more is read then. `null`: none. */
  unreadable: { readonly path: string; readonly reason: string } | null = null
  /** A file has gone: the list that it is from is one of the past, and nothing more is read. */
  hasVanished = false
  readonly #request: SoundFilesRequest
  readonly #waiting: CopiedFile[]
  readonly #end = new AbortController()
  #sound: CopiedFile[] = []
  #soundBytes = 0
  #done = 0
  #isOver = false
  #error: Error | null = null
  #wake: () => void = () => {}

  /** Begins at once. */
  constructor(request: SoundFilesRequest) {
    this.#request = request
    this.#waiting = request.files.toReversed()
    const signal = AbortSignal.any([request.signal, this.#end.signal])
    void Promise.all(Array.from({ length: atOnce }, () => this.#work(signal)))
      .catch((error: unknown) => {
        this.#error = error instanceof Error ? error : new Error(String(error))
        this.#waiting.length = 0
      })
      .then(() => {
        this.#isOver = true
        this.#wake()
      })
  }

  /** All that were found sound since the last call, as soon as they are so many bytes or no more come; `null` when that was all. Throws when the signal comes. */
  async take(leastBytes: number): Promise<readonly CopiedFile[] | null> {
    while (!this.#isOver && this.#soundBytes < leastBytes) await new Promise<void>((resolve) => (this.#wake = resolve))
    if (this.#error !== null) throw this.#error
    if (this.#sound.length === 0) return null
    const taken = this.#sound
    this.#sound = []
    this.#soundBytes = 0
    return taken
  }

  /** Reads no further. */
  end(): void {
    this.#waiting.length = 0
    this.#end.abort()
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let file = this.#waiting.pop(); file !== undefined; file = this.#waiting.pop()) {
      const fate = await this.#look(file.path, signal)
      if (typeof fate === 'object') {
        this.unreadable = { path: file.path, reason: fate.unreadable }
        this.#waiting.length = 0
      } else if (fate === 'gone') {
        this.hasVanished = true
        this.#waiting.length = 0
      } else if (fate === 'corrupt') {
        this.corrupt.push(file.path)
      } else {
        this.#sound.push(file)
        this.#soundBytes += file.size
      }
      this.#request.onFile?.(++this.#done)
      this.#wake()
    }
  }

  async #look(path: string, signal: AbortSignal): Promise<'sound' | 'corrupt' | 'gone' | { readonly unreadable: string }> {
    const { root, checked } = this.#request
    const place = join(root, path)
    try {
      const before = await stat(place, { bigint: true })
      if (checked.isSound(path, before)) return 'sound'
      if (!(await matchesItsName(place, signal))) return (await isThere(place)) ? 'corrupt' : 'gone'
      checked.note(path, before)
      return 'sound'
    } catch (error) {
      signal.throwIfAborted()
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : isDamage(error) ? 'corrupt' : { unreadable: error instanceof Error ? error.message : String(error) }
    }
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(() => true, (error: NodeJS.ErrnoException) => error.code !== 'ENOENT')
}
