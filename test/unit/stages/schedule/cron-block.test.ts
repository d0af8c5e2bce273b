import { describe, expect, it } from 'vitest'

import { asCron, cronBlock, fieldsIn } from '../../../../src/stages/schedule/cron-block.js'
import { nextOfCron } from '../../../../src/stages/schedule/installed.js'
import { recordIn, type ScheduleRecord } from '../../../../src/stages/schedule/record.js'
import type { Surroundings } from '../../../../src/stages/schedule/surroundings.js'

const record: ScheduleRecord = { schemaVersion: 1, at: 'daily', configuration: '/etc/100% sure/config.ini', sync: true, program: ['/usr/bin/node', '/opt/run.js'], dataFolder: '/data' }
const surroundings: Surroundings = { program: record.program, configuration: record.configuration, variables: { HOME: '/root', PATH: '/usr/bin' }, environmentFile: '/x', credentials: [], problems: [] }

describe('a time in the words of cron', () => {
  it.each([
    ['30 2 * * *', '30 2 * * *'],
    ['*/15 0-6 1,15 jan mon-fri', '*/15 0-6 1,15 jan mon-fri'],
    ['daily', '0 0 * * *'],
    ['@weekly', '0 0 * * 1'],
    ['02:30', '30 2 * * *'],
    ['*-*-* 02:30:00', '30 2 * * *'],
    ['*-*-15 4:05', '5 4 15 * *'],
    ['Mon..Fri 03:00', '0 3 * * 1-5'],
    ['Sat,Sun *-*-* 4:05', '5 4 * * 6,0'],
    ['Fri..Sunday 4:05', '5 4 * * 5-7'],
  ])('%s is %s', (calendar, fields) => expect(asCron(calendar)).toBe(fields))

  it.each(['', 'soon', '25:00', '02:60', '*-01-* 02:30', '02:30:15', 'Mon *-*-1 02:30', 'Sun..Foo 02:30', '1 2 3', '30 2 * * *; true'])('%s is none', (calendar) => expect(asCron(calendar)).toBeNull())
})

it('the next run is told in this host’s time, and none for what never comes or is wrong', async () => {
  const next = new Date((await nextOfCron('30 2 * * *')) ?? '')
  expect([next.getHours(), next.getMinutes(), next > new Date()]).toEqual([2, 30, true])
  expect([await nextOfCron('61 * * * *'), await nextOfCron('0 0 31 2 *')]).toEqual([null, null])
})

describe('the lines of a crontab', () => {
  it('call node and the program by their paths, with the configuration, and escape what cron would cut', () => {
    const block = cronBlock(record, '0 0 * * *', surroundings)
    expect(block).toContain("0 0 * * * /usr/bin/env PATH=/usr/bin /usr/bin/node /opt/run.js run --wait --scheduled --config '/etc/100\\% sure/config.ini' --quiet")
    expect(block.some((line) => line.startsWith('@reboot ') && line.includes(' resume --config '))).toBe(true)
    expect(fieldsIn(block)).toBe('0 0 * * *')
    expect(recordIn(block.join('\n'))).toEqual(record)
  })

  it('only back up where no cloud is configured', () => {
    expect(cronBlock({ ...record, sync: false }, '0 0 * * *', surroundings).join('\n')).toContain(' run --no-sync --wait --scheduled --config ')
  })

  it('run a verify and a drill at their own times, and keep the nightly run first', () => {
    const withExtras: ScheduleRecord = { ...record, verify: 'weekly', drill: 'monthly' }
    const block = cronBlock(withExtras, '0 0 * * *', surroundings)
    expect(block.filter((line) => / (?:verify|drill) --wait --config /.test(line)).map((line) => line.split(' /usr/bin/env')[0])).toEqual(['0 0 * * 1', '0 0 1 * *'])
    expect([fieldsIn(block), recordIn(block.join('\n'))]).toEqual(['0 0 * * *', withExtras])
    expect(cronBlock({ ...withExtras, sync: false }, '0 0 * * *', surroundings).join('\n')).toContain(' drill --local --wait ')
  })

  it('are refused where cron would cut them off or has no credentials to give', () => {
    expect(() => cronBlock(record, '0 0 * * *', { ...surroundings, variables: { PATH: 'x'.repeat(1000) } })).toThrow(/cannot be written/)
    expect(() => cronBlock(record, '0 0 * * *', { ...surroundings, credentials: [{ name: 'restic', path: null, isEncrypted: false }] })).toThrow(/cannot provide credentials/)
  })
})
