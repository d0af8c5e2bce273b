import { describe, expect, it } from 'vitest'

import { availableMemory, readAvailable } from '../../../src/host/available-memory.js'

describe('the memory that is available', () => {
  it('is what the kernel estimates, in bytes', () => {
    expect(readAvailable(() => 'MemTotal:       8000 kB\nMemFree:         100 kB\nMemAvailable:   2048 kB\nCached: 1 kB\n')).toBe(2 * 1024 ** 2)
  })

  it('is not read where the kernel does not say, and known all the same', () => {
    expect(readAvailable(() => 'MemTotal: 8000 kB\n')).toBeNull()
    expect(readAvailable(() => { throw new Error('ENOENT') })).toBeNull()
    expect(availableMemory()).toBeGreaterThan(0)
  })
})
