import { describe, expect, it } from 'vitest'

import { testRemote } from '../../../../src/stages/sync/remote-test.js'
import { failure, ok, testRun } from '../fixtures.js'

const transport = (more: object): never => ({ location: 'cloud:', ready: () => Promise.resolve(ok(undefined)), probe: () => Promise.resolve(ok(undefined)), list: () => Promise.resolve(ok([])), ...more }) as never

describe('a test of the remote', () => {
  it('asks whether it is ready, reaches it and lists it', async () => {
    const asked: string[] = []
    const noted = (name: string, value: unknown) => () => (asked.push(name), Promise.resolve(ok(value)))
    expect(await testRemote(testRun(), transport({ ready: noted('ready', undefined), probe: noted('probe', undefined), list: noted('list', []) }))).toEqual([])
    expect(asked).toEqual(['ready', 'probe', 'list'])
  })

  it('fails with what the listing fails with, although the remote can be reached', async () => {
    await expect(testRemote(testRun(), transport({ list: () => Promise.resolve(failure('remote-unreachable')) }))).rejects.toMatchObject({ kind: 'remote-unreachable' })
    await expect(testRemote(testRun(), transport({ list: () => Promise.reject(new Error('oops')) }))).rejects.toThrow('oops')
  })
})
