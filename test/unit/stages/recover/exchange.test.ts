import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { pathFromBytes } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { fsPath } from '../../../../src/host/file-names.js'
import { makeFolder } from '../../../../src/host/make-folder.js'
import { removeTree } from '../../../../src/host/remove-tree.js'
import { keepNotInSnapshot, keptFolder, recordNotInSnapshot } from '../../../../src/stages/recover/kept-aside.js'
import { movesTo } from '../../../../src/stages/recover/file-moves.js'
import { stagedPath } from '../../../../src/stages/recover/extraction.js'
import type { KeptPaths, KeptReason } from '../../../../src/stages/recover/kept-paths.js'
import { changeFolders, isThere, placeAll, undoAll } from '../../../../src/stages/recover/moves.js'
import { SnapshotComparison } from '../../../../src/stages/recover/snapshot-comparison.js'
import { at, world, write } from '../fixtures.js'

const folder = (): { path: string; mountPoint: string; paths: readonly string[] } => ({ path: at('.ours'), mountPoint: '/', paths: [at('web')] })

function rules({ excluded = /(?!)/, mounts = [], others = [] }: { excluded?: RegExp; mounts?: readonly string[]; others?: readonly (readonly [string, KeptReason])[] } = {}): KeptPaths {
  return { isExcluded: (path) => excluded.test(path), mountPoints: new Set(mounts.map(at)), protectedPaths: new Map(others.map(([path, reason]) => [at(path), reason])) }
}

const inSnapshot = (path: string, text = 'new'): string => write(stagedPath(folder(), at(path)).slice(world.folder.length + 1), text)

function plan(kept: KeptPaths): ReturnType<typeof movesTo> {
  return movesTo({ place: at('web'), held: at('web'), folders: [folder()], kept, from: 0 })
}

const short = (path: string): string => path.slice(world.folder.length + 1)

/** Files below the stack's folder, with what they hold. */
function picture(root = at('web')): Record<string, string> {
  const found: Record<string, string> = {}
  for (const entry of readdirSync(root, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) found[short(join(entry.parentPath, entry.name))] = readFileSync(join(entry.parentPath, entry.name), 'utf8')
  }
  return found
}

