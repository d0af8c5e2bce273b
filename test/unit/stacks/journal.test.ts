import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

import { afterEach, describe, expect, it, vi } from 'vitest'

import { Journal, type JournalEntry } from '../../../src/stacks/journal.js'
import { at } from './fixtures.js'

function entry(name: string, more: Partial<JournalEntry> = {}): JournalEntry {
  return {
    schemaVersion: 1,
    runId: 'run-1',
    key: `${name}-key`,
    name,
    directory: `/opt/${name}`,
    writtenAt: '2026-01-01T00:00:00.000Z',
    bootId: 'boot',
    mode: 'stop',
    healthTimeoutMs: 1000,
    state: { schemaVersion: 1, directory: `/opt/${name}`, condition: 'running', failure: null, projects: [], dependents: [], takenAt: '2026-01-01T00:00:00.000Z' },
    whyNotDown: [],
    devices: [],
    ...more,
  }
}

describe('the journal', () => {
  const journal = (): Journal => new Journal(at('state/journal'))
  const damage = (name: string, text: string): void => {
    mkdirSync(at('state/journal'), { recursive: true })
    writeFileSync(at(`state/journal/${name}.json`), text)
  }

  afterEach(() => {
    vi.restoreAllMocks()
    syncBuiltinESMExports()
  })

  it('gives back what was written, also to another process', () => {
    const web = entry('web', { devices: [{ path: '/opt/web', device: 7 }], whyNotDown: ['because'] })
    journal().write(web)
    expect(journal().content()).toEqual({ entries: [web], damaged: [] })
    expect(journal().entries()).toEqual([web])
  })

  it('is for its owner alone, and leaves no half file', () => {
    journal().write(entry('web'))
    expect(statSync(at('state/journal')).mode & 0o777).toBe(0o700)
    expect(statSync(at('state/journal/web-key.json')).mode & 0o777).toBe(0o600)
    expect(readdirSync(at('state/journal'))).toEqual(['web-key.json'])
  })

  it('is on the disk when the write returns: the file synced before it has its name, the folder after', () => {
    const acts: string[] = []
    const noted = (name: 'fsyncSync' | 'renameSync' | 'openSync' | 'writeSync'): void => {
      const real = fs[name] as (...args: unknown[]) => unknown
      vi.spyOn(fs, name as 'fsyncSync').mockImplementation(((...args: unknown[]) => {
        const given = real(...args)
        if (name === 'openSync') acts.push(`open ${String(args[0]).slice(at('state/').length)} ${String(given)}`)
        else acts.push(name === 'renameSync' ? 'rename' : `${name.slice(0, -4)} ${String(args[0])}`)
        return given
      }))
    }
    for (const name of ['fsyncSync', 'renameSync', 'openSync', 'writeSync'] as const) noted(name)
    syncBuiltinESMExports()
    journal().write(entry('web'))
    const numberOf = (path: string): string => acts.find((act) => act.startsWith(`open ${path} `))?.split(' ').at(-1) ?? '?'
    const file = numberOf('journal/web-key.json.new')
    const folder = numberOf('journal')
    expect(acts.map((act) => act.replace(/^open (\S+) .*/, 'open $1'))).toEqual(['open journal/web-key.json.new', `write ${file}`, `fsync ${file}`, 'rename', 'open journal', `fsync ${folder}`])
  })

  it('replaces an entry as a whole', () => {
    journal().write(entry('web', { runId: 'run-1', whyNotDown: ['a long reason '.repeat(1000)] }))
    journal().write(entry('web', { runId: 'run-2' }))
    expect(journal().entries()).toEqual([entry('web', { runId: 'run-2' })])
  })

  it('throws when the disk is full, with nothing left but the entry from before', () => {
    journal().write(entry('web', { runId: 'run-1' }))
    symlinkSync('/dev/full', at('state/journal/web-key.json.new'))
    expect(() => journal().write(entry('web', { runId: 'run-2' }))).toThrow(/ENOSPC/)
    expect(journal().content()).toEqual({ entries: [entry('web', { runId: 'run-1' })], damaged: [] })
    expect(readdirSync(at('state/journal'))).toEqual(['web-key.json'])
  })

  it('throws when its folder cannot be made', () => {
    writeFileSync(at('state'), 'a file')
    expect(() => journal().write(entry('web'))).toThrow(/ENOTDIR|EEXIST/)
  })

  it('throws when the disk does not take it to heart', () => {
    vi.spyOn(fs, 'fsyncSync').mockImplementation(() => {
      throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' })
    })
    syncBuiltinESMExports()
    expect(() => journal().write(entry('web'))).toThrow(/EIO/)
    vi.restoreAllMocks()
    syncBuiltinESMExports()
    expect(journal().isEmpty()).toBe(true)
  })

  it('has nothing when there is no folder, and makes none by looking', () => {
    expect(journal().isEmpty()).toBe(true)
    expect(journal().entries()).toEqual([])
    expect(journal().content()).toEqual({ entries: [], damaged: [] })
    journal().remove('web-key')
    expect(existsSync(at('state'))).toBe(false)
  })

  it('forgets one stack and no other', () => {
    journal().write(entry('web'))
    journal().write(entry('db'))
    journal().remove('web-key')
    expect(journal().entries().map(({ name }) => name)).toEqual(['db'])
    journal().remove('web-key')
    journal().remove('db-key')
    expect(journal().isEmpty()).toBe(true)
  })

  it('gives what waits in the order in which it was stopped', () => {
    journal().write(entry('a', { writtenAt: '2026-01-01T00:00:03.000Z' }))
    journal().write(entry('c', { writtenAt: '2026-01-01T00:00:01.000Z' }))
    journal().write(entry('b', { writtenAt: '2026-01-01T00:00:02.000Z' }))
    expect(journal().content().entries.map(({ name }) => name)).toEqual(['c', 'b', 'a'])
  })

  it.each([
    ['is empty', '', /JSON/],
    ['is cut short', JSON.stringify(entry('web')).slice(0, 200), /JSON/],
    ['is no entry', '[1,2]', /schemaVersion/],
    ['is nothing at all', 'null', /./],
    ['is of a later version', JSON.stringify({ ...entry('web'), schemaVersion: 2 }), /schemaVersion is 2/],
    ['lacks its key', JSON.stringify({ ...entry('web'), key: undefined }), /lacks/],
    ['lacks what ran', JSON.stringify({ ...entry('web'), state: undefined }), /lacks/],
  ])('tells of an entry that %s, and keeps it aside when told to', (_, text, reason) => {
    damage('broken-key', text)
    journal().write(entry('web'))
    const { entries, damaged } = journal().content()
    expect(entries.map(({ name }) => name)).toEqual(['web'])
    expect(damaged).toEqual([{ key: 'broken-key', reason: expect.stringMatching(reason) }])
    expect(journal().keepAside('broken-key')).toBe(at('state/journal/broken-key.json.damaged'))
    expect(readFileSync(at('state/journal/broken-key.json.damaged'), 'utf8')).toBe(text)
    expect(journal().content()).toMatchObject({ entries: [{ name: 'web' }], damaged: [] })
  })

  it('leaves a damaged entry where it is when it is only looked at', () => {
    damage('broken-key', '{')
    expect(journal().entries()).toEqual([])
    expect(journal().isEmpty()).toBe(false)
    expect(readdirSync(at('state/journal'))).toEqual(['broken-key.json'])
  })

  it('takes no half-written file of a run that died for an entry', () => {
    mkdirSync(at('state/journal'), { recursive: true })
    writeFileSync(at('state/journal/web-key.json.new'), JSON.stringify(entry('web')))
    expect(journal().content()).toEqual({ entries: [], damaged: [] })
  })

  it('writes an entry with wide characters whole', () => {
    const wide = entry('web', { whyNotDown: ['ü€😀'.repeat(50_000)] })
    journal().write(wide)
    expect(journal().entries()).toEqual([wide])
  })
})
