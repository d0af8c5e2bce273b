import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { Transport } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { SnapshotRecord } from '../../../../src/stages/repository-memory.js'
import { groupFiles } from '../../../../src/stages/sync/file-list.js'
import { bringBack } from '../../../../src/stages/verify/from-trash.js'
import { at, ok, partly, testRun } from '../fixtures.js'
import { layout, nameOf } from '../sync/layout.js'

const path = (folder: string, content: string): string => `${folder}/${nameOf(content)}`
const trash = '.stackbk-trash/2026-01-02'
const [pack, index, snapshot, key] = [path('data/aa', 'pack'), path('index', 'index'), path('snapshots', 'snapshot'), path('keys', 'key')]

describe('what comes back from the trash', () => {
  /** @param contents what is in the trash, by path */
  async function back(contents: Readonly<Record<string, string>>, request: { readonly there?: readonly string[]; readonly rotten?: readonly string[]; readonly local?: readonly string[]; readonly forgotten?: readonly string[] }) {
    const moves: string[] = []
    const transport = partly<Transport>('transport', {
      location: 'cloud:/backup',
      download: ({ files, localRoot, remoteFolder = '' }) => {
        for (const file of files) {
          mkdirSync(dirname(join(localRoot, file)), { recursive: true })
          writeFileSync(join(localRoot, file), contents[`${remoteFolder}/${file}`] ?? '')
        }
        return Promise.resolve(ok({ files: files.length, bytes: 0 }))
      },
      moveAll: (files, { from, to }) => (moves.push(...files.map((file) => `${from}/${file} to ${to}/`)), Promise.resolve(ok(undefined))),
    })
    const record = new SnapshotRecord(at('repositories'), 'id')
    record.didForget(request.forgotten ?? [])
    const listOf = (paths: readonly string[] = []) => groupFiles(layout, paths.map((one) => ({ path: one, size: 1 }))).list
    const strays = Object.keys(contents).map((one) => ({ path: one, size: 1, modifiedAt: null }))
    const found = await bringBack(testRun(), transport, { layout, list: listOf(request.there), strays, rotten: request.rotten ?? [], local: listOf(request.local), record })
    return { ...found, moves: moves.map((move) => move.replaceAll(/[0-9a-f]{64}/g, '*')) }
  }

  it('is a sound one of a rotten file, the newest that is sound', async () => {
    const older = '.stackbk-trash/2026-01-01'
    const { files, moves } = await back({ [`${older}/${pack}`]: 'pack', [`${trash}/${pack}`]: 'rots' }, { there: [pack], rotten: [pack] })
    expect([files, moves]).toEqual([[pack], [`${older}/data/aa/* to /`]])
  })

  it('is what the repository here has and the copy has not', async () => {
    expect((await back({ [`${trash}/${pack}`]: 'pack' }, { local: [pack] })).files).toEqual([pack])
  })

  it('is a snapshot that went without proof, after all that it may need, and is told', async () => {
    const { files, problems } = await back({ [`${trash}/${snapshot}`]: 'snapshot', [`${trash}/${index}`]: 'index', [`${trash}/${pack}`]: 'pack' }, {})
    expect(files).toEqual([pack, index, snapshot])
    expect(problems).toMatchObject([{ severity: 'warning', code: 'brought-back', fix: expect.stringContaining('--allow-delete') as string }])
  })

  it('is nothing of a snapshot that was forgotten, no key, and nothing that is rotten there', async () => {
    const contents = { [`${trash}/${snapshot}`]: 'snapshot', [`${trash}/${index}`]: 'index', [`${trash}/${pack}`]: 'pack', [`${trash}/${key}`]: 'key' }
    expect((await back(contents, { forgotten: [nameOf('snapshot')], rotten: [key] })).files).toEqual([])
    expect((await back({ [`${trash}/${pack}`]: 'rots' }, { rotten: [pack] })).files).toEqual([])
  })

  it('is neither snapshot nor index where a pack that they may need is rotten there', async () => {
    const contents = { [`${trash}/${snapshot}`]: 'snapshot', [`${trash}/${index}`]: 'index', [`${trash}/${pack}`]: 'rots' }
    expect((await back(contents, {})).files).toEqual([])
  })
})
