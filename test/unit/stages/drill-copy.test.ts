import { existsSync } from 'node:fs'

import type { Engine, RepositoryLayout, Transport } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { cloudSource } from '../../../src/stages/drill/copy.js'
import { at, errorOf, ok, snapshotOf, testRun, write, type TestRun } from './fixtures.js'
import { layout, nameOf } from './sync/layout.js'

const data = `data/${nameOf('kept')}`
const files = ['config', ...['keys', 'index', 'snapshots'].map((folder) => `${folder}/${nameOf('kept')}`), data]

/** A copy in the cloud, and which files were there when the engine listed the snapshots. */
function runWith(of: RepositoryLayout | undefined): { run: TestRun; listedWith: boolean[] } {
  const listedWith: boolean[] = []
  const engine: Partial<Engine> = {
    ...(of === undefined ? { layout: (() => undefined) as unknown as () => RepositoryLayout } : { layout: () => of }),
    ready: () => Promise.resolve(ok(undefined)),
    completeCopy: () => Promise.resolve(ok(undefined)),
    at: () => engine as Engine,
    snapshots: () => {
      listedWith.push(existsSync(at(`copy/${data}`)))
      return Promise.resolve(ok([snapshotOf('one')]))
    },
  }
  const transport: Partial<Transport> = {
    location: 'remote:',
    ready: () => Promise.resolve(ok(undefined)),
    probe: () => Promise.resolve(ok(undefined)),
    list: () => Promise.resolve(ok(files.map((path) => ({ path, size: 4, modifiedAt: null })))),
    download: ({ files: wanted, localRoot }) => {
      for (const path of wanted) write(`${localRoot.slice(at('').length)}/${path}`, 'kept')
      return Promise.resolve(ok({ files: wanted.length, bytes: 0 }))
    },
  }
  return { run: testRun({ engine, transport }), listedWith }
}

describe('the copy that a drill takes from the cloud', () => {
  it('comes without its data at first, where the engine lists the snapshots without', async () => {
    const { run, listedWith } = runWith({ ...layout, listsWithoutData: true })
    const source = await cloudSource(run, at('copy'))
    expect([listedWith, source.bytes]).toEqual([[false], 4])
    await source.fetch()
    expect(existsSync(at(`copy/${data}`))).toBe(true)
  })

  it('comes as a whole before the snapshots are listed, where the engine does not say so', async () => {
    const { run, listedWith } = runWith(layout)
    const source = await cloudSource(run, at('copy'))
    expect([listedWith, source.bytes]).toEqual([[true], 0])
  })

  it('does not exist for an engine without a layout', async () => {
    const { run } = runWith(undefined)
    expect(await errorOf(() => cloudSource(run, at('copy')))).toMatchObject({ kind: 'configuration', code: 'engine-without-copy', fix: expect.stringContaining('drill --local') as string })
  })
})
