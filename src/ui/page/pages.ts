import { type HistoryResult, readRuns } from '../../stages/history.js'
import { seriesOf } from '../../stages/series.js'
import type { StatusResult } from '../../stages/status.js'
import { historyPage } from './history-page.js'
import { loadPlots } from './plots.js'
import { statusPage } from './status-page.js'
import { writePage } from './write-page.js'

/** So far back a state's page looks. Milliseconds. */
const lookBackMs = 90 * 24 * 3_600_000

/** Writes `status` as a page. `historyFile`: the past runs. Throws (kind `failed`) where the file cannot be written. */
export async function writeStatusPage(file: string, result: StatusResult, { historyFile, host }: { readonly historyFile: string; readonly host: string }): Promise<void> {
  const since = Date.now() - lookBackMs
  const series = seriesOf(readRuns(historyFile).filter(({ startedAt }) => Date.parse(startedAt) >= since))
  writePage(file, statusPage(result, { series, plots: await loadPlots(), host }))
}

/** Writes `history` as a page; the same. */
export async function writeHistoryPage(file: string, result: HistoryResult, { stack, host }: { readonly stack: string | undefined; readonly host: string }): Promise<void> {
  writePage(file, historyPage(result, { stack, plots: await loadPlots(), host }))
}
