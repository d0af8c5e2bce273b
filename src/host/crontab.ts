import type { Exec, ToolResult } from '@stackbk/contract'

import { StackbkError } from '../errors.js'

const limitMs = 30_000

const begin = '# begin stackbk schedule'
const beginLine = `${begin}: stackbk schedule install --cron wrote it, stackbk schedule remove takes it away`
const endLine = '# end stackbk schedule'

/** The crontab of whoever runs this, by crontab(1). */
export class Crontab {
  readonly #exec: Exec
  readonly #signal: AbortSignal

  constructor(exec: Exec, signal: AbortSignal) {
    this.#exec = exec
    this.#signal = signal
  }

  /** Its text, empty where the user has none; `null` where there is no cron on this machine, or the user may not use it. */
  async read(): Promise<string | null> {
    const result = await this.#run(['-l'])
    return textOf(result)
  }

  /** The same, where there must be one: throws `tool-missing` (4), or `failed` with crontab's own words. */
  async mustRead(): Promise<string> {
    const result = await this.#run(['-l'])
    const text = textOf(result)
    if (text === null) throw crontabError(result)
    return text
  }

  /** The whole text anew; an empty one takes the crontab away. Throws as {@link mustRead}. */
  async write(text: string): Promise<void> {
    const result = text === '' ? await this.#run(['-r']) : await this.#run(['-'], text)
    if (result.exitCode !== 0) throw crontabError(result)
  }

  #run(args: readonly string[], input?: string): Promise<ToolResult> {
    return this.#exec.run({ file: 'crontab', args, env: { LC_ALL: 'C' }, stdout: 'bytes', timeoutMs: limitMs, signal: this.#signal, ...(input === undefined ? {} : { input }) })
  }
}

/** The lines between the markers, without these; `null` where there are none. */
export function blockIn(text: string): readonly string[] | null {
  const place = placeOfBlock(text.split('\n'))
  return place === null ? null : text.split('\n').slice(place.from + 1, place.to)
}

/** The text with the block in the place of the one that is there, else at its end; every other line as it was. */
export function withBlock(text: string, block: readonly string[]): string {
  const written = [beginLine, ...block, endLine]
  const lines = text.split('\n')
  const place = placeOfBlock(lines)
  if (place !== null) return [...lines.slice(0, place.from), ...written, ...lines.slice(place.to + 1)].join('\n')
  return `${text === '' || text.endsWith('\n') ? text : `${text}\n`}${written.join('\n')}\n`
}

/** The text without any block of ours; every other line as it was. */
export function withoutBlock(text: string): string {
  const lines = text.split('\n')
  const place = placeOfBlock(lines)
  return place === null ? text : withoutBlock([...lines.slice(0, place.from), ...lines.slice(place.to + 1)].join('\n'))
}

/** A begin whose end was taken away is no block: what follows it may be the user's own. */
function placeOfBlock(lines: readonly string[]): { readonly from: number; readonly to: number } | null {
  const to = lines.findIndex((line, index) => line.startsWith(endLine) && lines.slice(0, index).some(isBegin))
  const from = lines.slice(0, Math.max(0, to)).findLastIndex(isBegin)
  return to === -1 || from === -1 ? null : { from, to }
}

function isBegin(line: string): boolean {
  return line.startsWith(begin)
}

function textOf(result: ToolResult): string | null {
  if (result.outcome !== 'exited') return null
  // To the byte: of a text its last line end would be lost, which cron wants.
  if (result.exitCode === 0) return Buffer.from(result.stdoutBytes).toString('utf8')
  return /no crontab for/i.test(result.stderr) ? '' : null
}

function crontabError(result: ToolResult): StackbkError {
  if (result.outcome === 'not-started') {
    return new StackbkError({ kind: 'tool-missing', code: 'no-cron', message: 'crontab cannot be started', detail: result.startError ?? '', fix: 'Install cron; or leave --cron out, for a systemd timer; or put the lines of --print where they belong' })
  }
  return new StackbkError({ kind: 'failed', code: 'crontab-refused', message: 'crontab failed', detail: result.stderr.trim(), fix: 'Try: crontab -l' })
}
