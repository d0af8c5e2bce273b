import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { createExec } from '@stackbk/tool-runner'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { Bench, canMount, failureOf, freezerOf, tool, valueOf } from './bench.js'

describe.skipIf(!canMount)('where copies lie', () => {
  let bench: Bench
  beforeEach(() => {
    bench = new Bench()
  })
  afterEach(() => {
    bench.close()
  })

  function subvolume(path: string, content: string): string {
    tool('btrfs', 'subvolume', 'create', path)
    writeFileSync(join(path, 'file'), content)
    return path
  }

  test('several subvolumes on several file systems are frozen together, each once', async () => {
    const [first, second] = [bench.fileSystem('btrfs'), bench.fileSystem('btrfs')]
    const paths = [subvolume(join(first, 'one'), '1'), subvolume(join(first, 'two'), '2'), subvolume(join(second, 'three'), '3')]
    mkdirSync(join(first, 'one', 'a'))
    mkdirSync(join(first, 'one', 'b'))
    const freezer = await freezerOf('btrfs')
    const wanted = [join(first, 'one', 'a'), join(first, 'one', 'b'), join(first, 'one', 'file'), ...paths.slice(1)]
    const copy = valueOf(await freezer.freeze(wanted, { label: 'run' }))
    expect(copy.bindMounts.map(({ target }) => target).toSorted()).toEqual(wanted.toSorted())
    expect(readdirSync(join(first, '.stackbk-frozen', 'run.btrfs'))).toHaveLength(2)
    expect(readdirSync(join(second, '.stackbk-frozen', 'run.btrfs'))).toHaveLength(1)
    for (const { source, target } of copy.bindMounts) expect(tool('ls', '-i', source)).toBe(tool('ls', '-i', target).replaceAll(target, source))
    const left = valueOf(await freezer.leftovers(wanted))
    expect(left).toHaveLength(1)
    valueOf(await freezer.release(left[0] ?? copy))
    for (const root of [first, second]) expect(readdirSync(root)).not.toContain('.stackbk-frozen')
  })

  test('a subvolume that is mounted by itself is not made to hold its own copy while the rest of its file system is mounted too', async () => {
    const all = bench.fileSystem('btrfs')
    subvolume(join(all, '@data'), 'content')
    const point = bench.plainFolder('data')
    bench.mount('-o', 'subvol=/@data', tool('findmnt', '--noheadings', '--output', 'SOURCE', all).trim(), point)
    const before = statSync(point, { bigint: true })
    const freezer = await freezerOf('btrfs')
    valueOf(await freezer.canFreeze([point]))
    const copy = valueOf(await freezer.freeze([point], { label: 'run' }))
    expect(copy.bindMounts).toEqual([{ source: join(all, '.stackbk-frozen', 'run.btrfs', '0'), target: point }])
    expect(readdirSync(copy.bindMounts[0]?.source ?? '')).toEqual(['file'])
    expect(valueOf(await freezer.leftovers([point])).map(({ label }) => label)).toEqual(['run'])
    valueOf(await freezer.release(copy))
    expect(statSync(point, { bigint: true }).ctimeNs).toBe(before.ctimeNs)
  })

  test.each(['btrfs', 'reflink'] as const)('a bind mount of a part of it is frozen by way of the whole (%s)', async (method) => {
    const all = bench.fileSystem(method === 'btrfs' ? 'btrfs' : 'xfs')
    mkdirSync(join(all, 'deep', 'data'), { recursive: true })
    writeFileSync(join(all, 'deep', 'data', 'file'), 'content')
    const point = bench.plainFolder('bound')
    bench.mount('--bind', join(all, 'deep', 'data'), point)
    const freezer = await freezerOf(method)
    valueOf(await freezer.canFreeze([point]))
    const copy = valueOf(await freezer.freeze([point], { label: 'run' }))
    expect(readdirSync(point)).toEqual(['file'])
    expect(copy.bindMounts[0]?.source.startsWith(join(all, '.stackbk-frozen'))).toBe(true)
    expect(readFileSync(join(copy.bindMounts[0]?.source ?? '', 'file'), 'utf8')).toBe('content')
    valueOf(await freezer.release(copy))
  })

  test('a copy inside one source is refused to be made inside another', async () => {
    const all = bench.fileSystem('xfs')
    mkdirSync(join(all, 'data'))
    const point = bench.plainFolder('bound')
    bench.mount('--bind', join(all, 'data'), point)
    const freezer = await freezerOf('reflink')
    expect(failureOf(await freezer.canFreeze([point, all]))).toMatchObject({ kind: 'unsupported' })
  })

  test.each(['btrfs', 'reflink'] as const)('copies that lie in what they are copies of can all be shown (%s)', async (method) => {
    const on = method === 'btrfs' ? 'btrfs' : 'xfs'
    const [first, second] = [bench.fileSystem(on), bench.fileSystem(on)]
    mkdirSync(join(second, 'only'))
    for (const folder of [first, join(second, 'only')]) writeFileSync(join(folder, 'file'), 'before')
    const before = statSync(first, { bigint: true }).mtimeNs
    const freezer = await freezerOf(method)
    const copy = valueOf(await freezer.freeze([first, join(second, 'only')], { label: 'run' }))
    expect(statSync(first, { bigint: true }).mtimeNs).toBe(before)
    for (const folder of [first, join(second, 'only')]) writeFileSync(join(folder, 'file'), 'after')
    const seen = await createExec().run({ file: 'cat', args: [join(first, 'file'), join(second, 'only', 'file')], bindMounts: copy.bindMounts })
    expect(seen).toMatchObject({ exitCode: 0, stdout: 'beforebefore' })
    valueOf(await freezer.release(copy))
    expect(readdirSync(first)).toEqual(['file'])
  })
})
