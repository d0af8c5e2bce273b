import { wasDeclined, type HistoryResult, type PastRun } from '../../stages/history.js'
import { seriesOf } from '../../stages/series.js'
import { formatDuration } from '../table.js'
import { backupTable } from './backup-table.js'
import { badge, pageDocument, time, toneOf } from './document.js'
import { html, type Html } from './html.js'
import type { Plots } from './plots.js'
import { longestDowntime } from '../present-history.js'

/** `history` as a page: the runs, and what they say of each stack over time. */
export function historyPage(result: HistoryResult, { stack, plots, host }: { readonly stack: string | undefined; readonly plots: Plots; readonly host: string }): string {
  const { runs } = result
  const series = seriesOf(runs)
  const names = [...series.stacks.keys()].filter((name) => stack === undefined || name === stack).toSorted((one, other) => one.localeCompare(other))
  const bad = runs.filter((run) => run.exitCode !== 0 && !wasDeclined(run)).length
  const verdict = runs.length === 0 ? badge('off', 'No runs') : bad === 0 ? badge('ok', `${runs.length === 1 ? 'One run' : `${runs.length} runs`}, all well`) : badge('bad', `${bad} of ${runs.length} runs did not end well`)
  return pageDocument({
    title: `Runs on ${host}${stack === undefined ? '' : `: ${stack}`}`,
    at: result.finishedAt,
    head: html`<p class="verdict">${verdict}</p>`,
    body: html`<h2>Runs, newest first</h2>
${runs.length === 0 ? html`<p class="soft">There are none.</p>` : html`<section class="card"><div class="scroll" tabindex="0" role="region" aria-label="Runs"><table class="runs" role="table"><caption>The downtime is that of the stack that was down longest</caption><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Begun</th><th scope="col" role="columnheader">Command</th><th scope="col" role="columnheader">Result</th><th scope="col" role="columnheader" class="number">Exit</th><th scope="col" role="columnheader" class="number">Took</th><th scope="col" role="columnheader" class="number">Down</th><th scope="col" role="columnheader">What it said</th></tr></thead><tbody role="rowgroup">${runs.map((run) => row(run, stack))}</tbody></table></div></section>`}
${names.length === 0 ? '' : html`<h2>Stacks over these runs</h2><div class="grid">${names.map((name) => html`<section class="card" data-stack="${name}"><h3>${name}</h3>${plots.downtime(series.stacks.get(name) ?? [])}${plots.newData(series.stacks.get(name) ?? [])}${backupTable(name, series.stacks.get(name) ?? [])}</section>`)}</div>`}
${series.repository.length === 0 ? '' : html`<h2>Repository</h2><div class="grid"><section class="card"><h3>Growth</h3>${plots.growth(series.repository)}</section></div>`}`,
  })
}

function row(run: PastRun, stack: string | undefined): Html {
  const [first] = run.problems
  const more = run.problems.length > 1 ? ` (and ${run.problems.length - 1} more)` : ''
  const downtimeMs = longestDowntime(run, stack)
  return html`<tr role="row" data-run="${run.runId}" data-exit-code="${run.exitCode}" data-duration-ms="${run.durationMs}" data-downtime-ms="${downtimeMs}"><td role="cell">${time(run.startedAt)}</td><td role="cell">${run.command}</td><td role="cell">${wasDeclined(run) ? badge('off', 'declined') : badge(toneOf(run.status), run.status)}</td><td role="cell" class="number" data-label="exit">${run.exitCode}</td><td role="cell" class="number" data-label="took">${formatDuration(run.durationMs)}</td><td role="cell" class="number" data-label="down">${formatDuration(downtimeMs)}</td><td role="cell" class="wide">${first === undefined ? '' : `${first.stack === undefined ? '' : `${first.stack}: `}${first.message.split('\n')[0] ?? ''}${more}`}</td></tr>`
}
