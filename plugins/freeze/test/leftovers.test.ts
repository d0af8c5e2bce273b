import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Exec, ToolRequest } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { Bench, canMount, failureOf, freezerOf, tool, valueOf, type FileSystem, type Method } from './bench.js'

const kinds: readonly { readonly method: Method; readonly on: FileSystem }[] = [
  { method: 'btrfs', on: 'btrfs' },
  { method: 'reflink', on: 'xfs' },
]

describe.skipIf(!canMount).each(kinds)('what $method makes on $on', ({ method, on }) => {
  let bench: Bench
  let point: string
  let folder: string
  beforeEach(() => {
    bench = new Bench()
    point = bench.fileSystem(on)
    folder = join(point, 'stack')
    mkdirSync(folder)
    for (let index = 0; index < 500; index += 1) writeFileSync(join(folder, `file-${index}`), 'content')
  })
  afterEach(() => {
    bench.close()
  })
  const hidden = (): string => join(point, '.stackbk-frozen')

  /** Calls back before each tool that makes a part of the copy; the tool's own exit is not changed. */
  function watched(before: (request: ToolRequest) => ToolRequest): Exec {
    const real = createExec()
    const isMaking = ({ file, args }: ToolRequest): boolean => (method === 'btrfs' ? args.includes('snapshot') : file === 'cp' && args.includes('--archive'))
    return { ...real, run: (request) => real.run(isMaking(request) ? before(request) : request) }
  }

  test('is found and removed after a kill at any moment', async () => {
    const freezer = await freezerOf(method)
    // Nothing of a copy yet; a whole one that nobody noted; and beside them one that is in use.
    mkdirSync(join(hidden(), `run-1.${method}`), { recursive: true, mode: 0o700 })
    valueOf(await freezer.freeze([folder], { label: 'run-2' }))
    const inUse = valueOf(await freezer.freeze([folder], { label: 'run-3' }))
    if (method === 'reflink') {
      mkdirSync(join(hidden(), 'run-4.reflink', '0', 'half'), { recursive: true, mode: 0o700 })
      writeFileSync(join(hidden(), 'run-4.reflink', '0', 'half', 'file'), 'half')
    } else {
      mkdirSync(join(hidden(), 'run-4.btrfs'), { mode: 0o700 })
      tool('btrfs', 'subvolume', 'snapshot', '-r', point, join(hidden(), 'run-4.btrfs', '0'))
    }
    const left = valueOf(await freezer.leftovers([join(folder, 'gone since', 'deep'), folder]))
    expect(left.map(({ label }) => label).toSorted()).toEqual(['run-1', 'run-2', 'run-3', 'run-4'])
    for (const copy of left.filter(({ label }) => label !== 'run-3')) valueOf(await freezer.release(copy))
    expect(readdirSync(hidden())).toEqual([`run-3.${method}`])
    expect(readFileSync(join(inUse.bindMounts[0]?.source ?? '', 'file-0'), 'utf8')).toBe('content')
    valueOf(await freezer.release(inUse))
    expect(existsSync(hidden())).toBe(false)
    for (const copy of left) valueOf(await freezer.release(copy))
  })

  test('is not taken for that of the other freezer', async () => {
    const copy = valueOf(await (await freezerOf(method)).freeze([folder], { label: 'run' }))
    const other = await freezerOf(method === 'btrfs' ? 'reflink' : 'btrfs')
    expect(valueOf(await other.leftovers([folder]))).toEqual([])
    expect(failureOf(await other.release(copy))).toMatchObject({ kind: 'guard' })
    valueOf(await (await freezerOf(method)).release(copy))
  })

  test('goes where the freeze fails half-way, and the failure says why', async () => {
    const exec = watched((request) => ({ ...request, args: [...request.args.slice(0, -1), '/proc/no-such/place'] }))
    const failure = failureOf(await (await freezerOf(method, { exec })).freeze([folder], { label: 'failing' }))
    expect(failure).toMatchObject({ kind: 'failed' })
    expect(failure.toolOutput).toContain('no-such')
    expect(readdirSync(point)).toEqual(['stack'])
  })

  test('goes where the freeze is cancelled in its midst', async () => {
    const abort = new AbortController()
    const exec = watched((request) => {
      abort.abort()
      return request
    })
    expect(failureOf(await (await freezerOf(method, { exec })).freeze([folder], { label: 'cancelled', signal: abort.signal }))).toMatchObject({ kind: 'cancelled' })
    expect(readdirSync(point)).toEqual(['stack'])
  })

  test('leaves an earlier one of the same label alone', async () => {
    const freezer = await freezerOf(method)
    const first = valueOf(await freezer.freeze([folder], { label: 'same' }))
    failureOf(await freezer.freeze([folder], { label: 'same' }))
    expect(readFileSync(join(first.bindMounts[0]?.source ?? '', 'file-1'), 'utf8')).toBe('content')
    valueOf(await freezer.release(first))
  })

  test('is all that is ever removed', async () => {
    const freezer = await freezerOf(method)
    const precious = join(point, 'precious')
    mkdirSync(precious)
    writeFileSync(join(precious, 'file'), 'precious')
    mkdirSync(join(point, `precious.${method}`))
    symlinkSync(point, join(point, 'link'))
    const copy = valueOf(await freezer.freeze([folder], { label: 'real' }))
    // Through the copy's own links nothing outside is reached.
    for (const path of [precious, join(point, `precious.${method}`), `${hidden()}/real.${method}/..`, `${hidden()}/../precious.${method}`, join(point, 'link', '.stackbk-frozen', `real.${method}`), hidden(), '/', 'relative']) {
      expect(failureOf(await freezer.release({ id: JSON.stringify([path]), bindMounts: [] })).kind, path).toBe('guard')
    }
    for (const id of ['', '{}', '[1]', '"x"']) expect(failureOf(await freezer.release({ id, bindMounts: [] })).kind).toBe('usage')
    expect(readFileSync(join(precious, 'file'), 'utf8')).toBe('precious')
    // Somebody puts a link in the place of the hidden folder.
    renameSync(hidden(), join(point, 'moved'))
    symlinkSync(join(point, 'moved'), hidden())
    expect(failureOf(await freezer.release(copy)).kind).toBe('guard')
    expect(valueOf(await freezer.leftovers([folder]))).toEqual([])
    expect(failureOf(await freezer.freeze([folder], { label: 'second' })).kind).toBe('guard')
    expect(readdirSync(join(point, 'moved'))).toEqual([`real.${method}`])
    tool('rm', hidden())
    renameSync(join(point, 'moved'), hidden())
    valueOf(await freezer.release(copy))
  })

  test('follows no link that the stack holds', async () => {
    const outside = join(point, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'file'), 'outside')
    symlinkSync(outside, join(folder, 'link'))
    const freezer = await freezerOf(method)
    valueOf(await freezer.release(valueOf(await freezer.freeze([folder], { label: 'links' }))))
    expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('outside')
  })

  test('is nothing at all in a dry run, and with a label that is none', async () => {
    const dry = await freezerOf(method, { dryRun: true })
    valueOf(await dry.canFreeze([folder]))
    failureOf(await dry.freeze([folder], { label: 'dry' }))
    const freezer = await freezerOf(method)
    for (const label of ['', '../x', 'a/b', 'a b', 'x'.repeat(201)]) expect(failureOf(await freezer.freeze([folder], { label })).kind).toBe('usage')
    expect(readdirSync(point)).toEqual(['stack'])
  })

  test('settles what is in memory before, and leaves nothing of that', async () => {
    const freezer = await freezerOf(method)
    valueOf(await (freezer.settle?.([folder]) ?? Promise.reject(new Error('it cannot settle'))))
    expect(readdirSync(point)).toEqual(['stack'])
  })
})
