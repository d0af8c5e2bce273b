import { StringDecoder } from 'node:string_decoder'

/** A line longer than this is handed on in pieces, so that a tool which never ends a line cannot fill the memory. */
const longestLine = 1024 * 1024

/** Cuts a stream of bytes into lines, `\r\n` too, with no regard to where the pieces of a character fall. */
export class LineSplitter {
  readonly #decoder: StringDecoder
  readonly #isExact: boolean
  readonly #onLine: (line: string, isWhole: boolean) => void
  readonly #end: string | RegExp
  #rest = ''

  /** `isWhole` is false for a piece of a line that goes on in the next call. `returnsEndLines`: a `\r` alone ends a line too. `encoding`: `latin1` for lines of bytes, whose `\r` stays. */
  constructor(onLine: (line: string, isWhole: boolean) => void, { returnsEndLines = false, encoding = 'utf8' }: { readonly returnsEndLines?: boolean; readonly encoding?: 'utf8' | 'latin1' } = {}) {
    this.#onLine = onLine
    this.#decoder = new StringDecoder(encoding)
    this.#isExact = encoding === 'latin1'
    this.#end = returnsEndLines ? /[\r\n]/ : '\n'
  }

  write(chunk: Uint8Array): void {
    const text = this.#rest + this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    const lines = text.split(this.#end)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#onLine(this.#isExact ? line : withoutReturn(line), true)
    if (this.#rest.length <= longestLine) return
    const piece = this.#rest
    this.#rest = ''
    this.#onLine(piece, false)
  }

  /** Hands on a last line that had no end. */
  end(): void {
    const line = this.#rest + this.#decoder.end()
    this.#rest = ''
    if (line !== '') this.#onLine(this.#isExact ? line : withoutReturn(line), true)
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

/** Keeps the end of a text that grows by lines, or by pieces of a long one. */
export class TextTail {
  #parts: string[] = []
  #length = 0
  readonly #keep: number

  constructor(keep: number) {
    this.#keep = keep
  }

  add(text: string, isWhole = true): void {
    const part = isWhole ? `${text}\n` : text
    this.#parts.push(part)
    this.#length += part.length
    // Twice the limit before a cut: a cut at every line would cost the square of their number.
    if (this.#length > this.#keep * 2) this.#cut()
  }

  toString(): string {
    this.#cut()
    const text = this.#parts.join('')
    return text.endsWith('\n') ? text.slice(0, -1) : text
  }

  #cut(): void {
    // The end of the last line is not shown.
    const limit = this.#keep + (this.#parts.at(-1)?.endsWith('\n') ? 1 : 0)
    let drop = 0
    while (this.#length > limit && drop < this.#parts.length - 1) this.#length -= this.#parts[drop++]?.length ?? 0
    if (drop > 0) this.#parts = this.#parts.slice(drop)
    if (this.#length <= limit) return
    this.#parts = [(this.#parts[0] ?? '').slice(this.#length - limit)]
    this.#length = limit
  }
}
