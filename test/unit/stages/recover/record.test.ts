import { existsSync, readdirSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { RecoveryRecords, type RecoveryRecord } from '../../../../src/stages/recover/record.js'
import { at, write } from '../fixtures.js'

const record = (key: string, writtenAt: string): RecoveryRecord => ({
  schemaVersion: 1, runId: 'run', key, name: key, directory: `/stacks/${key}`, writtenAt, phase: 'extracting', scope: 'stack', snapshotId: 'a', repository: null, capsule: null, hadPresent: false, before: null,
  folders: [], overwritten: [], moves: [], volumeMoves: [], newVolumes: [], oldContainers: [], oldVolumes: [], returned: [], services: [], noStart: false, allowHostVolumes: false, healthTimeoutMs: 1,
})

describe('the records of recoveries', () => {
  it('come back oldest first, and what cannot be read is named', () => {
    const records = new RecoveryRecords(at('recoveries'))
    expect(records.isEmpty()).toBe(true)
    records.write(record('b', '2026-01-02T00:00:00.000Z'))
    records.write(record('a', '2026-01-03T00:00:00.000Z'))
    write('recoveries/c.json', '{"schemaVersion": 1')
    expect(records.content()).toMatchObject({ records: [{ key: 'b' }, { key: 'a' }], damaged: ['c'] })
    records.remove('b')
    expect(records.content().records.map(({ key }) => key)).toEqual(['a'])
  })

  it('leave nothing half written', () => {
    const records = new RecoveryRecords(at('recoveries'))
    records.write(record('a', '2026-01-01T00:00:00.000Z'))
    write('recoveries/a.json.new', '{')
    records.removeHalves()
    expect(readdirSync(at('recoveries'))).toEqual(['a.json'])
    expect(existsSync(at('recoveries/a.json'))).toBe(true)
  })
})
