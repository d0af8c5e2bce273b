/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import puppeteer, { type Browser } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { HistoryResult } from '../../src/stages/history.js'
import type { StatusResult } from '../../src/stages/status.js'
import { makeWorld, oneService, type World } from '../fixtures/world.js'

/** Markup to anybody who does not escape it. */
const evil = '<img src=x onerror=alert(1)>'

let world: World
let browser: Browser
let status: StatusResult
let history: HistoryResult

const at = (name: string): string => join(world.root, name)

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false }, cloud_sync: { RCLONE_REMOTE: null } } })
  await world.stack('web', { model: oneService })
  await world.stack(evil, { model: oneService, isUp: false })
  await world.stack('off', { model: oneService, isUp: false, isEnabled: false })
  for (let night = 0; night < 2; night++) expect((await world.backup()).exitCode).toBe(0)
  const [one, other] = [await world.json<StatusResult>(['status', '--html', at('status.html')]), await world.json<HistoryResult>(['history', '--html', at('history.html')])]
  expect([one.exitCode, other.exitCode]).toEqual([0, 0])
  ;[status, history] = [one.result, other.result]
  const executablePath = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'chromium')).find((file) => statSync(file, { throwIfNoEntry: false }) !== undefined)
  if (executablePath === undefined) throw new Error('chromium is not installed')
  browser = await puppeteer.launch({ executablePath, args: ['--no-sandbox'], headless: true })
})
afterAll(async () => {
  await browser?.close()
  await world?.remove()
})

/** What a person would see at this width, and what he would not want to. */
async function look<T>(name: string, width: number, scheme: 'light' | 'dark', read: () => T): Promise<{ complaints: string[]; asked: string[]; seen: T }> {
  const page = await browser.newPage()
  const [complaints, asked]: [string[], string[]] = [[], []]
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('dialog', (dialog) => void complaints.push(dialog.message()))
  page.on('request', (request) => asked.push(request.url()))
  await page.setViewport({ width, height: 800 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.goto(`file://${at(name)}`)
  const seen = (await page.evaluate(read)) as T
  await page.close()
  return { complaints, asked: asked.filter((url) => url !== `file://${at(name)}` && !url.startsWith('data:')), seen }
}

describe.each(['status.html', 'history.html'])('%s in a browser', (name) => {
  it.each([
    [360, 'light'],
    [1280, 'dark'],
  ] as const)('of %i pixels, %s, complains of nothing, asks nobody, and fits', async (width, scheme) => {
    const { complaints, asked, seen } = await look(name, width, scheme, () => {
      /** As eyes weigh the two; https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
      const light = (colour: string): number => {
        const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map((part) => Number(part) / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
      }
      const groundOf = (element: Element | null): string => {
        const colour = element === null ? 'rgb(255, 255, 255)' : getComputedStyle(element).backgroundColor
        return colour === 'rgba(0, 0, 0, 0)' ? groundOf(element?.parentElement ?? null) : colour
      }
      const texts = [...document.querySelectorAll('h1,h2,h3,p,dt,dd span,th,td,summary,.badge,li,figcaption,footer')].filter((element) => (element.textContent ?? '').trim() !== '')
      const contrasts = texts.map((element) => {
        const [one, other] = [light(getComputedStyle(element).color), light(groundOf(element))].toSorted((a, b) => b - a)
        return ((one ?? 0) + 0.05) / ((other ?? 0) + 0.05)
      })
      return {
        overflow: document.documentElement.scrollWidth - window.innerWidth,
        pictures: document.querySelectorAll('svg').length,
        wide: [...document.querySelectorAll('svg')].filter((svg) => svg.getBoundingClientRect().right > window.innerWidth).length,
        least: Math.min(...contrasts),
        ground: getComputedStyle(document.body).backgroundColor,
        named: [...document.querySelectorAll('svg')].every((svg) => (svg.getAttribute('aria-label') ?? '') !== ''),
        images: document.querySelectorAll('img, script').length,
        language: document.documentElement.lang,
      }
    })
    expect([complaints, asked]).toEqual([[], []])
    expect(seen).toMatchObject({ wide: 0, named: true, images: 0, language: 'en' })
    expect(seen.overflow).toBeLessThanOrEqual(0)
    expect(seen.pictures).toBeGreaterThanOrEqual(4)
    expect(seen.least).toBeGreaterThanOrEqual(4.5)
    const [red] = (/\d+/.exec(seen.ground) ?? ['0']).map(Number)
    expect(scheme === 'dark' ? red! < 60 : red! > 200).toBe(true)
  })
})

it('the page of the status has the figures of status --json', async () => {
  const { seen } = await look('status.html', 1280, 'light', () => ({
    stacks: [...document.querySelectorAll<HTMLElement>('[data-stack]')].map(({ dataset }) => ({ ...dataset })),
    titles: [...document.querySelectorAll('[data-stack] h3')].map((title) => title.textContent),
    bytes: document.querySelector('[data-figure=repository-bytes]')?.getAttribute('data-value'),
    sizes: [...document.querySelectorAll('h3')].some((title) => title.textContent === 'Growth'),
  }))
  const number = (value: number | null): string => (value === null ? '' : String(value))
  const expected = status.stacks.map(({ name, ageMs, lastDowntimeMs, lastReadyMs, state, enabled, overdue, lastSnapshot }) => ({ stack: name, ageMs: number(ageMs), lastDowntimeMs: number(lastDowntimeMs), lastReadyMs: number(lastReadyMs), state, enabled: String(enabled), overdue: String(overdue), snapshot: lastSnapshot?.id ?? '' }))
  const byName = (one: { stack?: string }, other: { stack?: string }): number => (one.stack ?? '').localeCompare(other.stack ?? '')
  expect(seen.stacks.toSorted(byName)).toEqual(expected.toSorted(byName))
  expect(seen.titles).toContain(evil)
  expect(seen.bytes).toBe(String(status.repository.bytes))
  // What a backup has noted of the repository's size is what it has now.
  const last = history.runs.find(({ command }) => command === 'backup')
  expect(last?.['repositoryBytes']).toBe(status.repository.bytes)
})

it('the page of the history has the runs of history --json', async () => {
  const { seen } = await look('history.html', 1280, 'light', () => [...document.querySelectorAll<HTMLElement>('[data-run]')].map(({ dataset }) => [dataset['run'], Number(dataset['exitCode']), Number(dataset['durationMs'])]))
  expect(seen).toEqual(history.runs.map(({ runId, exitCode, durationMs }) => [runId, exitCode, durationMs]))
})

it('is a file as any other of the user, whole or not at all, and its failure is the command\'s', async () => {
  expect(statSync(at('status.html')).mode & 0o777).toBe(0o666 & ~process.umask())
  mkdirSync(at('folder'))
  const failed = await world.json<{ error: { code: string; fix: string } }>(['status', '--html', at('folder')])
  expect([failed.exitCode, failed.result.error.code]).toEqual([1, 'page-not-written'])
  expect((await world.run(['history', '--html', at('none/history.html')])).exitCode).toBe(1)
  // Where there is a page it stays whose it is.
  writeFileSync(at('kept.html'), 'old')
  chmodSync(at('kept.html'), 0o600)
  expect((await world.run(['history', '--html', at('kept.html')])).exitCode).toBe(0)
  expect(statSync(at('kept.html')).mode & 0o777).toBe(0o600)
  expect(readFileSync(at('kept.html'), 'utf8')).toMatch(/^<!doctype html>/)
})