describe('an exchange', () => {
  it('is one move where nothing has to stay, and names what the snapshot does not hold', () => {
    write('web/data/a', 'old')
    write('web/since/b', 'old')
    inSnapshot('web/data/a')
    const { moves, kept, notInSnapshot } = plan(rules())
    expect(moves.map(({ place }) => short(place))).toEqual(['web'])
    expect(kept).toEqual([])
    expect([...notInSnapshot.values()].flat().map(({ now, was }) => [short(now), short(was)])).toEqual([['.ours/before/0/since', 'web/since']])
  })

  it.each([
    ['a folder that EXCLUDE names', { excluded: /\/media$/ }, 'web/media/film'],
    ['a file that EXCLUDE names, in a folder that came since', { excluded: /\.mkv$/ }, 'web/since/deep/film.mkv'],
    ['a file that EXCLUDE names, next to a replaced one', { excluded: /\.mkv$/ }, 'web/data/film.mkv'],
    ['what is mounted two levels below', { mounts: ['web/data/disk'] }, 'web/data/disk/film'],
    ['the folder of another stack', { others: [['web/other', 'other-stack']] as const }, 'web/other/film'],
    ['the repository, whatever the snapshot holds of it', { others: [['web/repo', 'repository']] as const }, 'web/repo/film'],
  ])('goes around %s, forth and back, as often as it is asked', (_, request, path) => {
    write(path, 'kept')
    write('web/data/a', 'old')
    write('web/gone', 'old')
    inSnapshot('web/data/a')
    inSnapshot('web/data/b')
    inSnapshot('web/repo/film', 'old state')
    if (!path.startsWith('web/repo')) inSnapshot('web/repo/film', 'old state')
    const before = picture()
    const { moves, folderChanges, kept } = plan(rules(request))
    expect(kept).toHaveLength(1)
    for (let round = 0; round < 2; round++) {
      placeAll(moves)
      placeAll(moves)
      changeFolders(folderChanges, 'after')
      expect(picture()).toMatchObject({ [path]: 'kept', 'web/data/a': 'new', 'web/data/b': 'new' })
      expect(existsSync(at('web/gone'))).toBe(false)
      undoAll(moves)
      undoAll(moves)
      changeFolders(folderChanges, 'before')
      expect(picture()).toEqual(before)
    }
  })

  it('that is cut short after any rename goes on, and goes back', () => {
    write('web/media/film', 'kept')
    write('web/data/a', 'old')
    write('web/gone', 'old')
    inSnapshot('web/data/a')
    inSnapshot('web/b')
    const before = picture()
    const { moves } = plan(rules({ excluded: /\/media$/ }))
    for (let done = 0; done <= moves.length; done++) {
      placeAll(moves.slice(0, done))
      undoAll(moves)
      expect(picture()).toEqual(before)
      placeAll(moves.slice(0, done))
      placeAll(moves)
      expect(picture()).toEqual({ 'web/media/film': 'kept', 'web/data/a': 'new', 'web/b': 'new' })
      undoAll(moves)
    }
  })

  it('keeps an excluded link as a link, and does not follow it', () => {
    write('elsewhere/film', 'of elsewhere')
    write('web/a', 'old')
    symlinkSync(at('elsewhere'), at('web/media'))
    inSnapshot('web/a')
    const { moves, kept } = plan(rules({ excluded: /\/media$/ }))
    placeAll(moves)
    expect(kept.map(({ path, reason }) => [short(path), reason])).toEqual([['web/media', 'excluded']])
    expect(readFileSync(at('web/media/film'), 'utf8')).toBe('of elsewhere')
  })

  it('takes what EXCLUDE keeps out aside with its folder where the snapshot has a file in the place of that folder', () => {
    write('web/data/film.mkv', 'kept')
    inSnapshot('web/data')
    const { moves, notInSnapshot, kept } = plan(rules({ excluded: /\.mkv$/ }))
    expect(kept).toEqual([])
    expect([...notInSnapshot.values()].flat().map(({ was }) => short(was))).toEqual(['web/data'])
    placeAll(moves)
    expect(readFileSync(at('web/data'), 'utf8')).toBe('new')
  })

  it('leaves a mount where the snapshot has a file in the place of a folder above it, and says so', () => {
    write('web/data/disk/film', 'kept')
    write('web/a', 'old')
    inSnapshot('web/data')
    inSnapshot('web/a')
    const { moves, conflicts } = plan(rules({ mounts: ['web/data/disk'] }))
    placeAll(moves)
    expect(conflicts.map(({ path, reason }) => [short(path), reason])).toEqual([['web/data', 'mounted']])
    expect(picture()).toEqual({ 'web/data/disk/film': 'kept', 'web/a': 'new' })
  })

  it('never moves the folders of a recovery, whoever has them', () => {
    write('web/.stackbk-recover-other-1/before/0', 'kept')
    write('web/a', 'old')
    inSnapshot('web/a')
    placeAll(plan(rules()).moves)
    expect(picture()).toEqual({ 'web/.stackbk-recover-other-1/before/0': 'kept', 'web/a': 'new' })
  })

  it('names no socket as lost: no snapshot holds any', async () => {
    const { createServer } = await import('node:net')
    mkdirSync(at('web'))
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(at('web/s.sock'), resolve))
    inSnapshot('web/a')
    expect([...plan(rules()).notInSnapshot.values()].flat()).toEqual([])
    await new Promise((resolve) => server.close(resolve))
  })
})

