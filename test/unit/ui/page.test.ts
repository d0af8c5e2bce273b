import { describe, expect, it } from 'vitest'

import type { PastRun } from '../../../src/stages/history.js'
import { seriesOf } from '../../../src/stages/series.js'
import type { StatusResult } from '../../../src/stages/status.js'
import { historyPage } from '../../../src/ui/page/history-page.js'
import { html } from '../../../src/ui/page/html.js'
import { loadPlots } from '../../../src/ui/page/plots.js'
import { statusPage } from '../../../src/ui/page/status-page.js'

const evil = '<script>alert("1")</script>\' & \u202egnp.exe'
const at = '2026-01-02T03:04:05.000Z'

function run(changes: Readonly<Record<string, unknown>> = {}): PastRun {
  const header = { schemaVersion: 1, command: 'backup', runId: 'r', status: 'ok', dryRun: false, startedAt: at, finishedAt: at, durationMs: 1000, problems: [], exitCode: 0 } as const
  return { ...header, stacks: [{ name: evil, status: 'ok', downtimeMs: 1200, snapshot: { bytesAdded: 2048 } }], repositoryBytes: 5_000_000, ...changes }
}

function status(changes: Partial<StatusResult> = {}): StatusResult {
  return {
    schemaVersion: 1, command: 'status', runId: 'r', status: 'ok', dryRun: false, startedAt: at, finishedAt: at, durationMs: 1, problems: [],
    stacks: [{ name: evil, enabled: true, state: 'running', lastSnapshot: { id: 'abcdef0123', time: at }, ageMs: 3_600_000, newestSnapshot: null, lastDowntimeMs: 1200, lastReadyMs: null, overdue: false }],
    repository: { path: `/mnt/${evil}`, id: 'x', bytes: 5_000_000, snapshots: 3, reachable: true },
    cloud: { remote: evil, lastSync: at, ageMs: 5, behindSnapshots: 0, overdue: false },
    lastDrill: null, kit: null, nextRun: null,
    ...changes,
  }
}

describe('what is put into HTML', () => {
  it('is text, wherever it stands', () => {
    expect(html`<p title="${evil}">${evil}</p>${null}${false}${[html`<b>`, 1]}`.text).toBe('<p title="&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39; &amp; \ufffdgnp.exe">&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39; &amp; \ufffdgnp.exe</p><b>1')
  })
})

describe('the series of the past', () => {
  it('are those of backups, oldest first, by themselves or within a whole run', () => {
    const later = '2026-01-03T03:04:05.000Z'
    const series = seriesOf([run({ startedAt: later, command: 'run', stacks: undefined, backup: { stacks: [{ name: 'web', status: 'failed', downtimeMs: null, snapshot: null }] } }), run({ stacks: [{ name: 'web', status: 'ok', downtimeMs: 5, snapshot: { bytesAdded: 7 } }] })])
    expect(series.stacks.get('web')).toEqual([
      { at, status: 'ok', downtimeMs: 5, bytesAdded: 7 },
      { at: later, status: 'failed', downtimeMs: null, bytesAdded: null },
    ])
    expect(series.repository).toEqual([{ at, bytes: 5_000_000 }, { at: later, bytes: 5_000_000 }])
  })

  it('hold nothing of other commands, of stacks that were not reached, or of rubbish', () => {
    const series = seriesOf([run({ command: 'recover', repositoryBytes: undefined }), run({ stacks: [{ name: 'web', status: 'skipped' }, null, { status: 'ok' }], repositoryBytes: 'many' }), run({ command: 'run', stacks: undefined, backup: null, repositoryBytes: -1 })])
    expect([series.stacks.size, series.repository]).toEqual([0, []])
  })
})

describe('a page', () => {
  it('runs nothing and asks nobody, whatever a stack is called', async () => {
    const plots = await loadPlots()
    const pages = [
      statusPage(status({ problems: [{ severity: 'error', code: 'x', message: evil, fix: evil, stack: evil }] }), { series: seriesOf([run(), run({ startedAt: '2026-01-03T03:04:05.000Z' })]), plots, host: evil }),
      historyPage({ ...status(), runs: [run({ problems: [{ severity: 'error', code: 'x', message: evil, fix: '' }] })] }, { stack: evil, plots, host: evil }),
    ]
    for (const page of pages) {
      expect(page).not.toMatch(/<script|\u202e/i)
      expect(page.replaceAll(/xmlns="[^"]*"/g, '')).not.toMatch(/https?:|src=|@import|url\(/)
      expect(page).toContain('&lt;script&gt;')
      expect(page).toContain(`default-src 'none'`)
      expect(page.match(/<svg[^>]*role="img"/g)?.length).toBe(page.match(/<svg/g)?.length)
    }
  })

  it('has the figures of the result for machines, to the letter', async () => {
    const page = statusPage(status({ stacks: status().stacks.map((stack) => ({ ...stack, name: 'web' })) }), { series: seriesOf([]), plots: await loadPlots(), host: 'nas' })
    expect(page).toContain('data-stack="web" data-age-ms="3600000" data-last-downtime-ms="1200" data-last-ready-ms="" data-state="running" data-enabled="true" data-overdue="false" data-snapshot="abcdef0123"')
    expect(page).toContain('data-figure="repository-bytes" data-value="5000000"')
  })

  it.each([
    ['nothing at all', status({ stacks: [], cloud: null, repository: { path: '', id: null, bytes: null, snapshots: null, reachable: false } }), [] as PastRun[]],
    ['one backup without any new data', status(), [run({ stacks: [{ name: evil, status: 'ok', downtimeMs: 0, snapshot: { bytesAdded: 0 } }], repositoryBytes: 0 })]],
    ['a thousand backups', status(), Array.from({ length: 1000 }, (_, day) => run({ startedAt: new Date(Date.UTC(2024, 0, day)).toISOString(), repositoryBytes: 2 ** 50 * day, stacks: [{ name: evil, status: 'ok', downtimeMs: day * 1e7, snapshot: { bytesAdded: 2 ** 50 } }] }))],
  ])('is written of %s', async (_, result, runs) => {
    const plots = await loadPlots()
    for (const page of [statusPage(result, { series: seriesOf(runs), plots, host: 'nas' }), historyPage({ ...result, runs }, { stack: undefined, plots, host: 'nas' })]) {
      expect(page).toMatch(/^<!doctype html>\n[^]*<\/html>\n$/)
      expect(page).not.toMatch(/NaN|undefined|Infinity/)
    }
  })
})
