import { describe, expect, test } from 'vitest'

import { isMissingFolder } from '../src/failure.js'
import { entryOf } from '../src/list.js'
import { placeOf } from '../src/place.js'
import { Progress2, totalsIn, type Count } from '../src/progress.js'
import type { RsyncRun } from '../src/rsync.js'
import { remoteShell, sshOptions } from '../src/ssh.js'

describe('a line of a list', () => {
  test.each([
    ['-rw-r--r--           3 2026/11/25 22:00:13 data/00/a b', { path: 'data/00/a b', size: 3, modifiedAt: '2026-11-25T22:00:13.000Z', isFile: true }],
    ['-r--------  12,345,678 2026/11/25 22:00:13  blank before', { path: ' blank before', size: 12_345_678, isFile: true }],
    ['drwxr-xr-x        4096 2026/11/25 22:00:16 data', { path: 'data', isFile: false }],
    ['lrwxrwxrwx           4 2026/11/25 22:00:16 link -> data', { isFile: false }],
    [String.raw`-rw-r--r--           1 2026/11/25 22:00:13 umlaut-\#303\#274 and \#134#012`, { path: String.raw`umlaut-ü and \#012`, isFile: true }],
  ])('%s', (line, expected) => {
    expect(entryOf(line)).toMatchObject(expected)
  })

  test.each(['', 'rsync: something', '-rw-r--r-- 3 data'])('%j is none', (line) => {
    expect(entryOf(line)).toBeNull()
  })
})

test('the account of a transfer counts in bytes', () => {
  const counts: Count[] = []
  const progress = new Progress2((count) => counts.push(count))
  for (const line of ['', '              2  40%    0.00kB/s    0:00:00  ', '      1,048,576  50%    1.50MB/s    0:00:01 (xfr#1, to-chk=3/4)', 'Number of files: 4 (reg: 2, dir: 2)']) progress.hear(line)
  expect(counts).toEqual([
    { bytes: 2, files: 0, bytesPerSecond: 0 },
    { bytes: 1_048_576, files: 1, bytesPerSecond: 1_572_864 },
  ])
})

test('its totals are those of the files that were sent', () => {
  expect(totalsIn('Number of files: 4 (reg: 2, dir: 2)\nNumber of regular files transferred: 2\nTotal file size: 500 bytes\nTotal transferred file size: 1,005 bytes\n')).toEqual({ files: 2, bytes: 1005 })
  expect(totalsIn('')).toBeNull()
})

test('paths with blanks, quotes and percent signs reach SSH as they are', () => {
  const place = placeOf({ HOST: 'nas', FOLDER: '/b', IDENTITY_FILE: "/a b/it's 100%", KNOWN_HOSTS: null, USER: null, PORT: 22, RSYNC_PATH: null })
  if (!place.ok) throw new Error(place.failure.message)
  const shell = remoteShell(sshOptions(place.value))
  // rsync takes out the quotes around a word, and one of two within.
  expect(shell).toContain(`'IdentityFile="/a b/it''s 100%%"'`)
  expect(shell).toMatch(/^ssh -o BatchMode=yes/)
})

test.each([
  [{ HOST: null }, 'HOST is not set'],
  [{ HOST: '-oProxyCommand=x' }, 'HOST is no host'],
  [{ FOLDER: 'backup' }, 'FOLDER is no absolute path'],
  [{ FOLDER: '/a/../b' }, 'FOLDER is no absolute path'],
])('%j is refused', (changes, message) => {
  expect(placeOf({ HOST: 'nas', FOLDER: '/backup', ...changes })).toMatchObject({ ok: false, failure: { kind: 'configuration', message: expect.stringContaining(message) as string } })
})

describe('what the shell of the server says when it is logged in to', () => {
  const noise = 'bash: warning: setlocale: LC_ALL: cannot change locale (xx_XX)\nWelcome to the NAS\n'
  const run = (words: string, exitCode = 23): RsyncRun => ({ words, result: { outcome: 'exited', exitCode } as RsyncRun['result'] })
  const missing = 'rsync: [sender] change_dir "/backup/none" failed: No such file or directory (2)\nrsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1956) [Receiver=3.5.0]'

  test('does not hide that a folder is not there', () => {
    expect(isMissingFolder(run(noise + missing))).toBe(true)
    expect(isMissingFolder(run(`/usr/bin/rrsync error: post-realpath open failed (race detected): /none/ No such file or directory`, 12))).toBe(true)
  })

  test('is no folder that is not there, nor are other failures beside it', () => {
    expect(isMissingFolder(run(noise))).toBe(false)
    expect(isMissingFolder(run(`${missing}\nrsync: [sender] opendir "/backup/data" failed: Permission denied (13)`))).toBe(false)
    expect(isMissingFolder(run(`${missing}\nIO error encountered -- skipping file deletion`))).toBe(false)
    expect(isMissingFolder(run(missing, 0))).toBe(false)
  })
})
