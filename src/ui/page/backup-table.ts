import type { BackupPoint } from '../../stages/series.js'
import { formatBytes, formatDuration } from '../table.js'
import { badge, time, toneOf } from './document.js'
import { html, type Html } from './html.js'

/** Of the past so much is told in figures below its pictures. */
export const shownBackups = 10

/** What the pictures of a stack show, for those who do not see them and for those who want it to the letter. */
export function backupTable(name: string, points: readonly BackupPoint[]): Html {
  if (points.length === 0) return html``
  const rows = points.slice(-shownBackups).toReversed().map(({ at, status, downtimeMs, bytesAdded }) => html`<tr><td>${time(at)}</td><td>${badge(toneOf(status), status)}</td><td class="number">${formatDuration(downtimeMs)}</td><td class="number">${formatBytes(bytesAdded)}</td></tr>`)
  return html`<details><summary>Last ${rows.length === 1 ? 'backup' : `${rows.length} backups`}<span class="soft"> in figures</span></summary>
<div class="scroll" tabindex="0" role="region" aria-label="Last backups of ${name}"><table><caption>Last backups of ${name}</caption><thead><tr><th scope="col">Begun</th><th scope="col">Result</th><th scope="col" class="number">Down</th><th scope="col" class="number">New</th></tr></thead><tbody>${rows}</tbody></table></div></details>`
}
