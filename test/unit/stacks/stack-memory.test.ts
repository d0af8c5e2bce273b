import { readdirSync, statSync, writeFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { recallStack, rememberStack, type StackMemory } from '../../../src/stacks/stack-memory.js'
import { at } from './fixtures.js'

const memory: StackMemory = {
  schemaVersion: 1,
  name: 'web',
  directory: '/opt/web',
  lastGood: { id: 'a', time: '2026-01-01T00:00:00.000Z', repositoryId: 'r', files: 3, bytes: 4 },
  lastDowntimeMs: 500,
  lastReadyMs: null,
}

describe('what is remembered of a stack', () => {
  it('comes back, to its key alone', () => {
    rememberStack(at('state/stacks'), 'web-1', memory)
    expect(recallStack(at('state/stacks'), 'web-1')).toEqual(memory)
    expect(recallStack(at('state/stacks'), 'web-2')).toBeNull()
    rememberStack(at('state/stacks'), 'web-1', { ...memory, lastGood: null })
    expect(recallStack(at('state/stacks'), 'web-1')?.lastGood).toBeNull()
  })

  it('is for its owner alone', () => {
    rememberStack(at('state/stacks'), 'web-1', memory)
    expect(statSync(at('state/stacks')).mode & 0o777).toBe(0o700)
    expect(statSync(at('state/stacks/web-1.json')).mode & 0o777).toBe(0o600)
    expect(readdirSync(at('state/stacks'))).toEqual(['web-1.json'])
  })

  it('is nothing where there is none, or it cannot be read', () => {
    expect(recallStack(at('nowhere'), 'web-1')).toBeNull()
    rememberStack(at('state/stacks'), 'web-1', memory)
    writeFileSync(at('state/stacks/web-1.json'), '{"schema')
    expect(recallStack(at('state/stacks'), 'web-1')).toBeNull()
  })
})
