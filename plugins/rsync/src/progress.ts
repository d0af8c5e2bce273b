/** rsync's running account of a transfer. */
export interface Count {
  readonly bytes: number
  readonly files: number
  readonly bytesPerSecond: number
}

/** What a transfer came to, from `--stats`. */
export interface Totals {
  readonly files: number
  readonly bytes: number
}

const unit: Readonly<Record<string, number>> = { '': 1, k: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 }

/** Reads the lines of `--info=progress2`: `1,234  56%  7.89MB/s  0:00:01 (xfr#3, to-chk=4/9)`. */
export class Progress2 {
  readonly #onCount: (count: Count) => void
  #files = 0

  constructor(onCount: (count: Count) => void) {
    this.#onCount = onCount
  }

  hear(line: string): void {
    const [, bytes = '', rate = '', letter = '', , files] = /^\s*([\d,.]+)\s+\d+%\s+(\d+(?:\.\d+)?)([kMGT]?)B\/s\s+\S+(\s+\(xfr#(\d+),.*)?/.exec(line) ?? []
    if (bytes === '') return
    this.#files = files === undefined ? this.#files : Number(files)
    this.#onCount({ bytes: Number(bytes.replaceAll(/[,.]/g, '')), files: this.#files, bytesPerSecond: Math.round(Number(rate) * (unit[letter] ?? 1)) })
  }
}

/** `null` where rsync did not come so far as to say. */
export function totalsIn(stdout: string): Totals | null {
  const number = (label: string): number | null => {
    const found = new RegExp(`^${label}: ([\\d,.]+)`, 'm').exec(stdout)?.[1]
    return found === undefined ? null : Number(found.replaceAll(/[,.]/g, ''))
  }
  const [files, bytes] = [number('Number of regular files transferred'), number('Total transferred file size')]
  return files === null || bytes === null ? null : { files, bytes }
}
