import { mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { withBlock } from '../../../../src/host/crontab.js'
import { hasSchedule } from '../../../../src/stages/schedule/known-schedule.js'
import { recordLine } from '../../../../src/stages/schedule/record.js'
import { at } from '../fixtures.js'

const record = (configuration: string): string => recordLine({ schemaVersion: 1, at: 'daily', configuration, sync: true, program: ['node', 'run.js'], dataFolder: '/data' })

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

describe('whether stackbk is scheduled, as files say', () => {
  const environment = (): { XDG_CONFIG_HOME: string } => ({ XDG_CONFIG_HOME: at('config') })
  const timer = (): string => join(at('config'), 'systemd', 'user', 'stackbk.timer')
  const crontab = (): string => join(at('crontabs'), userInfo().username)

  it('is false without a timer and without a crontab', () => {
    expect(hasSchedule(at('config.ini'), environment(), [at('crontabs')])).toBe(false)
  })

  it('is true for a timer with this configuration, and for no other', () => {
    write(timer(), `${record(at('config.ini'))}\n[Timer]\n`)
    expect(hasSchedule(at('config.ini'), environment(), [at('crontabs')])).toBe(true)
    expect(hasSchedule(at('other.ini'), environment(), [at('crontabs')])).toBe(false)
  })

  it('is true for a crontab with this configuration', () => {
    write(crontab(), withBlock('0 0 * * * true\n', [record(at('config.ini')), '30 2 * * * stackbk run']))
    expect(hasSchedule(at('config.ini'), environment(), [at('crontabs')])).toBe(true)
    expect(hasSchedule(at('other.ini'), environment(), [at('crontabs')])).toBe(false)
  })

  it('is unknown if the crontab cannot be read', () => {
    mkdirSync(crontab(), { recursive: true })
    expect(hasSchedule(at('config.ini'), environment(), [at('crontabs')])).toBe(null)
  })
})
