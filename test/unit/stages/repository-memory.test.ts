import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { mountPointOf } from '../../../src/host/mounts.js'
import { isDiskMounted, knownRepository, rememberRepository, SnapshotRecord } from '../../../src/stages/repository-memory.js'
import { at } from './fixtures.js'

describe('the record of snapshots', () => {
  /** As the next process would read it. */
  const record = (): SnapshotRecord => new SnapshotRecord(at('repositories'), 'repository')
  const path = (): string => at('repositories/repository.snapshots.jsonl')
  const fate = (id: string): string => (record().wasForgotten(id) ? 'forgotten' : record().wasSeen(id) ? 'seen' : 'never here')

  it('knows what was here and what went by us, also for the next process', () => {
    const now = record()
    now.settle(['a', 'b'])
    now.willForget(['a', 'b'])
    now.didForget(['a'])
    expect(['a', 'b', 'c'].map((id) => [now.wasSeen(id), now.wasForgotten(id)])).toEqual([[true, true], [true, false], [false, false]])
    expect(['a', 'b', 'c'].map(fate)).toEqual(['forgotten', 'seen', 'never here'])
  })

  it('settles what a kill within a forget has left open, by what is still there', () => {
    record().settle(['a', 'b', 'c'])
    record().willForget(['a', 'b'])
    // The process dies here; the engine had removed one of the two.
    record().settle(['b', 'c'])
    expect(['a', 'b', 'c'].map(fate)).toEqual(['forgotten', 'seen', 'seen'])
  })

  it('takes what is gone for rolled back and not for forgotten, when what the act leaves alone is gone too', () => {
    record().settle(['a', 'b'])
    record().willForget(['a', 'b'], ['new'])
    // The machine dies here, and comes back with a disk as it was when there was only `a`.
    record().settle(['a'])
    expect(fate('b')).toBe('seen')
    record().settle(['a', 'b', 'new'])
    record().willForget(['a', 'b'], ['new'])
    record().settle(['b', 'new'])
    expect(['a', 'b'].map(fate)).toEqual(['forgotten', 'seen'])
  })

  it('on a full disk refuses before a forget, and ends no run for what could not be noted after one', () => {
    mkdirSync(at('repositories'), { recursive: true })
    // Made before: who reads this device never comes to an end.
    const full = record()
    symlinkSync('/dev/full', path())
    full.settle(['a', 'b'])
    expect(full.willForget(['a'])).toMatchObject({ ok: false, failure: { toolOutput: expect.stringMatching(/no space left/i) as string, fix: expect.stringContaining(at('repositories')) as string } })
    rmSync(path())
    record().settle(['a', 'b'])
    const now = record()
    expect(now.willForget(['a', 'b'])).toMatchObject({ ok: true })
    const kept = readFileSync(path(), 'utf8')
    rmSync(path())
    symlinkSync('/dev/full', path())
    now.didForget(['a'])
    now.noteSeen(['c'])
    expect([now.wasForgotten('a'), now.wasSeen('c')]).toEqual([true, true])
    rmSync(path())
    writeFileSync(path(), kept)
    record().settle(['b', 'c'])
    expect(['a', 'b', 'c'].map(fate)).toEqual(['forgotten', 'seen', 'seen'])
  })

  it('settles it once: what goes later goes by somebody else', () => {
    record().settle(['a', 'b'])
    record().willForget(['a', 'b'])
    record().settle(['a', 'b'])
    record().settle(['b'])
    expect(['a', 'b'].map(fate)).toEqual(['seen', 'seen'])
  })

  it('counts nothing as forgotten that went without us: a disk rolled back, a file deleted', () => {
    record().settle(['a', 'b'])
    record().settle(['b'])
    expect(fate('a')).toBe('seen')
  })

  it('takes a forgotten snapshot that is here again for one that is here', () => {
    record().willForget(['a'])
    record().didForget(['a'])
    record().settle(['a'])
    expect(fate('a')).toBe('seen')
    record().willForget(['a'])
    record().didForget(['a'])
    expect(fate('a')).toBe('forgotten')
  })

  it('takes a forget that failed as a whole for none', () => {
    record().settle(['a'])
    record().willForget(['a'])
    record().didForget([])
    record().settle([])
    expect(fate('a')).toBe('seen')
  })

  it('reads on after a line that a crash cut short, and the next line is not lost to it', () => {
    record().settle(['a', 'b'])
    appendFileSync(path(), '{"is":"seen","at":"2026-01-01T00')
    record().willForget(['a'])
    record().didForget(['a'])
    expect(['a', 'b'].map(fate)).toEqual(['forgotten', 'seen'])
  })

  it('keeps two repositories apart', () => {
    record().settle(['a'])
    expect(new SnapshotRecord(at('repositories'), 'another').wasSeen('a')).toBe(false)
  })

  it.each([
    ['a folder', (path: string) => mkdirSync(path, { recursive: true })],
    ['overwritten with something else', (path: string) => writeFileSync(path, 'PK\u0003\u0004 not a record\n')],
    ['damaged in one line', (path: string) => appendFileSync(path, '{"is":"seen","at":"2026","ids":"x"}\n')],
    ['damaged within a line that goes on to its end', (path: string) => appendFileSync(path, '{"is":"seen","at":"20\u000126","ids":["a"]}\n')],
    ['full of zeros', (path: string) => writeFileSync(path, '\0'.repeat(100))],
  ])('is a failure and no empty record when the file is %s: it proves nothing, and nothing is forgotten', (what, spoil) => {
    if (what === 'a folder') mkdirSync(at('repositories'), { recursive: true })
    else {
      record().settle(['a', 'b'])
      record().willForget(['a'])
      record().didForget(['a'])
    }
    spoil(path())
    expect(record().unreadable).not.toBeNull()
    expect(() => record().wasForgotten('a')).toThrow(path())
    expect(() => record().wasSeen('a')).toThrow(path())
    expect(record().willForget(['b'])).toMatchObject({ ok: false, failure: { fix: expect.stringContaining('move the file away') as string } })
    record().settle(['b'])
    expect(record().present()).toEqual([])
  })

  it('reads on after zeros that a power cut left in place of a line', () => {
    record().settle(['a'])
    appendFileSync(path(), '\0'.repeat(40))
    record().settle(['a', 'b'])
    expect(['a', 'b'].map(fate)).toEqual(['seen', 'seen'])
  })

  it('is rewritten when most of it is history, and proves what it proved before', () => {
    const id = (number: number): string => number.toString(16).padStart(64, '0')
    const kept = (last: number): string[] => [id(last), id(last - 1), id(last - 2)]
    const nights = 1500
    record().settle(kept(2))
    const lines = Array.from({ length: nights }, (_, night) => {
      const gone = [id(night)]
      return [{ is: 'seen', at: '', ids: [id(night + 3)] }, { is: 'forgetting', at: '', candidates: kept(night + 2) }, { is: 'forgot', at: '', ids: gone }]
    })
    appendFileSync(path(), lines.flat().map((line) => `${JSON.stringify(line)}\n`).join(''))
    const before = statSync(path()).size
    record().settle(kept(nights + 2))
    expect(statSync(path()).size).toBeLessThan(before / 3)
    expect(statSync(path()).mode & 0o777).toBe(0o600)
    const after = record()
    expect(Array.from({ length: nights }, (_, night) => after.wasForgotten(id(night))).every(Boolean)).toBe(true)
    expect(kept(nights + 2).map(fate)).toEqual(['seen', 'seen', 'seen'])
    // What is gone without an act is not proven by it either.
    record().settle([id(nights + 2)])
    expect(fate(id(nights))).toBe('seen')
  })

  it('is for its owner alone, and writes nothing that it knows already', () => {
    record().settle(['a', 'b'])
    const before = readFileSync(path(), 'utf8')
    record().settle(['b', 'a'])
    expect(readFileSync(path(), 'utf8')).toBe(before)
    expect(statSync(path()).mode & 0o777).toBe(0o600)
    expect(statSync(at('repositories')).mode & 0o777).toBe(0o700)
  })
})

