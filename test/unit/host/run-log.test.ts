import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Secret } from '@stackbk/contract'
import { createRedactor } from '@stackbk/tool-runner/processes'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { appendLine } from '../../../src/host/append-line.js'
import { RunLog } from '../../../src/host/run-log.js'

const tooLarge = 8 * 1024 * 1024

describe('the run log', () => {
  let folder = ''
  const at = (name: string): string => join(folder, name)
  const logAt = (path: string | null, redact = (text: string): string => text): RunLog => new RunLog({ path, runId: 'run-1', redact })
  const linesOf = (name: string) =>
    readFileSync(at(name), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'stackbk-log-'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it('has one JSON object a line, for its owner alone', () => {
    const log = logAt(at('log'))
    log.write('info', 'stopping\nnow', { stack: 'web' })
    log.write('error', 'not up')
    expect(linesOf('log')).toEqual([
      { at: expect.stringMatching(/^\d{4}-.*Z$/), runId: 'run-1', level: 'info', message: 'stopping\nnow', stack: 'web' },
      { at: expect.stringMatching(/Z$/), runId: 'run-1', level: 'error', message: 'not up' },
    ])
    expect(statSync(at('log')).mode & 0o777).toBe(0o600)
    expect(log.trouble).toBeNull()
  })

  it('goes on after what is there', () => {
    logAt(at('log')).write('info', 'one')
    logAt(at('log')).write('info', 'two')
    expect(linesOf('log').map(({ message }) => message)).toEqual(['one', 'two'])
  })

  it('is readable also after a line that a crash cut short', () => {
    writeFileSync(at('log'), '{"message":"cut sh')
    logAt(at('log')).write('info', 'whole')
    const last = readFileSync(at('log'), 'utf8').trimEnd().split('\n').at(-1) ?? ''
    expect(JSON.parse(last)).toMatchObject({ message: 'whole' })
  })

  it('never shows a secret, in whatever field, and however it is escaped', () => {
    const secrets = ['plain-secret', 'with "quotes" and \\', 'two\nlines-of-it'].map((value) => new Secret(value))
    const log = logAt(at('log'), createRedactor(secrets))
    log.write('info', `message ${secrets[0]?.reveal()} ${secrets[1]?.reveal()}`, { deep: { list: secrets.map((secret) => secret.reveal()) }, secret: secrets[0] })
    const text = readFileSync(at('log'), 'utf8')
    for (const part of ['plain-secret', 'quotes', 'lines-of-it']) expect(text).not.toContain(part)
    expect(linesOf('log')).toMatchObject([{ message: 'message ******** ********', secret: '********' }])
  })

  it('is rotated when it has grown, and four old ones are kept', () => {
    for (let night = 1; night <= 7; night++) {
      logAt(at('log')).write('info', `night ${night}`)
      truncateSync(at('log'), tooLarge)
    }
    logAt(at('log')).write('info', 'now')
    expect(readdirSync(folder).sort()).toEqual(['log', 'log.1', 'log.2', 'log.3', 'log.4'])
    expect(linesOf('log').map(({ message }) => message)).toEqual(['now'])
    for (const [name, night] of [['log.1', 7], ['log.2', 6], ['log.3', 5], ['log.4', 4]] as const) expect(readFileSync(at(name), 'utf8').slice(0, 200)).toContain(`night ${night}`)
    expect(statSync(at('log.1')).mode & 0o777).toBe(0o600)
  })

  it('is not rotated below that size', () => {
    logAt(at('log')).write('info', 'one')
    truncateSync(at('log'), tooLarge - 1)
    logAt(at('log'))
    expect(readdirSync(folder)).toEqual(['log'])
  })

  it('never fails a run: a full disk, no folder, a folder in its place', () => {
    const full = logAt('/dev/full')
    full.write('info', 'lost')
    expect(full.trouble).toMatch(/ENOSPC/)
    const nowhere = logAt(at('nowhere/log'))
    nowhere.write('info', 'lost')
    expect(nowhere.trouble).toMatch(/ENOENT/)
    mkdirSync(at('folder'))
    const inTheWay = logAt(at('folder'))
    inTheWay.write('info', 'lost')
    expect(inTheWay.trouble).toMatch(/EISDIR/)
  })

  it('of a dry run is not written', () => {
    logAt(null).write('info', 'nothing')
    expect(readdirSync(folder)).toEqual([])
    expect(existsSync(at('log'))).toBe(false)
  })
})

describe('adding a line', () => {
  it('begins a new one where the last was cut short, so that no half line swallows it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'stackbk-append-'))
    try {
      const path = join(folder, 'file')
      appendLine(path, 'one')
      writeFileSync(path, 'one\ntw')
      appendLine(path, 'three', true)
      appendLine(path, 'four')
      expect(readFileSync(path, 'utf8')).toBe('one\ntw\nthree\nfour\n')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
