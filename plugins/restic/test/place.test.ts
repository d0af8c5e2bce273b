import { rmSync } from 'node:fs'

import { isSecret, Secret, type Exec, type ToolRequest, type ToolResult } from '@stackbk/contract'
import { restic } from '@stackbk/plugin-restic'
import { createExec } from '@stackbk/tool-runner'
import { describe, expect, onTestFinished, test } from 'vitest'

import { literalPattern, patternLines } from '../src/patterns.js'
import { placeOf } from '../src/place.js'
import { lastWords } from '../src/words.js'
import { contextOf, freshFolder } from './bench.js'
import providers from '../src/hooks/providers.js'

describe('where a repository is', () => {
  test.each([
    ['/srv/backup', '/srv/backup', '/srv/backup'],
    ['/srv//backup/./', '/srv/backup', '/srv/backup'],
    ['local:/srv/backup', '/srv/backup', '/srv/backup'],
    ['rest:https://user:s3cr3t@host:8000/repo/', 'rest:https://user:********@host:8000/repo/', null],
    ['rest:https://user:p@ss@host/repo/', 'rest:https://user:********@host/repo/', null],
    ['sftp:user@host:/srv/backup', 'sftp:user@host:/srv/backup', null],
    ['s3:https://s3.example.org/bucket', 's3:https://s3.example.org/bucket', null],
  ])('%s', (location, display, path) => {
    const place = placeOf(location)
    expect([place.display, place.path, place.problem]).toEqual([display, path, null])
    expect(JSON.stringify(place)).not.toMatch(/s3cr3t|p@ss/)
    expect(isSecret(place.value)).toBe(display.includes('********'))
  })

  test.each(['backup', './backup', ''])('%j is neither a path nor a location', (location) => {
    expect(placeOf(location).problem?.kind).toBe('configuration')
  })
})

test('a location with a password in it reaches restic by its environment, and stands in no argument of any call', async () => {
  const requests: ToolRequest[] = []
  const ended: ToolResult = { outcome: 'exited', exitCode: 1, endedBySignal: null, stdout: '', stdoutBytes: new Uint8Array(), stderr: 'Fatal: no', durationMs: 1, wasKilled: false, startError: null }
  const real = createExec()
  const exec: Exec = {
    run: (request) => (request.file === 'restic' ? Promise.resolve((requests.push(request), ended)) : real.run(request)),
    start: (request) => ({ process: (requests.push(request), null), result: Promise.resolve(ended), stop: () => Promise.resolve(ended) }),
  }
  const folder = freshFolder()
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const engine = await restic.create({ RESTIC_REPOSITORY: 'rest:http://user:s3cr3t@127.0.0.1:9/', RESTIC_PASSWORD: new Secret('correct-horse') }, contextOf(folder, { exec }))
  const prepared = engine.prepare({ paths: [folder], tags: [], host: 'host', parent: null, excludes: [] })
  await prepared.ready
  await Promise.all([engine.open(), engine.init(), engine.snapshots(), engine.check({ readDataPercent: 0 }), engine.forget(['0'.repeat(64)], { prune: true }), engine.removeStaleLocks()])
  await engine.close()
  const calls = requests.filter(({ env }) => env?.['RESTIC_REPOSITORY'] !== undefined)
  expect(new Set(calls.map(({ args }) => args[0]))).toContain('backup')
  for (const { args, env } of calls) {
    expect(args.join(' ')).not.toMatch(/s3cr3t|correct-horse/)
    expect([isSecret(env?.['RESTIC_REPOSITORY']), isSecret(env?.['RESTIC_PASSWORD'])]).toEqual([true, true])
  }
})

test('user patterns keep their meaning as lines of a file', () => {
  expect(patternLines(['*.log', '$HOME', '#x', ' a', 'b ', 'c\\ ', 'd\\\\ ', ''])).toEqual({
    ok: true,
    value: ['*.log', '$$HOME', '[#]x', '[ ]a', 'b[ ]', 'c[ ]', 'd\\\\[ ]'],
  })
  expect(patternLines(['a\nb'])).toMatchObject({ ok: false, failure: { kind: 'configuration' } })
  expect(literalPattern('/a*[b]?\\')).toBe('/a\\*\\[b\\]\\?\\\\')
})

test("restic's last words are its messages, without its tries and its advice", () => {
  const said = [
    'Load(<data/28e37add90>, 1264230, 2259203) failed: open /r/data: no such file or directory',
    '{"message_type":"error","message":"pack 28 contains 2 errors\\n"}',
    '{"message_type":"error","message":"\\nThe repository is damaged and must be repaired. Please follow the guide\\n"}',
    '{"message_type":"error","error":{"message":"read /x: input/output error"},"during":"archival","item":"/x"}',
    'a plain line',
    '{"message_type":"exit_error","code":1,"message":"Fatal: Fatal: repository contains errors"}',
    '{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}',
  ]
  expect(lastWords(said.join('\n'))).toBe(
    'pack 28 contains 2 errors\nread /x: input/output error\na plain line\nwrong password or no key found',
  )
})

test('the plugin provides one engine, whose settings are those of the contract, and how long it waits for a lock', async () => {
  expect(await providers.call({} as never, {} as never)).toEqual([restic])
  expect([restic.kind, restic.id, restic.apiVersion]).toEqual(['engine', 'restic', 1])
  expect(restic.settings.map(({ section, key, aliases, oneOf }) => [section, key, aliases, oneOf])).toEqual([
    ['local_backup', 'RESTIC_REPOSITORY', ['REPOSITORY'], undefined],
    ['local_backup', 'RESTIC_PASSWORD_FILE', ['PASSWORD_FILE'], 'password'],
    ['local_backup', 'RESTIC_PASSWORD_COMMAND', ['PASSWORD_COMMAND'], 'password'],
    ['local_backup', 'RESTIC_PASSWORD', ['PASSWORD'], 'password'],
    ['local_backup', 'LOCK_TIMEOUT', undefined, undefined],
  ])
})
