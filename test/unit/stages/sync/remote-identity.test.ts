import type { Engine, Failure, Transport } from '@stackbk/contract'
import { beforeEach, describe, expect, it } from 'vitest'

import { SnapshotRecord } from '../../../../src/stages/repository-memory.js'
import { groupFiles, type FileList } from '../../../../src/stages/sync/file-list.js'
import { identifyRemote, type RemoteConfig } from '../../../../src/stages/sync/remote-identity.js'
import { at, errorOf, failure, ok, partly, testRun, write } from '../fixtures.js'
import { layout, nameOf } from './layout.js'

const key = `keys/${nameOf('our key')}`
const pack = `data/aa/${nameOf('our pack')}`
const theirs = [`keys/${nameOf('their key')}`, `data/aa/${nameOf('their pack')}`, `snapshots/${nameOf('their snapshot')}`]
const ours = [key, 'config', pack]

const listOf = (paths: readonly string[]): { list: FileList; strays: readonly { path: string; size: number }[] } => groupFiles(layout, paths.map((path) => ({ path, size: 100 })))

describe('whose copy is on the remote', () => {
  beforeEach(() => {
    write('repository/config', 'our config')
    write(`repository/${key}`, 'our key')
  })

  /** @param opens what the keys of the local repository make of the remote's `config` */
  function identified(remote: readonly string[], config = 'our config', opens: string | Failure = failure('corrupt').failure): Promise<RemoteConfig> {
    const engine = partly<Engine>('engine', {
      layout: () => layout,
      at: () => partly<Engine>('copy', { repositoryId: () => Promise.resolve(typeof opens === 'string' ? ok(opens) : { ok: false, failure: opens }) }),
    })
    const local = { engine, repository: { id: 'ours', location: 'place', path: at('repository') }, snapshots: [], record: new SnapshotRecord(at('repositories'), 'ours'), isNew: false, root: at('repository'), list: listOf(ours).list }
    const transport = partly<Transport>('transport', { location: 'cloud:/backup' })
    return identifyRemote(testRun(), transport, local, { ...listOf(remote), config: remote.includes('config') ? Buffer.from(config) : null })
  }

  it.each([
    ['the same config', ours, 'our config', undefined, 'same'],
    ['nothing', [], '', undefined, 'absent'],
    ['what a first sync that was cut left: a key', [key], '', undefined, 'absent'],
    ['half a config of a first sync that was cut', ['.config.aB3xYz'], '', undefined, 'absent'],
    ['our packs without config and keys', [pack], '', undefined, 'absent'],
    ['a config of another format that our keys open', ours, 'older config', 'ours', 'older'],
    ['a config that our keys open, with another key that has gone here since', [theirs[0] ?? '', 'config', pack], 'older config', 'ours', 'older'],
    ['a config that is cut short, beside our key and no other', ours, '', undefined, 'damaged'],
  ] as const)('is ours with %s', async (_, remote, config, opens, expected) => {
    expect(await identified(remote, config, opens)).toBe(expected)
  })

  it.each([
    ['a part of a repository of which nothing is here', theirs, '', undefined],
    ['a config that our keys open to another ID', ours, 'their config', 'theirs'],
    ['a config that our keys do not open, with a key that is not ours', [...ours, ...theirs], 'their config', undefined],
    ['a config that our keys do not open, and no key', ['config', pack], 'their config', undefined],
  ] as const)('is not ours with %s: 7', async (_, remote, config, opens) => {
    expect(await errorOf(() => identified(remote, config, opens))).toMatchObject({ kind: 'guard', code: 'another-repository', fix: expect.stringContaining('No flag') as string })
  })

  it('is not decided by a look that was cut off', async () => {
    expect(await errorOf(() => identified(ours, 'x', failure('cancelled').failure))).toMatchObject({ kind: 'cancelled' })
  })
})
