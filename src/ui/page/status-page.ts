import type { BackupPoint, Series, SizePoint } from '../../stages/series.js'
import type { StackStatusReport, StatusResult } from '../../stages/status.js'
import { formatBytes, formatDuration } from '../table.js'
import { behindInWords, isRepositoryUnread } from '../unread-repository.js'
import { backupTable, shownBackups } from './backup-table.js'
import { badge, pageDocument, time, toneOf } from './document.js'
import { html, type Html } from './html.js'
import type { Plots } from './plots.js'
import { problemList } from './problem-list.js'

/** `status` as a page: the state now, and how it came about. `host`: whose. */
export function statusPage(result: StatusResult, { series, plots, host }: { readonly series: Series; readonly plots: Plots; readonly host: string }): string {
  const errors = result.problems.filter(({ severity }) => severity === 'error').length
  const warnings = result.problems.length - errors
  const verdict = errors > 0 ? badge('bad', errors === 1 ? 'One thing needs you' : `${errors} things need you`) : warnings > 0 ? badge('warn', warnings === 1 ? 'One warning' : `${warnings} warnings`) : badge('ok', 'All is well')
  const stacks = result.stacks.toSorted((one, other) => Number(other.overdue) - Number(one.overdue) || Number(other.enabled) - Number(one.enabled) || one.name.localeCompare(other.name))
  return pageDocument({
    title: `Backups of ${host}`,
    at: result.finishedAt,
    head: html`<p class="verdict">${verdict}</p>${problemList(result.problems)}`,
    body: html`${tiles(result)}
<h2>Stacks</h2>
${stacks.length === 0 ? html`<p class="soft">There are none.</p>` : html`<div class="grid">${stacks.map((stack) => card(stack, series.stacks.get(stack.name) ?? [], plots, isRepositoryUnread(result)))}</div>`}
<h2>Repository</h2>
<div class="grid">${repositoryCard(result, series.repository, plots)}${drillCard(result)}</div>`,
  })
}

function tiles(result: StatusResult): Html {
  const { stacks, repository, cloud, lastDrill, nextRun } = result
  const isUnread = isRepositoryUnread(result)
  const enabled = stacks.filter((stack) => stack.enabled)
  const ages = enabled.flatMap(({ ageMs }) => ageMs ?? [])
  const late = enabled.filter(({ overdue }) => overdue).length
  const oldest = ages.length === 0 ? null : Math.max(...ages)
  return html`<dl class="tiles">
${tile('Oldest good snapshot', oldest === null ? (isUnread ? 'unknown' : 'none') : formatDuration(oldest), late === 0 ? `of ${enabled.length} enabled ${enabled.length === 1 ? 'stack' : 'stacks'}` : `${late} of ${enabled.length} enabled stacks overdue`)}
${tile('Repository', formatBytes(repository.bytes), repository.reachable ? `${repository.snapshots ?? 'unknown'} snapshots` : 'not reachable', { key: 'repository-bytes', value: repository.bytes })}
${tile('Cloud copy', cloud === null ? 'none' : cloud.lastSync === null ? (repository.id === null && isUnread ? 'unknown' : 'never') : `${formatDuration(cloud.ageMs)} old`, cloud === null ? 'not configured' : `${behindInWords(cloud.behindSnapshots)}${cloud.overdue ? ', overdue' : ''}`, { key: 'cloud-age-ms', value: cloud?.ageMs ?? null })}
${tile('Last drill', lastDrill === null ? 'never' : time(lastDrill.at), lastDrill === null ? 'no rehearsal so far' : lastDrill.status)}
${tile('Next run', nextRun === null ? 'not scheduled' : time(nextRun), '')}
</dl>`
}

function tile(name: string, figure: Html | string, remark: string, exact: { readonly key: string; readonly value: number | null } | null = null): Html {
  return html`<div class="card"><dt>${name}</dt><dd><span class="big" data-figure="${exact?.key ?? ''}" data-value="${exact?.value ?? ''}">${figure}</span>${remark === '' ? '' : html`<br><span class="soft">${remark}</span>`}</dd></div>`
}

