import { answered, failed, pathFromBytes, type Answer, type ToolResult } from '@stackbk/contract'

/** What Go's JSON has in the place of each byte that is not UTF-8, and what a name may hold as well. */
const replacement = '\ufffd'
const escapedByte = /(?<![\ud800-\udbff])[\udc80-\udcff]/g

interface InexactPath {
  /** Of the entry, counting from 0. */
  readonly index: number
  readonly path: string
  /** Where it begins in a plain listing, and how many lines it takes. */
  readonly line: number
  readonly lines: number
}

/**
 * Collects the paths of a listing in JSON that may stand for others, and finds out the exact ones: restic replaces each byte that is not
 * UTF-8 in JSON, so that two names can look alike, and prints names unchanged in a plain listing, in the same order.
 */
export class InexactPaths {
  readonly #paths: InexactPath[] = []
  #index = 0
  #line = 0

  /** To be called for each entry, in order. */
  add(path: string): void {
    const lines = path.includes('\n') ? path.split('\n').length : 1
    if (path.includes(replacement)) this.#paths.push({ index: this.#index, path, line: this.#line, lines })
    this.#index++
    this.#line += lines
  }

  get isEmpty(): boolean {
    return this.#paths.length === 0
  }

  /** The first entry that may stand for another one. */
  get firstIndex(): number {
    return this.#paths[0]?.index ?? this.#index
  }

  /** Returns the exact paths by the index of their entry. `list` lists the same entries plainly, in lines of bytes. */
  async resolve(list: (onLine: (line: string) => void) => Promise<ToolResult>, whyFailed: (result: ToolResult) => Answer<never>): Promise<Answer<ReadonlyMap<number, string>>> {
    const exact = new Map<number, string>()
    let [line, next] = [0, 0]
    let parts: string[] = []
    const result = await list((bytes) => {
      const wanted = this.#paths[next]
      if (wanted !== undefined && line >= wanted.line) {
        parts.push(bytes)
        if (parts.length === wanted.lines) {
          exact.set(wanted.index, pathFromBytes(Buffer.from(parts.join('\n'), 'latin1')))
          parts = []
          next++
        }
      }
      line++
    })
    if (result.outcome !== 'exited' || result.exitCode !== 0) return whyFailed(result)
    const unclear = this.#paths.find(({ index, path }) => exact.get(index)?.replaceAll(escapedByte, replacement) !== path)
    if (line === this.#line && unclear === undefined) return answered(exact)
    return failed({ kind: 'failed', message: `the exact name of ${JSON.stringify(unclear?.path ?? this.#paths[0]?.path)} in the snapshot could not be found out`, fix: 'Rename files whose names are not UTF-8, and make a new backup' })
  }
}
