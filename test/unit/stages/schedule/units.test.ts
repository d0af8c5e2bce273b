import { describe, expect, it } from 'vitest'

import type { ScheduleRecord } from '../../../../src/stages/schedule/record.js'
import { scheduleUnits, unitPaths } from '../../../../src/stages/schedule/units.js'

const record: ScheduleRecord = { schemaVersion: 1, at: 'daily', configuration: '/etc/stackbk/config.ini', sync: true, program: ['/usr/bin/node', '/opt/run.js'], dataFolder: '/data' }

function units(more: Partial<ScheduleRecord> = {}): ReadonlyMap<string, string> {
  const surroundings = { program: record.program, configuration: record.configuration, variables: {}, environmentFile: '/x', credentials: [], problems: [] }
  const files = scheduleUnits({ folder: '/units', scope: 'system', record: { ...record, ...more }, surroundings, docker: { graceSeconds: 1, healthTimeoutMs: 1000 }, sources: [], runsForeignCommands: false })
  return new Map(files.map(({ file, text }) => [file.slice('/units/'.length), text]))
}

describe('the units of a schedule', () => {
  it('have a timer and a service of their own for a verify and a drill, only where they are scheduled', () => {
    expect([...units().keys()]).toEqual(['stackbk.service', 'stackbk.timer', 'stackbk-resume.service', 'stackbk-resume-without-disks.service'])
    const all = units({ verify: 'weekly', drill: 'monthly' })
    expect([...all.keys()].slice(4)).toEqual(['stackbk-verify.service', 'stackbk-verify.timer', 'stackbk-drill.service', 'stackbk-drill.timer'])
    expect(all.get('stackbk-verify.timer')).toContain('OnCalendar=weekly\n')
    expect(all.get('stackbk-drill.timer')).toContain('Unit=stackbk-drill.service\n')
    expect(all.get('stackbk-drill.service')).toMatch(/ExecStart=.*drill.*--wait/)
    expect(units({ drill: 'monthly', sync: false }).get('stackbk-drill.service')).toMatch(/ExecStart=.*drill.*--local/)
    expect([...all.keys()].every((name) => unitPaths('/units').includes(`/units/${name}`))).toBe(true)
  })

  it('take exit code 75 of the nightly run for a success, which it is only while a backup holds the lock', () => {
    expect(units().get('stackbk.service')).toMatch(/ExecStart=.*run.*--wait.*--scheduled[^]*SuccessExitStatus=75/)
    expect(units({ verify: 'weekly' }).get('stackbk-verify.service')).not.toContain('SuccessExitStatus')
  })
})
