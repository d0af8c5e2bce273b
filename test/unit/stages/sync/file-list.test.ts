import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import fsPromises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { frozenList, groupFiles } from '../../../../src/stages/sync/file-list.js'
import { at, write } from '../fixtures.js'
import { layout, nameOf } from './layout.js'

describe('the list of a repository', () => {
  const file = (folder: string, content: string): string => {
    const path = `${folder}/${nameOf(content)}`
    write(`repository/${path}`, content)
    return path
  }

  beforeEach(() => {
    for (const folder of ['keys', 'data/aa', 'index', 'snapshots', 'locks']) mkdirSync(at(`repository/${folder}`), { recursive: true })
    write('repository/config', 'configuration')
  })
  afterEach(() => {
    vi.restoreAllMocks()
    syncBuiltinESMExports()
  })

  /** Acts each time just before the folder at this path is read. */
  function beforeEachLookAt(folder: string, act: (look: number) => void): () => number {
    const real = fsPromises.readdir
    let looks = 0
    vi.spyOn(fsPromises, 'readdir').mockImplementation((async (path: string, ...more: unknown[]) => {
      if (path === at(`repository/${folder}`)) act(++looks)
      return (real as (...args: unknown[]) => Promise<unknown>)(path, ...more)
    }) as unknown as typeof fsPromises.readdir)
    syncBuiltinESMExports()
    return () => looks
  }

  const list = async (): Promise<string[]> => (await frozenList(at('repository'), layout)).flatMap(({ files }) => files.map(({ path }) => path))

  it('has every file by its group, in the order in which they must appear elsewhere, with its size', async () => {
    const paths = [file('keys', 'key'), 'config', file('data/aa', 'one'), file('data/bb/deep', 'two-two'), file('index', 'index'), file('snapshots', 'snapshot')]
    expect(await list()).toEqual(paths)
    const found = await frozenList(at('repository'), layout)
    expect(found.map(({ group }) => group.name)).toEqual(['keys', 'config', 'data', 'index', 'snapshots'])
    expect(found[2]?.files.map(({ size }) => size)).toEqual([3, 7])
  })

  it('has nothing that is not of the layout: locks, half files, notes', async () => {
    file('locks', 'a lock')
    for (const path of ['data/aa/half.tmp', `data/aa/${nameOf('x')}.partial`, 'snapshots/README', 'index/.hidden', 'notes']) write(`repository/${path}`)
    expect(await list()).toEqual(['config'])
  })

  it('follows links to other disks, as the engine does: what it passed over would be deleted from the copy', async () => {
    const pack = file('data/aa', 'one')
    const single = file('data/bb', 'two')
    mkdirSync(at('elsewhere'))
    renameSync(at('repository/data/aa'), at('elsewhere/aa'))
    symlinkSync(at('elsewhere/aa'), at('repository/data/aa'))
    renameSync(at(`repository/${single}`), at('elsewhere/single'))
    symlinkSync(at('elsewhere/single'), at(`repository/${single}`))
    expect((await list()).sort()).toEqual(['config', pack, single].sort())
  })

  it('is none when a link leads to a disk that is not mounted', async () => {
    symlinkSync(at('elsewhere/aa'), at('repository/data/cc'))
    await expect(list()).rejects.toThrow(/ENOENT.*cc/)
  })

  it.each(['keys', 'data', 'index', 'snapshots'])('is none when the folder %s cannot be read', async (folder) => {
    rmSync(at(`repository/${folder}`), { recursive: true })
    await expect(list()).rejects.toThrow(new RegExp(`ENOENT.*${folder}`))
    write(`repository/${folder}`, 'a file in its place')
    await expect(list()).rejects.toThrow(/ENOTDIR/)
  })

  it('is taken anew when a snapshot came while it was made, and then has its packs and index too', async () => {
    let paths: string[] = []
    const looks = beforeEachLookAt('snapshots', (look) => {
      // The packs and the index are listed already when the snapshot appears.
      if (look === 2) paths = [file('data/aa', 'late'), file('index', 'late index'), file('snapshots', 'late snapshot')]
    })
    expect(await list()).toEqual(['config', ...paths])
    expect(looks()).toBe(6)
  })

  it('is taken anew when a prune replaced the index while it was made', async () => {
    const [oldIndex, oldPack] = [file('index', 'old index'), file('data/aa', 'old pack')]
    let [newIndex, newPack] = ['', '']
    beforeEachLookAt('index', (look) => {
      if (look !== 3) return
      newPack = file('data/aa', 'new pack')
      newIndex = file('index', 'new index')
      rmSync(at(`repository/${oldIndex}`))
      rmSync(at(`repository/${oldPack}`))
    })
    expect(await list()).toEqual(['config', newPack, newIndex])
  })

  it('is taken anew when a whole snapshot came between the look at the packs and that at the indexes', async () => {
    let paths: string[] = []
    beforeEachLookAt('index', (look) => {
      if (look === 2) paths = [file('data/aa', 'late'), file('index', 'late index'), file('snapshots', 'late snapshot')]
    })
    expect(await list()).toEqual(['config', ...paths])
  })

  it('is taken anew when an index was away just while it was made', async () => {
    const index = file('index', 'index')
    beforeEachLookAt('index', (look) => {
      if (look === 2) renameSync(at(`repository/${index}`), at('aside'))
      if (look === 3) renameSync(at('aside'), at(`repository/${index}`))
    })
    expect(await list()).toEqual(['config', index])
  })

  it('is taken anew when a file vanished between its folder and itself', async () => {
    const [gone, kept] = [file('data/aa', 'gone'), file('data/aa', 'kept')]
    const real = fsPromises.stat
    vi.spyOn(fsPromises, 'stat').mockImplementation((async (path: string) => {
      if (path.endsWith(gone)) rmSync(path, { force: true })
      return real(path)
    }) as unknown as typeof fsPromises.stat)
    syncBuiltinESMExports()
    expect(await list()).toEqual(['config', kept])
  })

  it('may be of a moment when packs come: those of a snapshot to be are harmless in a copy', async () => {
    const looks = beforeEachLookAt('data', () => file('data/aa', `pack ${readdirSync(at('repository/data/aa')).length}`))
    expect(await list()).toHaveLength(2)
    expect(looks()).toBe(1)
  })

  it('is given up when the repository never holds still', async () => {
    const looks = beforeEachLookAt('snapshots', (look) => file('snapshots', `snapshot ${look}`))
    await expect(list()).rejects.toThrow(/is being changed by another program/)
    expect(looks()).toBe(15)
  })

  it('sorts the files of a remote in the same way, and tells what belongs to nobody', () => {
    const [pack, snapshot] = [`data/aa/${nameOf('a')}`, `snapshots/${nameOf('b')}`]
    const { list: groups, strays } = groupFiles(layout, ['config', pack, snapshot, 'locks/abc', 'config.tmp', 'data/aa/half', 'photos/cat.jpg', nameOf('c')].map((path) => ({ path, size: 1 })))
    expect(groups.map(({ files }) => files.map(({ path }) => path))).toEqual([[], ['config'], [pack], [], [snapshot]])
    expect(strays.map(({ path }) => path)).toEqual(['config.tmp', 'data/aa/half', 'photos/cat.jpg', nameOf('c')])
  })
})
