import { expect, test } from 'vitest'

import { failureOf, isMissingFolder } from '../src/failure.js'
import { nearestNames } from '../src/nearest.js'
import type { RcloneRun } from '../src/rclone.js'
import { hashOf, traitsOf } from '../src/traits.js'
import { Words } from '../src/words.js'

const attempt = { what: 'uploading 3 files to cloud:/x', remote: 'cloud', isTransfer: true }

/** A run that ended with this code and these lines. */
function ended(exitCode: number | null, ...lines: readonly string[]): RcloneRun {
  const words = new Words()
  for (const line of lines) words.hear(line)
  const result = { outcome: 'exited', exitCode, endedBySignal: null, stdout: '', stdoutBytes: new Uint8Array(), stderr: '', durationMs: 1, wasKilled: false, startError: null } as const
  return { result, words, hasStalled: false }
}

const critical = (msg: string): string => JSON.stringify({ level: 'critical', msg, source: 'cmd/cmd.go:102' })

test('words are taken from JSON lines and from plain ones, without the text on usage', () => {
  const words = new Words()
  for (const line of [
    '{"level":"notice","msg":"No host key validation is being performed. Set known_hosts_file","object":"cloud","objectType":"string"}',
    '{"level":"info","msg":"Copied (new)","object":"data/a"}',
    '{"level":"error","msg":"Failed to copy: no space","object":"data/a","objectType":"*local.Object"}',
    '{"level":"error","msg":"Failed to copy: no space","object":"data/a","objectType":"*local.Object"}',
    '2026/11/23 03:50:44 ERROR : broken {',
    'Usage:',
    '  rclone copy source:path dest:path [flags]',
    '2026/11/23 03:50:45 Failed to copy',
    '{ no json',
  ])
    words.hear(line)
  expect(words.text).toBe('data/a: Failed to copy: no space\nERROR : broken {\nFailed to copy\n{ no json')
  expect(words.isAboutObjects).toBe(true)
})

test('the account of a call tells by its pulse whether anything moved', () => {
  const pulses: string[] = []
  const words = new Words((stats) => pulses.push(stats.pulse))
  const account = (bytes: number): string => JSON.stringify({ level: 'notice', msg: 'Transferred', stats: { bytes, totalBytes: 100, transfers: 1, totalTransfers: 2, checks: 3, deletes: 0, speed: 5, elapsedTime: Math.random() } })
  for (const bytes of [1, 1, 2]) words.hear(account(bytes))
  expect(pulses[0]).toBe(pulses[1])
  expect(pulses[1]).not.toBe(pulses[2])
  expect(words.stats).toMatchObject({ bytes: 2, totalBytes: 100, transfers: 1, totalTransfers: 2, checks: 3, bytesPerSecond: 5 })
})

test('a signed address is not repeated', () => {
  const run = ended(1, critical('Get "https://host/x?X-Amz-Signature=abc123&X-Amz-Date=1": EOF'))
  expect(failureOf(run, attempt).toolOutput).toContain('X-Amz-Signature=********&X-Amz-Date=1')
})

test.each([
  ['didn\'t find section in config file ("cloud")', 'configuration', false],
  ['Failed to load config file "/x": configuration data too short', 'configuration', false],
  ['invalid argument "x" for "--bwlimit" flag: parsing "x" as fs.BwTimetable failed', 'configuration', false],
  ['NewFs: couldn\'t connect SSH: ssh: handshake failed: ssh: unable to authenticate, attempted methods [none password]', 'remote-unreachable', false],
  ['read metadata failed: 401 Unauthorized: 401 Unauthorized', 'remote-unreachable', false],
  ['api error SignatureDoesNotMatch: The request signature we calculated does not match', 'remote-unreachable', false],
  ['ssh: handshake failed: knownhosts: key mismatch', 'remote-unreachable', false],
  ['dial tcp 127.0.0.1:1: connect: connection refused', 'remote-unreachable', true],
  ['dial tcp: lookup nohost.invalid on 10.0.0.1:53: no such host', 'remote-unreachable', true],
  ['net/http: timeout awaiting response headers', 'remote-unreachable', true],
  ['tls: failed to verify certificate: x509: certificate signed by unknown authority', 'remote-unreachable', false],
  ['write: connection reset by peer', 'transfer-failed', true],
  ['https response error StatusCode: 503, api error SlowDown', 'transfer-failed', true],
  ['can\'t copy - source file is being updated (size changed from 1 to 2)', 'transfer-failed', true],
  ['corrupted on transfer: md5 hashes differ', 'transfer-failed', true],
  ['preallocate: file too big for remaining disk space', 'transfer-failed', false],
  ['googleapi: Error 403: storageQuotaExceeded', 'transfer-failed', false],
  ['https response error StatusCode: 403, api error AccessDenied: Access Denied', 'transfer-failed', false],
  ['open /x: permission denied', 'transfer-failed', false],
  ['is a file not a directory', 'configuration', false],
  ['something nobody has heard of', 'transfer-failed', true],
] as const)('%s: %s, transient %s', (message, kind, transient) => {
  const failure = failureOf(ended(1, critical(message)), attempt)
  expect(failure).toMatchObject({ kind, transient, toolOutput: message })
  expect(failure.fix).toBeTruthy()
  expect(failure.message.startsWith(attempt.what)).toBe(true)
})

