import { chmodSync, chownSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { removeUnfinishedWrites, writeFileAtomically } from '../../../src/host/atomic-write.js'

describe('an atomic write', () => {
  let folder = ''
  const isRoot = process.getuid?.() === 0

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'stackbk-write-'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it('makes a new file with the mode asked for, whatever the umask', () => {
    const before = process.umask(0o077)
    try {
      writeFileAtomically(join(folder, 'new'), 'a', { mode: 0o640 })
      writeFileAtomically(join(folder, 'plain'), 'a')
    } finally {
      process.umask(before)
    }
    expect(statSync(join(folder, 'new')).mode & 0o7777).toBe(0o640)
    expect(statSync(join(folder, 'plain')).mode & 0o7777).toBe(0o644)
  })

  it('keeps the mode of a file that is there, and leaves nothing else behind', () => {
    const file = join(folder, 'old')
    writeFileSync(file, 'a')
    chmodSync(file, 0o604)
    writeFileAtomically(file, 'b', { mode: 0o600 })
    expect(readFileSync(file, 'utf8')).toBe('b')
    expect(statSync(file).mode & 0o7777).toBe(0o604)
    expect(readdirSync(folder)).toEqual(['old'])
  })

  it.runIf(isRoot)('keeps the owner of a file that is there', () => {
    const file = join(folder, 'old')
    writeFileSync(file, 'a')
    chownSync(file, 12_345, 23_456)
    writeFileAtomically(file, 'b')
    expect(statSync(file)).toMatchObject({ uid: 12_345, gid: 23_456 })
  })

  it('follows a symbolic link and leaves it one', () => {
    writeFileSync(join(folder, 'target'), 'a')
    symlinkSync('target', join(folder, 'link'))
    writeFileAtomically(join(folder, 'link'), 'b')
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true)
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('b')
  })

  it('refuses a symbolic link to nowhere: what it points to may be on a disk that is not mounted', () => {
    symlinkSync(join(folder, 'away', 'target'), join(folder, 'link'))
    expect(() => writeFileAtomically(join(folder, 'link'), 'b')).toThrow(/ENOENT/)
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true)
  })

  it('leaves the old file, and no half one, when it fails', () => {
    const occupied = join(folder, 'occupied')
    writeFileAtomically(join(folder, 'x'), 'x')
    rmSync(join(folder, 'x'))
    symlinkSync(folder, occupied)
    expect(() => writeFileAtomically(occupied, 'b')).toThrow()
    expect(readdirSync(folder)).toEqual(['occupied'])
  })

  it('removes what a killed writer of this file left, and nothing else', () => {
    const others = ['.state.json.0123456789ab.tmp.old', '.other.json.0123456789ab.tmp', '.state.json.x123456789ab.tmp', 'state.json']
    for (const name of [...others, '.state.json.0123456789ab.tmp', '.state.json.ffffffffffff.tmp']) writeFileSync(join(folder, name), '')
    removeUnfinishedWrites(join(folder, 'state.json'))
    expect(readdirSync(folder).sort()).toEqual([...others].sort())
    expect(() => removeUnfinishedWrites(join(folder, 'missing', 'state.json'))).not.toThrow()
  })
})
