import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'

import { freezerSuite } from '@stackbk/contract/conformance'
import { afterAll, beforeAll, describe, test } from 'vitest'

import { Bench, canMount, freezerOf, type FileSystem, type Method } from './bench.js'

const kinds: readonly { readonly method: Method; readonly on: FileSystem }[] = [
  { method: 'btrfs', on: 'btrfs' },
  { method: 'reflink', on: 'xfs' },
  { method: 'reflink', on: 'btrfs' },
]

describe.skipIf(!canMount).each(kinds)('$method on $on is a freezer as the core expects one', ({ method, on }) => {
  let bench: Bench
  let point: string
  let foreign: string
  beforeAll(() => {
    bench = new Bench()
    point = bench.fileSystem(on)
    foreign = bench.plainFolder()
    // Whatever the temporary folder lies on, this is neither.
    bench.mount('-t', 'tmpfs', 'tmpfs', foreign)
  })
  afterAll(() => {
    bench.close()
  })

  const suite = freezerSuite(async () => ({ freezer: await freezerOf(method), directory: mkdtempSync(join(point, 'subject-')), foreignDirectory: foreign }))
  for (const { name, run } of suite) test(name, run)

  describe('where the whole file system is what is frozen', () => {
    const fresh = freezerSuite(async () => {
      const own = new Bench()
      return { freezer: await freezerOf(method), directory: own.fileSystem(on), foreignDirectory: foreign, close: async () => own.close() }
    })
    for (const { name, run } of fresh) test(name, run)
  })
})