test('a question that fails never counts as a failed transfer', () => {
  for (const message of ['connection reset by peer', 'api error AccessDenied', 'nobody knows']) {
    expect(failureOf(ended(1, critical(message)), { ...attempt, isTransfer: false }).kind).toBe('remote-unreachable')
  }
})

test('exit codes count where the words say nothing', () => {
  expect(failureOf(ended(5), attempt)).toMatchObject({ kind: 'transfer-failed', transient: true })
  for (const fatal of [6, 7, 8]) expect(failureOf(ended(fatal), attempt)).toMatchObject({ kind: 'transfer-failed', transient: false })
  for (const absent of [3, 4]) expect(failureOf(ended(absent), attempt)).toMatchObject({ kind: 'not-found' })
  expect(failureOf(ended(null), attempt)).toMatchObject({ kind: 'transfer-failed', transient: true })
})

test('only the root itself counts as a missing folder, not one below it that went meanwhile', () => {
  const root = JSON.stringify({ level: 'error', msg: 'error listing: directory not found', object: '', objectType: 'string' })
  const below = JSON.stringify({ level: 'error', msg: 'error listing: directory not found', object: 'data/00', objectType: 'string' })
  expect(isMissingFolder(ended(3, root))).toBe(true)
  expect(isMissingFolder(ended(3, below))).toBe(false)
  expect(isMissingFolder(ended(1, root))).toBe(false)
})

test('the nearest names come first, and far ones not at all', () => {
  expect(nearestNames('clod', ['cloud', 'clad', 'backup'])).toEqual(['cloud', 'clad'])
  expect(nearestNames('Cloud', ['cloud'])).toEqual(['cloud'])
  expect(nearestNames('gdrive', ['s3', 'backup'])).toEqual([])
})

test('traits are claimed only where they are sure', () => {
  const now = { major: 1, minor: 75, text: '1.75.2' }
  const old = { major: 1, minor: 60, text: '1.60.1' }
  const sftp = { BucketBased: false, PartialUploads: true, Move: true, Copy: false, Overlay: false }
  const webdav = { BucketBased: false, PartialUploads: false, Move: true, Copy: true, Overlay: false }
  const s3 = { BucketBased: true, PartialUploads: false, Move: false, Copy: true, Overlay: false }
  expect(traitsOf(sftp, { version: now, type: 'sftp' })).toEqual({ appearsWhole: true, movesWhole: true, movesAtomically: false, readsRanges: true })
  expect(traitsOf(sftp, { version: old, type: 'sftp' }).appearsWhole).toBe(false)
  expect(traitsOf(webdav, { version: now, type: 'webdav' })).toEqual({ appearsWhole: false, movesWhole: true, movesAtomically: false, readsRanges: true })
  expect(traitsOf(s3, { version: old, type: 's3' })).toEqual({ appearsWhole: true, movesWhole: true, movesAtomically: true, readsRanges: true })
  expect(traitsOf({ ...s3, Overlay: true }, { version: now, type: 'crypt' }).appearsWhole).toBe(true)
  expect(traitsOf({ ...s3, Overlay: true }, { version: now, type: 'chunker' }).appearsWhole).toBe(false)
  expect(traitsOf({}, { version: now, type: 'drive' })).toMatchObject({ appearsWhole: false, movesWhole: false })
  expect(traitsOf({ ...webdav, Overlay: true }, { version: now, type: 'union' }).movesWhole).toBe(false)
})

test('a quick hash is named only between folders that know it', () => {
  expect(hashOf({ IsLocal: true }, ['md5', 'xxh128'])).toBe('xxh128')
  expect(hashOf({ IsLocal: true }, ['md5'])).toBe(null)
  expect(hashOf({ IsLocal: false }, ['md5', 'xxh128'])).toBe(null)
  expect(hashOf({ IsLocal: true, Overlay: true }, ['md5', 'xxh128'])).toBe(null)
})
