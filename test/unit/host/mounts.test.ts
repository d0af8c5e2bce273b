import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { deviceOf, isWithin, mountPoints, nearestExisting, realPathSoFar } from '../../../src/host/mounts.js'
import { ensureFolder, stateFolder } from '../../../src/host/state-folder.js'

describe('places on this machine', () => {
  let folder = ''
  const at = (path: string): string => join(folder, path)

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'stackbk-mounts-')))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it('have the device of their file system, and none where there is nothing', () => {
    expect(deviceOf(folder)).toBe(statSync(folder).dev)
    expect(deviceOf('/proc')).not.toBe(deviceOf('/'))
    expect(deviceOf(at('nothing'))).toBeNull()
  })

  it('have one name before and after they are made, through symbolic links', () => {
    mkdirSync(at('real'))
    symlinkSync(at('real'), at('link'))
    expect(realPathSoFar(at('link/deep/er'))).toBe(at('real/deep/er'))
    mkdirSync(at('real/deep/er'), { recursive: true })
    expect(realPathSoFar(at('link/deep/er'))).toBe(at('real/deep/er'))
    expect(realPathSoFar('/')).toBe('/')
    expect(realPathSoFar('/nothing-of-this-name/x')).toBe('/nothing-of-this-name/x')
  })

  it('have a nearest folder that exists', () => {
    writeFileSync(at('file'), '')
    expect(nearestExisting(at('a/b/c'))).toBe(folder)
    expect(nearestExisting(at('file'))).toBe(at('file'))
    expect(nearestExisting('/nothing-of-this-name/x')).toBe('/')
  })

  it.each([
    ['/a', '/a', true],
    ['/a/b', '/a', true],
    ['/a/b/', '/a', true],
    ['/a', '/', true],
    ['/ab', '/a', false],
    ['/a', '/a/b', false],
    ['/a/../b', '/a', false],
    ['/a/..b', '/a', true],
  ])('%s is within %s: %s', (path, place, expected) => {
    expect(isWithin(path, place)).toBe(expected)
  })

  it('that are mount points are listed by the kernel', () => {
    expect(mountPoints()).toEqual(expect.arrayContaining(['/', '/proc']))
  })
})

describe('the state folder', () => {
  it('is where it was asked for, else where the system keeps such things', () => {
    const isRoot = process.getuid?.() === 0
    expect(stateFolder({ STACKBK_STATE_DIR: '/s', XDG_STATE_HOME: '/x' }).root).toBe('/s')
    expect(stateFolder({ STACKBK_STATE_DIR: '', XDG_STATE_HOME: '/x', HOME: '/home/ann' }).root).toBe(isRoot ? '/var/lib/stackbk' : '/x/stackbk')
    if (!isRoot) expect(stateFolder({ HOME: '/home/ann' }).root).toBe('/home/ann/.local/state/stackbk')
  })

  it('holds all its places within, and none is made by naming it', () => {
    const { root, ...places } = stateFolder({ STACKBK_STATE_DIR: '/nothing-of-this-name' })
    expect(Object.values(places).every((path) => isWithin(path, root) && path !== root)).toBe(true)
    expect(new Set(Object.values(places)).size).toBe(Object.values(places).length)
    expect(deviceOf(root)).toBeNull()
  })

  it('is made for us alone, whatever the umask, with those above it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'stackbk-state-'))
    const before = process.umask(0)
    try {
      ensureFolder(join(folder, 'a/b'))
      ensureFolder(join(folder, 'a/b'))
      expect([statSync(join(folder, 'a')).mode & 0o777, statSync(join(folder, 'a/b')).mode & 0o777]).toEqual([0o700, 0o700])
    } finally {
      process.umask(before)
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
