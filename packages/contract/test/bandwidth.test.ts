import { bandwidthAt, parseBandwidth, type Bandwidth } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

const both = (rate: number | null): Bandwidth => ({ up: rate, down: rate })
/** A Wednesday. */
const at = (time: string, day = 25): Date => new Date(`2026-11-${day}T${time}:00`)

describe('a bandwidth', () => {
  it.each([
    ['10M', both(10 * 1024 ** 2)],
    ['512', both(512 * 1024)],
    ['512k', both(512 * 1024)],
    ['1.5MiB', both(1.5 * 1024 ** 2)],
    ['300B', both(300)],
    ['off', both(null)],
    ['0', both(null)],
    ['10M:1M', { up: 10 * 1024 ** 2, down: 1024 ** 2 }],
    ['off:1M', { up: null, down: 1024 ** 2 }],
  ])('%s holds at any time', (text, expected) => {
    expect(bandwidthAt(parseBandwidth(text) ?? [], at('03:00'))).toEqual(expected)
  })

  it.each(['', 'quick', '10M:1M:1M', '-5M', '10 M', '25:00,1M', '08:61,1M', 'Xyz-08:00,1M', '08:00,512k off'])('%j is none', (text) => {
    expect(parseBandwidth(text)).toBeNull()
  })
})

describe('a timetable', () => {
  it('holds from one entry to the next, over midnight too', () => {
    const timetable = parseBandwidth('08:00,512k 12:00,10M 23:00,off') ?? []
    expect(['07:59', '08:00', '12:30', '23:00', '00:10'].map((time) => bandwidthAt(timetable, at(time)).up)).toEqual([null, 512 * 1024, 10 * 1024 ** 2, null, null])
  })

  it('may name days, and goes on from the end of the week before', () => {
    const timetable = parseBandwidth('Mon-08:00,512k Friday-18:00,off') ?? []
    expect(bandwidthAt(timetable, at('12:00')).up).toBe(512 * 1024)
    // Friday, Saturday, Sunday and the early Monday
    for (const [time, day] of [['19:00', 27], ['12:00', 28], ['12:00', 29], ['07:00', 30]] as const) expect(bandwidthAt(timetable, at(time, day)).up).toBeNull()
  })
})
