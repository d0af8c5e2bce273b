import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { ensureMachineId, machineId } from '../../../src/host/machine-id.js'
import { at, write } from '../stages/fixtures.js'

describe("a machine's ID", () => {
  it("is the system's, and nothing is written then", () => {
    const system = [at('none'), write('machine-id', `${'ab'.repeat(16)}\n`)]
    ensureMachineId({ root: at('state') }, system)
    expect(machineId({ root: at('state') }, system)).toMatch(/^[0-9a-f]{16}$/)
    expect(() => readFileSync(at('state/machine-id'))).toThrow('ENOENT')
  })

  it('is made once where the system has none, or an empty one, and is another one in each state folder', () => {
    const system = [write('machine-id', '')]
    const [one, other] = [{ root: at('one') }, { root: at('other') }]
    expect(machineId(one, system)).toBeNull()
    ensureMachineId(one, system)
    ensureMachineId(other, system)
    const id = machineId(one, system)
    expect(id).toMatch(/^[0-9a-f]{16}$/)
    ensureMachineId(one, system)
    expect(machineId(one, system)).toBe(id)
    expect(machineId(other, system)).not.toBe(id)
  })

  it('is none where it cannot be written, and ends no run', () => {
    write('state', 'a file')
    ensureMachineId({ root: at('state') }, [])
    expect(machineId({ root: at('state') }, [])).toBeNull()
  })
})