function card(stack: StackStatusReport, points: readonly BackupPoint[], plots: Plots, isUnread: boolean): Html {
  const { name, enabled, state, lastSnapshot, newestSnapshot, ageMs, lastDowntimeMs, lastReadyMs, overdue } = stack
  const mark = overdue ? badge('bad', 'overdue') : enabled ? badge('ok', 'ok') : badge('off', 'off')
  return html`<section class="card${overdue ? ' late' : ''}" data-stack="${name}" data-age-ms="${ageMs}" data-last-downtime-ms="${lastDowntimeMs}" data-last-ready-ms="${lastReadyMs}" data-state="${state}" data-enabled="${String(enabled)}" data-overdue="${String(overdue)}" data-snapshot="${lastSnapshot?.id ?? null}">
<div class="head"><h3>${name}</h3>${mark}</div>
<p><span class="big">${lastSnapshot === null ? (isUnread ? 'unknown' : 'never saved') : `${formatDuration(ageMs)} old`}</span></p>
<p class="soft">${lastSnapshot === null ? (isUnread ? 'The repository could not be read' : 'There is no good snapshot') : html`Snapshot <code>${lastSnapshot.id.slice(0, 8)}</code> of ${time(lastSnapshot.time)}`}${newestSnapshot === null || newestSnapshot.marks.length === 0 ? '' : html`; the newest, <code>${newestSnapshot.id.slice(0, 8)}</code> of ${time(newestSnapshot.time)}, is marked ${newestSnapshot.marks.join(', ')}`}; ${state}. ${lastDowntimeMs === null ? '' : `Last down ${formatDuration(lastDowntimeMs)}, healthy after ${formatDuration(lastReadyMs)}.`}</p>
${plots.downtime(points)}${plots.newData(points)}${backupTable(name, points)}
</section>`
}

function repositoryCard({ repository, cloud }: StatusResult, points: readonly SizePoint[], plots: Plots): Html {
  const rows = points.slice(-shownBackups).toReversed().map(({ at, bytes }) => html`<tr><td>${time(at)}</td><td class="number">${formatBytes(bytes)}</td></tr>`)
  return html`<section class="card"><div class="head"><h3>Growth</h3>${repository.reachable ? badge('ok', 'reachable') : badge('bad', 'not reachable')}</div>
<p class="soft"><code>${repository.path}</code>${cloud === null ? '' : html`, copied to <code>${cloud.remote}</code>`}</p>
${points.length === 0 ? html`<p class="soft">How it grows shows from the next backup on.</p>` : plots.growth(points)}
${rows.length === 0 ? '' : html`<details><summary>Sizes<span class="soft"> in figures</span></summary><div class="scroll" tabindex="0" role="region" aria-label="Sizes of the repository"><table><caption>Size of the repository after a backup</caption><thead><tr><th scope="col">Backup begun</th><th scope="col" class="number">Size</th></tr></thead><tbody>${rows}</tbody></table></div></details>`}
</section>`
}

function drillCard({ lastDrill }: StatusResult): Html {
  if (lastDrill === null) return html`<section class="card"><div class="head"><h3>Last drill</h3>${badge('off', 'never')}</div><p class="soft">Whether the copy brings the stacks back is known only when it was tried: <code>stackbk drill</code></p></section>`
  const rows = lastDrill.stacks.map(({ name, status, recoveryMs, dataAgeMs }) => html`<tr><td class="name">${name}</td><td>${badge(toneOf(status), status)}</td><td class="number">${formatDuration(recoveryMs)}</td><td class="number">${formatDuration(dataAgeMs)}</td></tr>`)
  return html`<section class="card"><div class="head"><h3>Last drill</h3>${badge(toneOf(lastDrill.status), lastDrill.status)}</div><p class="soft">${time(lastDrill.at)}, from <code>${lastDrill.source}</code></p>
<div class="scroll" tabindex="0" role="region" aria-label="Stacks of the last drill"><table><caption>How long each took to be back, and how old its data was</caption><thead><tr><th scope="col">Stack</th><th scope="col">Result</th><th scope="col" class="number">Back in</th><th scope="col" class="number">Age</th></tr></thead><tbody>${rows}</tbody></table></div></section>`
}
