import type { Progress } from '@stackbk/contract'

import { formatBytes, formatDuration } from './table.js'

/** `12.0 MiB of 1.0 GiB  1 %  ETA 3 min 20 s`: what is known of it. `beganAt` in milliseconds since the epoch, for the ETA. */
export function progressText(progress: Progress | undefined, beganAt: number, now: number): string {
  if (progress === undefined) return ''
  const { bytesDone, bytesTotal, filesDone, filesTotal } = progress
  const parts: string[] = []
  if (bytesDone !== undefined) parts.push(bytesTotal === undefined ? formatBytes(bytesDone) : `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`)
  else if (filesDone !== undefined) parts.push(filesTotal === undefined ? `${filesDone} files` : `${filesDone} of ${filesTotal} files`)
  const share = shareOf(bytesDone, bytesTotal) ?? shareOf(filesDone, filesTotal)
  if (share !== null) {
    parts.push(`${Math.floor(share * 100)} %`)
    const elapsed = now - beganAt
    if (share > 0 && share < 1 && elapsed > 1000) parts.push(`ETA ${formatDuration((elapsed / share) * (1 - share))}`)
  }
  return parts.join('  ')
}

function shareOf(done: number | undefined, total: number | undefined): number | null {
  return done === undefined || total === undefined || total <= 0 ? null : Math.min(1, done / total)
}

/** Cut to a width, so that a row never wraps and the list does not jump. */
export function fitted(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`
}
