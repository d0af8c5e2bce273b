import type { CallOptions, Progress } from '@stackbk/contract'

/**
 * What to say while restic tries to read a file of its repository again and again, which may take a quarter of an hour for one bad
 * sector. Empty for any other line.
 */
export function retryNote(line: string): string {
  const [, file, delay, reason] = /^Load\(<([^>]+)>.*?\) returned error, retrying after ([\d.]+m?s|\d+m[\d.]+s): (.+)$/.exec(line) ?? []
  return file === undefined ? '' : `restic cannot read ${file} and tries again: ${(reason ?? '').split(': ').at(-1)} (next try in ${delay})`
}

/** Passes progress on, with the note of the last retry for as long as nothing more has been done. */
export class RetryProgress {
  readonly #report: CallOptions['onProgress']
  #last: Progress
  #note = ''

  constructor(phase: string, report: CallOptions['onProgress']) {
    this.#report = report
    this.#last = { phase }
  }

  line(line: string): void {
    const note = retryNote(line)
    if (note === '') return
    this.#note = note
    this.#report?.({ ...this.#last, note })
  }

  progress(progress: Progress): void {
    if (progress.bytesDone !== this.#last.bytesDone) this.#note = ''
    this.#last = progress
    this.#report?.(this.#note === '' ? progress : { ...progress, note: this.#note })
  }
}
