import type { BackupPoint, SizePoint } from '../../stages/series.js'
import { formatBytes, formatDuration } from '../table.js'
import { shortTime } from './document.js'
import { html, trusted, type Html } from './html.js'

/** As wide as a telephone, so that its letters are read there; a wider card enlarges it a little. */
const width = 340

/** More than this are too near to each other to be told apart. */
const mostPoints = 90

/** Draws on the server's side; made once for a page, and loaded only then. */
export interface Plots {
  /** How long a stack was down, a bar a backup. */
  downtime(points: readonly BackupPoint[]): Html
  /** What the repository took of a stack, a bar a backup. */
  newData(points: readonly BackupPoint[]): Html
  /** What the repository took, over time. */
  growth(points: readonly SizePoint[]): Html
}

/** The part of an SVG element that is needed here: the types of a browser are not at hand. */
interface Drawing {
  readonly outerHTML: string
  setAttribute(name: string, value: string): void
}

export async function loadPlots(): Promise<Plots> {
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
  const { document } = parseHTML('<!doctype html><html><body></body></html>') as { document: object }
  const plotOf = Plot.plot as unknown as (options: object) => Drawing

  const draw = (title: string, options: object): Html => {
    const plot = plotOf({ document, width, height: 130, marginLeft: 52, marginRight: 12, marginTop: 14, marginBottom: 30, style: { fontSize: '11px' }, ...options })
    // A picture has one name; what is in it is in the table below it.
    plot.setAttribute('role', 'img')
    plot.setAttribute('aria-label', title)
    return html`<figure><figcaption aria-hidden="true">${title}</figcaption>${trusted(plot.outerHTML)}</figure>`
  }
  const bars = (title: string, colour: string, points: readonly Value[], scale: Scale): Html => {
    const data = points.slice(-mostPoints).map(({ at, value, isGood }) => ({ at: new Date(at), value, colour: isGood ? colour : 'var(--bad)', title: `${shortTime(at)}: ${scale.inWords(value)}${isGood ? '' : ', not ok'}` }))
    if (data.length === 0) return html``
    const highest = Math.max(...data.map(({ value }) => value))
    return draw(data.some((point) => point.colour !== colour) ? `${title} (red: the backup was not ok)` : title, {
      color: { type: 'identity' },
      x: { type: 'utc', label: null, ticks: 4, inset: 6, ...lone(data.map(({ at }) => at)) },
      y: { label: null, ticks: ticksUpTo(highest, scale), grid: true, domain: [0, highest === 0 ? 1 : highest], tickFormat: scale.onAxis },
      marks: [
        Plot.ruleY([0], { stroke: 'currentColor', strokeOpacity: 0.4 }),
        Plot.ruleX(data, { x: 'at', y: 'value', stroke: 'colour', strokeWidth: Math.max(2, Math.min(8, 180 / data.length)), strokeLinecap: 'butt', title: 'title' }),
        Plot.dot(data.filter(({ value }) => value === 0), { x: 'at', y: 'value', r: 2, fill: 'colour', title: 'title' }),
      ],
    })
  }
  return {
    downtime: (points) => bars('Downtime', 'var(--accent)', valuesOf(points, ({ downtimeMs }) => downtimeMs), durations),
    newData: (points) => bars('New data', 'var(--second)', valuesOf(points, ({ bytesAdded }) => bytesAdded), sizes),
    growth: (points) => {
      const data = points.map(({ at, bytes }) => ({ at: new Date(at), bytes, title: `${shortTime(at)}: ${formatBytes(bytes)}` }))
      if (data.length === 0) return html``
      return draw('Size of the repository', {
        height: 180,
        x: { type: 'utc', label: null, ticks: 4, inset: 4, ...lone(data.map(({ at }) => at)) },
        y: { label: null, ticks: ticksUpTo(Math.max(...data.map(({ bytes }) => bytes)), sizes), grid: true, zero: true, tickFormat: sizes.onAxis },
        marks: [
          Plot.areaY(data, { x: 'at', y: 'bytes', fill: 'var(--accent)', fillOpacity: 0.15 }),
          Plot.lineY(data, { x: 'at', y: 'bytes', stroke: 'var(--accent)', strokeWidth: 2 }),
          Plot.dot(data, { x: 'at', y: 'bytes', r: data.length > 40 ? 1.5 : 3, fill: 'var(--accent)', title: 'title' }),
          Plot.ruleY([0], { stroke: 'currentColor', strokeOpacity: 0.4 }),
        ],
      })
    },
  }
}

interface Value {
  readonly at: string
  readonly value: number
  readonly isGood: boolean
}

/** How a quantity is written, and which steps of it are round. */
interface Scale {
  readonly inWords: (value: number) => string
  readonly onAxis: (value: number) => string
  /** Ascending; a step larger than the last one is a multiple of it. */
  readonly steps: readonly number[]
}

const second = 1000
const durations: Scale = {
  inWords: formatDuration,
  onAxis: (value) => (value === 0 ? '0' : value < 60 * second ? `${value / second} s` : value < 3600 * second ? `${value / 60 / second} min` : `${value / 3600 / second} h`),
  steps: [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400].map((seconds) => seconds * second),
}

const sizes: Scale = {
  inWords: formatBytes,
  onAxis: (value) => (value === 0 ? '0' : formatBytes(value).replace(/\.0 /, ' ')),
  steps: [1, 1024, 1024 ** 2, 1024 ** 3, 1024 ** 4].flatMap((unit) => [1, 2, 5, 10, 20, 50, 100, 200, 500].map((count) => count * unit)),
}

/** Three or four, and all of them round. */
function ticksUpTo(highest: number, { steps }: Scale): number[] {
  const largest = steps.at(-1) ?? 1
  const step = steps.find((candidate) => highest / candidate <= 4) ?? Math.ceil(highest / 4 / largest) * largest
  return Array.from({ length: Math.floor(highest / step) + 1 }, (_, index) => index * step)
}

function valuesOf(points: readonly BackupPoint[], value: (point: BackupPoint) => number | null): Value[] {
  return points.flatMap((point) => {
    const found = value(point)
    return found === null ? [] : [{ at: point.at, value: found, isGood: point.status === 'ok' }]
  })
}

/** Time needs a width: around one moment there is a day. */
function lone(moments: readonly Date[]): { domain?: [Date, Date] } {
  const [first, last] = [moments[0]?.getTime() ?? 0, moments.at(-1)?.getTime() ?? 0]
  return last - first > 60_000 ? {} : { domain: [new Date(first - 43_200_000), new Date(last + 43_200_000)] }
}
