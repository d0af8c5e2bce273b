import { mkdirSync, rmSync, symlinkSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import type { NamedFile } from '../../../../src/stages/remote-contents.js'
import { groupFiles } from '../../../../src/stages/sync/file-list.js'
import { LocalRotation, RemoteRotation } from '../../../../src/stages/verify/rotation.js'
import { at } from '../fixtures.js'
import { layout, nameOf } from '../sync/layout.js'

const named = (path: string, size: number, modifiedAt = '2026-01-01T00:00:00.000Z'): NamedFile => {
  const file = { path, size, modifiedAt }
  const group = groupFiles(layout, [file]).list.find(({ files }) => files.length > 0)?.group
  if (group === undefined) throw new Error(path)
  return { group, file }
}
const files = Array.from({ length: 40 }, (_, number) => named(`data/aa/${nameOf(String(number))}`, 100 + ((number * 37) % 900)))
const day = (number: number): Date => new Date(Date.UTC(2026, 0, number))

describe('the share of a remote that is read', () => {
  const rotation = (): RemoteRotation => new RemoteRotation(at('repositories'), 'cloud:/backup')
  /** As one run does it; the next one is another process. */
  function read(percent: number, when: Date, present = files): readonly NamedFile[] {
    const now = rotation()
    const chosen = now.choose(present, percent)
    now.note(chosen, when)
    now.settle(present)
    return chosen
  }

  it.each([5, 20, 33, 50])('of %d % is all of it after as many runs as such shares make', (percent) => {
    const seen = new Set<string>()
    for (let run = 1; run <= Math.ceil(100 / percent); run++) for (const { file } of read(percent, day(run))) seen.add(file.path)
    expect(seen.size).toBe(files.length)
  })

  it('is of no more bytes than it has to be', () => {
    const total = files.reduce((sum, { file }) => sum + file.size, 0)
    const bytes = read(10, day(1)).reduce((sum, { file }) => sum + file.size, 0)
    expect(bytes).toBeGreaterThanOrEqual(total / 10)
    expect(bytes).toBeLessThan(total / 10 + 1000)
    expect(read(0.001, day(2))).toHaveLength(1)
    expect(read(100, day(3))).toHaveLength(files.length)
  })

  it('begins with what is new or was replaced since', () => {
    read(100, day(1))
    const fresh = named(`data/bb/${nameOf('new')}`, 500)
    const replaced = named(files[7]?.file.path ?? '', 1, '2026-02-02T00:00:00.000Z')
    const present = [...files.filter((_, number) => number !== 7), replaced, fresh]
    expect(read(1, day(2), present).map(({ file }) => file.path)).toEqual([replaced.file.path, fresh.file.path])
  })

  it('of what was found rotten is the first again: it is not noted', () => {
    const now = rotation()
    now.note(files.slice(1), day(1))
    expect(rotation().choose(files, 1).map(({ file }) => file.path)[0]).toBe(files[0]?.file.path)
  })

  it('is chosen also where nothing can be noted', () => {
    mkdirSync(at('repositories'))
    rmSync(at('repositories'), { recursive: true })
    symlinkSync('/proc/nowhere', at('repositories'))
    expect(read(5, day(1)).length).toBeGreaterThan(0)
  })
})

describe('the share of the repository that is read', () => {
  const turn = (percent: number) => {
    const rotation = new LocalRotation(at('repositories'), 'id', percent)
    rotation.done()
    return rotation.part.part
  }

  it('is another part each time, until it was all of it', () => {
    expect([1, 2, 3, 4, 5].map(() => turn(30))).toEqual([{ n: 1, of: 4 }, { n: 2, of: 4 }, { n: 3, of: 4 }, { n: 4, of: 4 }, { n: 1, of: 4 }])
  })

  it('begins anew with another share, and has no turns where it is all, nothing or very small', () => {
    turn(50)
    expect([turn(25), turn(100), turn(0), turn(0.1)]).toEqual([{ n: 1, of: 4 }, undefined, undefined, undefined])
  })

  it('stays the same part until it was read', () => {
    turn(25)
    const next = () => new LocalRotation(at('repositories'), 'id', 25)
    expect([next().part.part, next().part.part, next().words]).toEqual([{ n: 2, of: 4 }, { n: 2, of: 4 }, ' (part 2 of 4)'])
  })
})
