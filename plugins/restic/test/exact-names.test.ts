import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { hasRawBytes, pathFromBytes, pathToBytes, type Answer, type ToolResult } from '@stackbk/contract'
import { expect, test } from 'vitest'

import { InexactPaths } from '../src/inexact-paths.js'
import { benchWithRepository, requestOf, snapshot, value } from './bench.js'

const bytesOf = (...parts: (string | number)[]): Buffer => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))))
const below = (folder: string, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${folder}/`), name])

/** All paths below a folder, by their exact names. */
function pathsIn(folder: Buffer): string[] {
  return readdirSync(folder, { encoding: 'buffer' }).flatMap((name) => {
    const path = Buffer.concat([folder, Buffer.from('/'), name])
    return [pathFromBytes(path), ...(lstatSync(path).isDirectory() ? pathsIn(path) : [])]
  })
}

test('names that are not UTF-8 are listed exactly, also where they differ in nothing else or span lines, and come back', async () => {
  const made = await benchWithRepository()
  const names = [bytesOf('M', 0xfc, 'ller'), bytesOf('M', 0xf6, 'ller'), bytesOf('M\ufffdller'), bytesOf('a\nb', 0xff), bytesOf('a\nb'), bytesOf('M\\xfcller'), bytesOf('r', 0xe9, '\r'), bytesOf('😀', 0x80)]
  for (const name of names) writeFileSync(below(made.source, name), name)
  mkdirSync(below(made.source, bytesOf('d', 0xfc)))
  writeFileSync(below(made.source, bytesOf('d', 0xfc, '/in')), 'in')
  writeFileSync(join(made.source, 'last'), 'last')
  const { id } = await snapshot(made.engine, requestOf(made, { paths: [made.source] }))
  const expected = pathsIn(Buffer.from(made.source)).sort()
  const listed = value(await made.engine.list(id)).map(({ path }) => path)
  expect(listed.filter((path) => path.startsWith(`${made.source}/`)).sort()).toEqual(expected)
  const folder = expected.find((path) => hasRawBytes(path) && path.endsWith('/in'))!.replace(/\/in$/, '')
  expect(value(await made.engine.list(id, { below: folder })).map(({ path }) => path)).toEqual([folder, `${folder}/in`])

  const target = mkdtempSync(join(made.folder, 'target-'))
  value(await made.engine.restore({ snapshot: id, target, include: [], subfolder: made.source, deleteExtra: false, sparse: false, verify: true }))
  expect(pathsIn(Buffer.from(target)).map((path) => path.slice(target.length)).sort()).toEqual(expected.map((path) => path.slice(made.source.length)))
  const part = mkdtempSync(join(made.folder, 'part-'))
  const wanted = expected.find((path) => path.endsWith('ller') && hasRawBytes(path))!
  value(await made.engine.restore({ snapshot: id, target: part, include: [wanted, folder], subfolder: '', deleteExtra: false, sparse: false, verify: false }))
  expect(readFileSync(Buffer.from(pathToBytes(`${part}${wanted}`)))).toEqual(Buffer.from(pathToBytes(wanted.slice(made.source.length + 1))))
  expect(readFileSync(Buffer.from(pathToBytes(`${part}${folder}/in`)), 'utf8')).toBe('in')
})

test('what restic cannot be given exactly is refused by name, before anything is written', async () => {
  const made = await benchWithRepository()
  writeFileSync(below(made.source, bytesOf('M', 0xfc, 'ller')), 'x')
  const { id } = await snapshot(made.engine, requestOf(made, { paths: [made.source] }))
  const target = mkdtempSync(join(made.folder, 'target-'))
  const request = { snapshot: id, target, include: [], subfolder: '', deleteExtra: false, sparse: false, verify: false }
  const raw = pathFromBytes(below(made.source, bytesOf('M', 0xfc, 'ller')))
  for (const more of [{ exclude: [raw] }, { subfolder: raw }, { target: `${target}${raw}` }]) {
    expect(await made.engine.restore({ ...request, ...more })).toMatchObject({ ok: false, failure: { kind: 'unsupported', message: expect.stringContaining('M\\xFCller') as string } })
  }
  expect(readdirSync(target)).toEqual([])
})

test('a plain listing that is not the one of the JSON is a failure, and no other name', async () => {
  const ended = { outcome: 'exited', exitCode: 0 } as ToolResult
  const resolve = (lines: readonly string[]): Promise<Answer<ReadonlyMap<number, string>>> => {
    const paths = new InexactPaths()
    for (const path of ['/a', '/b\nc', '/d\ufffd', '/e\n\ufffd', '/f']) paths.add(path)
    return paths.resolve((onLine) => (lines.forEach(onLine), Promise.resolve(ended)), () => { throw new Error('unexpected') })
  }
  expect(await resolve(['/a', '/b', 'c', '/d\xfc', '/e', '\xe9', '/f'])).toEqual({ ok: true, value: new Map([[2, '/d\udcfc'], [3, '/e\n\udce9']]) })
  for (const lines of [['/a', '/b', 'c', '/x\xfc', '/e', '\xe9', '/f'], ['/a', '/b', 'c', '/d\xfc'], ['header', '/a', '/b', 'c', '/d\xfc', '/e', '\xe9', '/f']]) expect(await resolve(lines)).toMatchObject({ ok: false, failure: { kind: 'failed' } })
})