describe('what is known of a repository', () => {
  const repository = (id = 'one', path: string | null = at('repository')) => ({ id, location: '/mnt/repository', path })

  it('is its ID, its place and its file system', () => {
    mkdirSync(at('repository'))
    expect(knownRepository(at('repositories'), '/mnt/repository')).toBeNull()
    rememberRepository(at('repositories'), '/mnt/repository', repository())
    expect(knownRepository(at('repositories'), '/mnt/repository')).toMatchObject({ schemaVersion: 1, repositoryId: 'one', location: '/mnt/repository', device: statSync(at('repository')).dev, mountPoint: mountPointOf(at('repository')), lastSync: null })
    expect(knownRepository(at('repositories'), '/mnt/other')).toBeNull()
    rememberRepository(at('repositories'), 'rest:x', repository('two', null))
    expect(knownRepository(at('repositories'), 'rest:x')?.device).toBeNull()
  })

  it.each([
    ['cut short', (path: string) => writeFileSync(path, '{"schemaVersion": 1, "loca')],
    ['emptied', (path: string) => writeFileSync(path, '')],
    ['something else', (path: string) => writeFileSync(path, 'null')],
    ['a folder', (path: string) => (rmSync(path), mkdirSync(path))],
  ])('is that one was there, also when the note is %s', (_, spoil) => {
    mkdirSync(at('repository'))
    rememberRepository(at('repositories'), 'place', repository())
    const [name = ''] = readdirSync(at('repositories'))
    spoil(at(`repositories/${name}`))
    expect(knownRepository(at('repositories'), 'place')).toMatchObject({ repositoryId: null, device: null, lastSync: null, lastSeenAt: expect.stringMatching(/^\d{4}-/) as string })
    expect(knownRepository(at('repositories'), 'elsewhere')).toBeNull()
  })

  it('tells whether its disk is mounted by where, since a number of a device may change and a disk be replaced', () => {
    mkdirSync(at('repository'))
    rememberRepository(at('repositories'), '/mnt/repository', { id: 'one', location: '/mnt/repository', path: at('repository') })
    const known = knownRepository(at('repositories'), '/mnt/repository')
    if (known === null) throw new Error('it is not known')
    expect(isDiskMounted({ ...known, device: 424_242 }, at('repository'))).toBe(true)
    expect(isDiskMounted({ ...known, mountPoint: '/mnt' }, at('repository'))).toBe(false)
    const { mountPoint: _, ...older } = known
    expect(isDiskMounted(older, at('repository'))).toBe(true)
    expect(isDiskMounted({ ...older, device: 424_242 }, at('repository'))).toBe(false)
  })

  it('keeps its first sight and its last sync, as long as it is the same one', () => {
    mkdirSync(at('repository'))
    const sync = { at: '2026-01-01T00:00:00.000Z', remote: 'b2:x', snapshots: 3 }
    rememberRepository(at('repositories'), 'place', repository(), { lastSync: sync })
    const [name = ''] = readdirSync(at('repositories'))
    writeFileSync(at(`repositories/${name}`), readFileSync(at(`repositories/${name}`), 'utf8').replace(/"firstSeenAt": "[^"]*"/, '"firstSeenAt": "2020-01-01T00:00:00.000Z"'))
    rememberRepository(at('repositories'), 'place', repository())
    expect(knownRepository(at('repositories'), 'place')).toMatchObject({ firstSeenAt: '2020-01-01T00:00:00.000Z', lastSync: sync })
    rememberRepository(at('repositories'), 'place', repository('another'))
    expect(knownRepository(at('repositories'), 'place')).toMatchObject({ repositoryId: 'another', lastSync: null })
    expect(knownRepository(at('repositories'), 'place')?.firstSeenAt).not.toBe('2020-01-01T00:00:00.000Z')
  })
})