/** Names that differ in nothing but bytes that are not UTF-8. */
describe('names that are not UTF-8', () => {
  const [umlaut, other, third] = [0xfc, 0xf6, 0xe9].map((byte) => pathFromBytes(Buffer.from([0x4d, byte, 0x6c]))) as [string, string, string]
  const put = (path: string, text: string): void => {
    makeFolder(dirname(path), fsPath)
    writeFileSync(fsPath(path), text)
  }
  const read = (path: string): string | null => (isThere(path) ? readFileSync(fsPath(path), 'utf8') : null)

  it('are exchanged by their bytes, and one that the snapshot does not hold is kept aside', () => {
    for (const name of [umlaut, other, third]) put(at(`web/data/${name}`), 'old')
    put(at('web/media/x'), 'kept')
    for (const name of [umlaut, other]) put(stagedPath(folder(), at(`web/data/${name}`)), `new ${name.length}`)
    const { moves, notInSnapshot } = plan(rules({ excluded: /\/media$/ }))
    const aside = [...notInSnapshot.values()].flat()
    expect(aside.map(({ was }) => was)).toEqual([at(`web/data/${third}`)])
    recordNotInSnapshot(folder(), aside)
    const asWritten = JSON.parse(JSON.stringify(moves)) as typeof moves
    placeAll(asWritten)
    expect([umlaut, other, third].map((name) => read(at(`web/data/${name}`)))).toEqual(['new 3', 'new 3', null])
    undoAll(asWritten)
    expect([umlaut, other, third].map((name) => read(at(`web/data/${name}`)))).toEqual(['old', 'old', 'old'])
    placeAll(asWritten)
    expect(keepNotInSnapshot(folder())).toBeNull()
    expect(read(`${keptFolder(folder())}${at(`web/data/${third}`)}`)).toBe('old')
  })

  it('are compared by their bytes, also as names of folders', () => {
    for (const name of [umlaut, other]) put(at(`web/${name}/file`), 'old')
    put(at(`web/${umlaut}/${third}`), 'old')
    const comparison = new SnapshotComparison({ place: at('web'), held: at('web'), kept: rules() })
    comparison.entry({ path: at('web'), type: 'directory' })
    comparison.entry({ path: at(`web/${umlaut}`), type: 'directory' })
    comparison.entry({ path: at(`web/${umlaut}/file`), type: 'file' })
    comparison.end()
    expect(comparison.notInSnapshot.toSorted()).toEqual([at(`web/${umlaut}/${third}`), at(`web/${other}`)].sort())
  })

  it('are removed with the folder that they are in', async () => {
    for (const name of [umlaut, other]) put(at(`gone/${name}/${third}`), 'old')
    expect(await removeTree(at('gone'))).toEqual([])
    expect(isThere(at('gone'))).toBe(false)
  })
})

describe('a comparison with a listing', () => {
  function compare(kept: KeptPaths, listing: readonly (readonly [string, 'file' | 'directory'])[]): SnapshotComparison {
    const comparison = new SnapshotComparison({ place: at('web'), held: at('web'), kept })
    for (const [path, type] of listing) comparison.entry({ path: at(path), type })
    comparison.end()
    return comparison
  }

  it('finds what the snapshot does not hold, what stays, and what is of another kind', () => {
    for (const path of ['web/a', 'web/data/x', 'web/data/y', 'web/media/film', 'web/since/deep/one', 'web/since/two.mkv', 'web/kind/inside', 'web/disk/film', 'web/other/compose.yaml']) write(path)
    const kept = rules({ excluded: /(\.mkv|\/media)$/, mounts: ['web/disk'], others: [['web/other', 'other-stack']] })
    const found = compare(kept, [['web', 'directory'], ['web/a', 'file'], ['web/data', 'directory'], ['web/data/x', 'file'], ['web/kind', 'file'], ['web/new', 'directory'], ['web/new/file', 'file'], ['web/other', 'directory'], ['web/other/compose.yaml', 'file']])
    expect(found.notInSnapshot.map(short).sort()).toEqual(['web/data/y', 'web/since/deep'])
    expect(found.otherKind.map(short)).toEqual(['web/kind'])
    expect(found.kept.map(({ path, reason }) => [short(path), reason]).sort()).toEqual([['web/disk', 'mounted'], ['web/media', 'excluded'], ['web/other', 'other-stack'], ['web/since/two.mkv', 'excluded']])
    expect(found.untouchable.map(short)).toEqual(['web/other'])
  })

  it('is right for names that sort around the separator', () => {
    for (const path of ['web/a/x', 'web/a-b/x', 'web/a.b']) write(path)
    expect(compare(rules(), [['web', 'directory'], ['web/a', 'directory'], ['web/a/x', 'file'], ['web/a-b', 'directory'], ['web/a-b/x', 'file'], ['web/a.b', 'file']]).notInSnapshot).toEqual([])
  })
})
