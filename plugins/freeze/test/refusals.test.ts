import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Exec } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { Bench, canMount, failureOf, freezerOf, tool, valueOf, type Method } from './bench.js'

describe.skipIf(!canMount)('a freezer says beforehand, in words, that it cannot freeze', () => {
  let bench: Bench
  let onBtrfs: string
  let onXfs: string
  beforeAll(() => {
    bench = new Bench()
    onBtrfs = bench.fileSystem('btrfs')
    onXfs = bench.fileSystem('xfs')
  })
  afterAll(() => {
    bench.close()
  })
  let folder: string
  let xfsFolder: string
  let count = 0
  beforeEach(() => {
    count += 1
    folder = join(onBtrfs, `folder-${count}`)
    xfsFolder = join(onXfs, `folder-${count}`)
    mkdirSync(folder)
    mkdirSync(xfsFolder)
  })

  /** Refused with this word both when asked and when it is tried all the same, and nothing is left. */
  async function isRefused(method: Method, paths: readonly string[], words: RegExp): Promise<void> {
    const freezer = await freezerOf(method)
    const failure = failureOf(await freezer.canFreeze(paths))
    expect(failure).toMatchObject({ kind: 'unsupported' })
    expect(failure.message).toMatch(words)
    failureOf(await freezer.freeze(paths, { label: 'refused' }))
    expect(valueOf(await freezer.leftovers(paths))).toEqual([])
    for (const root of [onBtrfs, onXfs]) expect(readdirSync(root)).not.toContain('.stackbk-frozen')
  }

  test('a folder with another subvolume below it, and only that', async () => {
    mkdirSync(join(folder, 'stack', 'deep'), { recursive: true })
    mkdirSync(join(folder, 'stack-two'))
    tool('btrfs', 'subvolume', 'create', join(folder, 'stack', 'deep', 'nested volume'))
    await isRefused('btrfs', [join(folder, 'stack-two'), join(folder, 'stack')], /stack cannot be frozen: another btrfs subvolume lies below it, .*nested volume/)
    const freezer = await freezerOf('btrfs')
    valueOf(await freezer.canFreeze([join(folder, 'stack-two'), join(folder, 'stack', 'deep', 'nested volume')]))
    // A copy of files goes into it.
    writeFileSync(join(folder, 'stack', 'deep', 'nested volume', 'file'), 'nested')
    const reflink = await freezerOf('reflink')
    valueOf(await reflink.canFreeze([join(folder, 'stack')]))
    const copy = valueOf(await reflink.freeze([join(folder, 'stack')], { label: 'nested' }))
    expect(readdirSync(join(copy.bindMounts[0]?.source ?? '', 'deep', 'nested volume'))).toEqual(['file'])
    valueOf(await reflink.release(copy))
  })

  test('a subvolume below a subvolume', async () => {
    tool('btrfs', 'subvolume', 'create', join(folder, 'outer'))
    mkdirSync(join(folder, 'outer', 'in'))
    tool('btrfs', 'subvolume', 'create', join(folder, 'outer', 'in', 'inner'))
    await isRefused('btrfs', [join(folder, 'outer')], /another btrfs subvolume/)
    await isRefused('btrfs', [join(folder, 'outer', 'in')], /another btrfs subvolume/)
    await isRefused('btrfs', [folder], /another btrfs subvolume/)
  })

  test.each(['btrfs', 'reflink'] as const)('a folder with something mounted below it (%s)', async (method) => {
    mkdirSync(join(folder, 'stack', 'mounted'), { recursive: true })
    bench.mount('-t', 'tmpfs', 'tmpfs', join(folder, 'stack', 'mounted'))
    await isRefused(method, [join(folder, 'stack')], /something is mounted below it/)
    tool('umount', join(folder, 'stack', 'mounted'))
    valueOf(await (await freezerOf(method)).canFreeze([join(folder, 'stack')]))
  })

  test.each(['btrfs', 'reflink'] as const)('a file system of another kind, and a path that is not there (%s)', async (method) => {
    await isRefused(method, [folder, '/proc/sys'], /\/proc\/sys lies on proc/)
    await isRefused(method, [folder, join(folder, 'gone')], /gone cannot be frozen: ENOENT/)
  })

  test('a file system that is mounted read-only', async () => {
    const readOnly = bench.plainFolder('read-only')
    bench.mount('--bind', '-o', 'ro', onXfs, readOnly)
    await isRefused('reflink', [readOnly], /mounted read-only/)
    tool('umount', readOnly)
  })

  test('a part of a subvolume of which nothing else is mounted', async () => {
    const own = new Bench()
    try {
      const point = own.fileSystem('btrfs')
      mkdirSync(join(point, 'part', 'stack'), { recursive: true })
      const part = own.plainFolder('part')
      own.mount('--bind', join(point, 'part'), part)
      const freezer = await freezerOf('btrfs')
      valueOf(await freezer.canFreeze([part]))
      tool('umount', point)
      expect(failureOf(await freezer.canFreeze([part]))).toMatchObject({ kind: 'unsupported', message: expect.stringContaining('mounted nowhere') })
    } finally {
      own.close()
    }
  })

  test('an XFS that cannot share data', async () => {
    const own = new Bench()
    try {
      const point = own.fileSystem('xfs', { flags: ['-m', 'reflink=0'] })
      const freezer = await freezerOf('reflink')
      expect(failureOf(await freezer.canFreeze([point]))).toMatchObject({ kind: 'unsupported', message: expect.stringContaining('reflink=1') })
      writeFileSync(join(point, 'file'), 'content')
      expect(failureOf(await freezer.freeze([point], { label: 'unshared' }))).toMatchObject({ kind: 'failed' })
      expect(readdirSync(point)).toEqual(['file'])
    } finally {
      own.close()
    }
  })

  test('files without copy-on-write', async () => {
    mkdirSync(join(folder, 'stack', '.database'), { recursive: true })
    tool('chattr', '+C', join(folder, 'stack', '.database'))
    writeFileSync(join(folder, 'stack', '.database', 'table'), 'content')
    await isRefused('reflink', [join(folder, 'stack')], /without copy-on-write/)
    valueOf(await (await freezerOf('btrfs')).canFreeze([join(folder, 'stack')]))
  })

  test.each(['btrfs', 'reflink'] as const)('without root, without its tool, and where nothing may be mounted (%s)', async (method) => {
    const without = async (missing: string): Promise<string> => {
      const real = createExec()
      const run: Exec['run'] = async (request) => real.run(request.file === missing ? { ...request, file: `/nowhere/${missing}` } : request)
      const freezer = await freezerOf(method, { exec: { ...real, run } })
      const findings = await freezer.examine()
      expect(findings.map(({ status }) => status)).toEqual(['warning'])
      expect(findings[0]?.fix).not.toBe('')
      return failureOf(await freezer.canFreeze([folder])).message
    }
    expect(await without(method === 'btrfs' ? 'btrfs' : 'cp')).toMatch(/is not installed/)
    expect(await without('unshare')).toMatch(/mount namespace/)
  })
})
