/** Bytes a second; `null`: unlimited. */
export interface Bandwidth {
  readonly up: number | null
  readonly down: number | null
}

interface Entry {
  /** Minutes since Sunday 0:00, in local time. */
  readonly from: number
  readonly bandwidth: Bandwidth
}

/** A limit that may change in the course of the week; the earliest entry first, never empty. */
export type BandwidthTimetable = readonly Entry[]

const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
const minutesOfDay = 24 * 60
const unit: Readonly<Record<string, number>> = { b: 1, '': 1024, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4, p: 1024 ** 5 }

/**
 * Reads `BANDWIDTH` of `[cloud_sync]`, which every transport may declare for itself: as rclone writes it, in KiB where no unit
 * is given (https://rclone.org/docs/#bwlimit-bandwidth-spec): `10M`, `10M:1M` (up and down), `off`, or a timetable such as
 * `08:00,512k 23:00,off` and `Mon-08:00,512k`. `null` for what is none.
 */
export function parseBandwidth(text: string): BandwidthTimetable | null {
  const words = text.trim().split(/\s+/)
  const [only = ''] = words
  if (words.length === 1 && !only.includes(',')) {
    const bandwidth = bandwidthOf(only)
    return bandwidth === null ? null : [{ from: 0, bandwidth }]
  }
  const entries: Entry[] = []
  for (const word of words) {
    const [, day = '', hours = '', minutes = '', rate = ''] = /^(?:([a-z]{3})[a-z]*-)?(\d{1,2}):(\d{2}),(\S+)$/i.exec(word) ?? []
    const bandwidth = bandwidthOf(rate)
    const start = Number(hours) * 60 + Number(minutes)
    const named = days.indexOf(day.toLowerCase() as (typeof days)[number])
    if (bandwidth === null || hours === '' || start >= minutesOfDay || Number(minutes) > 59 || (day !== '' && named < 0)) return null
    for (const index of day === '' ? days.keys() : [named]) entries.push({ from: index * minutesOfDay + start, bandwidth })
  }
  return entries.toSorted((a, b) => a.from - b.from)
}

/** The limit that holds at a moment: that of the last entry before it, be it in the week before. */
export function bandwidthAt(timetable: BandwidthTimetable, at: Date): Bandwidth {
  const minute = at.getDay() * minutesOfDay + at.getHours() * 60 + at.getMinutes()
  const entry = timetable.findLast(({ from }) => from <= minute) ?? timetable.at(-1)
  return entry?.bandwidth ?? { up: null, down: null }
}

function bandwidthOf(text: string): Bandwidth | null {
  const [up = '', down = up, more] = text.split(':')
  const [upRate, downRate] = [rateOf(up), rateOf(down)]
  if (more !== undefined || upRate === undefined || downRate === undefined) return null
  return { up: upRate, down: downRate }
}

/** `undefined` for what is no rate, `null` for none. */
function rateOf(text: string): number | null | undefined {
  if (/^off$/i.test(text)) return null
  const [, amount = '', letter = ''] = /^(\d+(?:\.\d+)?)(b|[kmgtp]?)(?:i?b)?$/i.exec(text) ?? []
  if (amount === '') return undefined
  const rate = Math.round(Number(amount) * (unit[letter.toLowerCase()] ?? 1))
  return rate === 0 ? null : rate
}
