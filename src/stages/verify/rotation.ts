import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { CheckRequest } from '@stackbk/contract'

import { appendLine } from '../../host/append-line.js'
import { writeFileAtomically } from '../../host/atomic-write.js'
import { ensureFolder } from '../../host/state-folder.js'
import type { NamedFile } from '../remote-contents.js'

/**
 * When each file of a remote was last read and found sound. Of a share of them those come first that were never read, then
 * those that were read longest ago: N times a share of 100/N % is all of them. A file of another size or time counts as new.
 * Lost, it is begun anew.
 */
export class RemoteRotation {
  readonly #folder: string
  readonly #path: string
  readonly #readAt = new Map<string, number>()

  constructor(folder: string, location: string) {
    this.#folder = folder
    this.#path = join(folder, `${createHash('sha256').update(location).digest('hex').slice(0, 32)}.read`)
    for (const line of textOf(this.#path).split('\n').slice(0, -1)) {
      const [at = '', file = ''] = line.split('\t')
      this.#readAt.set(file, Number(at))
    }
  }

  /** Files of so many percent of all bytes, at least one, whose turn it is. */
  choose(files: readonly NamedFile[], percent: number): readonly NamedFile[] {
    if (percent >= 100) return files
    const wanted = (files.reduce((sum, { file }) => sum + file.size, 0) * percent) / 100
    const chosen: NamedFile[] = []
    let bytes = 0
    for (const entry of files.toSorted((one, other) => this.#lastOf(one) - this.#lastOf(other))) {
      if (bytes >= wanted && chosen.length > 0) break
      chosen.push(entry)
      bytes += entry.file.size
    }
    return chosen
  }

  /** Each part at once: what was read before a kill need not be read again. */
  note(files: readonly NamedFile[], at: Date): void {
    for (const entry of files) this.#readAt.set(nameOf(entry), at.getTime())
    if (files.length > 0) this.#write(() => appendLine(this.#path, files.map((entry) => lineOf(entry, at.getTime())).join('\n')))
  }

  /** Forgets what the remote has no more. */
  settle(present: readonly NamedFile[]): void {
    const kept = present.flatMap((entry) => {
      const at = this.#readAt.get(nameOf(entry))
      return at === undefined ? [] : [`${lineOf(entry, at)}\n`]
    })
    if (this.#readAt.size > 0) this.#write(() => writeFileAtomically(this.#path, kept.join(''), { mode: 0o600 }))
  }

  #lastOf(entry: NamedFile): number {
    return this.#readAt.get(nameOf(entry)) ?? 0
  }

  #write(act: () => void): void {
    try {
      ensureFolder(this.#folder)
      act()
    } catch {
      // Then it is read once more than it would have to be.
    }
  }
}

function nameOf({ file }: NamedFile): string {
  return `${file.path} ${file.size} ${file.modifiedAt ?? ''}`
}

function lineOf(entry: NamedFile, at: number): string {
  return `${at}\t${nameOf(entry)}`
}

/** What engines take at the most as the number of parts of all data; restic's `--read-data-subset=n/t`. */
const mostParts = 256

interface Turn {
  readonly of: number
  readonly n: number
}

/** Which part of a repository's data is to be read next, where a share of it is wanted. */
export class LocalRotation {
  readonly #folder: string
  readonly #path: string
  readonly #turn: Turn | null

  constructor(folder: string, repositoryId: string, percent: number) {
    this.#folder = folder
    this.#path = join(folder, `${repositoryId}.part.json`)
    const of = Math.ceil(100 / percent)
    const last = parsed(textOf(this.#path))
    this.#turn = percent <= 0 || of < 2 || of > mostParts ? null : { of, n: last?.of === of ? (last.n % of) + 1 : 1 }
  }

  /** For the check. Empty where all or nothing is read, or the share is too small for turns. */
  get part(): Pick<CheckRequest, 'part'> {
    return this.#turn === null ? {} : { part: this.#turn }
  }

  /** Such as ` (part 3 of 20)`. */
  get words(): string {
    return this.#turn === null ? '' : ` (part ${this.#turn.n} of ${this.#turn.of})`
  }

  /** It was read: the next one is the turn of the next check. */
  done(): void {
    if (this.#turn === null) return
    try {
      ensureFolder(this.#folder)
      writeFileAtomically(this.#path, `${JSON.stringify(this.#turn)}\n`, { mode: 0o600 })
    } catch {
      // The same part is read again then.
    }
  }
}

function parsed(text: string): Turn | null {
  try {
    const turn = JSON.parse(text) as Turn | null
    return typeof turn?.of === 'number' && typeof turn.n === 'number' ? turn : null
  } catch {
    return null
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
