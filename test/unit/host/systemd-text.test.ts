import { execFileSync } from 'node:child_process'

import { describe, expect, it } from 'vitest'

import { commandWord, mountUnit, pathWord, unitWord } from '../../../src/host/systemd-text.js'

describe('a word of a unit file', () => {
  it.each([
    ['/usr/bin/node', '/usr/bin/node', '/usr/bin/node', '/usr/bin/node'],
    ['/a b', '"/a b"', '"/a b"', '"/a b"'],
    ['/100%', '"/100%%"', '"/100%%"', '/100%%'],
    ['/a$b', '"/a$b"', '"/a$$b"', '"/a$b"'],
    ['/a"b', '"/a\\"b"', '"/a\\"b"', `"/a"'"'"b"`],
    ['/a\\b', '"/a\\\\b"', '"/a\\\\b"', '"/a\\b"'],
  ])('%s is written as each key reads it', (text, word, command, path) => {
    expect([unitWord(text), commandWord(text), pathWord(text)]).toEqual([word, command, path])
  })

  it('has no line break', () => {
    expect(() => commandWord('/a\nExecStartPost=/bin/true')).toThrow(/control character/)
  })
})

it.each(['/', '/mnt/backup', '/mnt/my disk', '/mnt/a-b', '/.hidden', '/mnt/ü', '/a.b_c:d'])("the unit of the mount point %s is that of systemd's own tool", (path) => {
  expect(mountUnit(path)).toBe(execFileSync('systemd-escape', ['--path', '--suffix=mount', '--', path], { encoding: 'utf8' }).trim())
})
