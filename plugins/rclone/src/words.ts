/** rclone's running account of a call. */
export interface Stats {
  readonly bytes: number
  readonly totalBytes: number
  readonly transfers: number
  readonly totalTransfers: number
  readonly checks: number
  readonly deletes: number
  readonly bytesPerSecond: number
  /** rclone's own estimate; `null` while it has none. */
  readonly remainingMs: number | null
  /** Changes whenever anything moved, be it only a look at a file. */
  readonly pulse: string
}

interface Word {
  readonly text: string
  /** The file or folder it is about; empty for the call as a whole. */
  readonly object: string
}

/** So many of the last words are kept: enough to find the cause behind its consequences. */
const keptWords = 20

/** Said at every call to an SFTP remote without known_hosts_file; no reason for anything. */
const noise = /No host key validation is being performed/

/**
 * Reads what rclone says on standard error: JSON lines, among them its account of the call, and plain lines from before
 * `--use-json-log` counts or where a flag is wrong.
 */
export class Words {
  readonly #words: Word[] = []
  readonly #onStats: (stats: Stats) => void
  #stats: Stats | null = null
  #isUsageText = false

  constructor(onStats: (stats: Stats) => void = () => {}) {
    this.#onStats = onStats
  }

  /** The last account; `null` when there was none. */
  get stats(): Stats | null {
    return this.#stats
  }

  /** The last words, a line each, without repetitions. */
  get text(): string {
    return [...new Set(this.#words.map(({ text, object }) => (object === '' || text.includes(object) ? text : `${object}: ${text}`)))].join('\n')
  }

  /** Whether any word is about a single file or folder. */
  get isAboutObjects(): boolean {
    return this.#words.some(({ object }) => object !== '')
  }

  hear(line: string): void {
    const entry = jsonEntry(line)
    if (entry === null) this.#hearPlain(line)
    else if (isRecord(entry['stats'])) this.#count(entry['stats'])
    else if (!['info', 'debug'].includes(textOf(entry['level']))) this.#keep(textOf(entry['msg']), objectOf(entry))
  }

  #count(stats: Record<string, unknown>): void {
    const number = (key: string): number => (typeof stats[key] === 'number' ? stats[key] : 0)
    const counted = ['bytes', 'checks', 'transfers', 'deletes', 'listed', 'renames', 'serverSideMoves', 'serverSideCopies'].map(number)
    this.#stats = {
      bytes: number('bytes'),
      totalBytes: number('totalBytes'),
      transfers: number('transfers'),
      totalTransfers: number('totalTransfers'),
      checks: number('checks'),
      deletes: number('deletes'),
      bytesPerSecond: number('speed'),
      remainingMs: typeof stats['eta'] === 'number' ? stats['eta'] * 1000 : null,
      pulse: counted.join(' '),
    }
    this.#onStats(this.#stats)
  }

  #hearPlain(line: string): void {
    const dated = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d (.*)$/.exec(line)
    if (dated !== null) this.#isUsageText = false
    else if (/^Usage:\s*$/.test(line)) this.#isUsageText = true
    if (!this.#isUsageText) this.#keep((dated?.[1] ?? line).trim(), '')
  }

  #keep(text: string, object: string): void {
    if (text === '' || noise.test(text)) return
    this.#words.push({ text: withoutSignature(text), object })
    if (this.#words.length > keptWords) this.#words.shift()
  }
}

function jsonEntry(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null
  try {
    const entry: unknown = JSON.parse(line)
    return isRecord(entry) ? entry : null
  } catch {
    return null
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A remote, too, is an object to rclone: `objectType` tells them apart. */
function objectOf(entry: Record<string, unknown>): string {
  return /\.Fs$/.test(textOf(entry['objectType'])) ? '' : textOf(entry['object'])
}

/** A signed address is as good as a password while it is valid. */
function withoutSignature(text: string): string {
  return text.replaceAll(/\b(X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|Signature|sig|access_token|token)=[^&\s"]+/gi, '$1=********')
}
