import type { Progress } from '@stackbk/contract'

import { counted } from '../counted.js'
import { formatBytes, formatDuration } from './table.js'

/**
 * `12.0 MiB of 1.0 GiB  1 %  ETA 3 min 20 s`: what is known of it. The tool's own word on what is left counts; where
 * it has none, the time since `beganAt` (milliseconds since the epoch) tells.
 */
export function progressText(progress: Progress | undefined, beganAt: number, now: number): string {
  if (progress === undefined) return ''
  const { bytesDone, bytesTotal, filesDone, filesTotal, remainingMs, note } = progress
  const parts: string[] = []
  if (bytesDone !== undefined) parts.push(bytesTotal === undefined ? formatBytes(bytesDone) : `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`)
  else if (filesDone !== undefined) parts.push(filesTotal === undefined ? counted(filesDone, 'file') : `${filesDone} of ${counted(filesTotal, 'file')}`)
  const share = shareOf(bytesDone, bytesTotal) ?? shareOf(filesDone, filesTotal)
  if (share !== null) {
    parts.push(`${Math.floor(share * 100)} %`)
    const elapsed = now - beganAt
    const guess = share > 0 && share < 1 && elapsed > 1000 ? (elapsed / share) * (1 - share) : undefined
    const left = share < 1 ? (remainingMs ?? guess) : undefined
    if (left !== undefined) parts.push(`ETA ${formatDuration(left)}`)
  }
  if (note !== undefined && note !== '') parts.push(note)
  return parts.join('  ')
}

function shareOf(done: number | undefined, total: number | undefined): number | null {
  return done === undefined || total === undefined || total <= 0 ? null : Math.min(1, done / total)
}
